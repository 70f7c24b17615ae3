//! Do the tables and the statements say what the ledger says?

use tenure_core::{LedgerInMemory, Outcome, Submission};

use super::client::{Client, load};
use super::fold::Fold;
use super::server::Server;
use super::{CLASSES, pinned, rows, same, sql};
use crate::ask::InProcess;
use crate::landscape::{LEDGER, Message, Plan, Shares, Size};
use crate::question::Asker;

#[tokio::test]
async fn postgres_answers_as_the_ledger() {
    let share = 6.0;
    let unusual =
        Shares { late: share, scheduled: share, expiring: share, voids: share, refused: share };
    let server = Server::start().await.unwrap();
    for (size, changes) in [(Size::Steady, 20_000), (Size::S, 5_000), (Size::Zone, 10_000)] {
        let plan = Plan { shares: unusual, ..Plan::new(size, changes, 1) };
        let (mut messages, mut ledger) = (plan.messages().unwrap(), LedgerInMemory::new(LEDGER));
        let mut fold = Fold::default();
        for recorded in messages.by_ref().flat_map(|message: Message| message.recorded().unwrap()) {
            let applied = ledger.apply(&recorded) == Outcome::Applied;
            let entry = match &recorded.submission {
                Submission::Entry(entry, _) if applied => Some(entry),
                _ => None,
            };
            fold.take(recorded.recorded_at.micros(), entry).unwrap();
        }
        load(&server, &fold.finish()).await.unwrap();
        let mut client = Client::open(&server).await.unwrap();
        let (facts, in_process) = (messages.facts(), InProcess::of(&ledger, None));
        let mut asker = Asker::new(&facts, 1);
        for class in CLASSES {
            let mut said_something = 0;
            for question in asker.some(class, 60) {
                let asked = sql::statement(&pinned(&question, &ledger)).unwrap();
                let answered = in_process.answer(&question);
                let expected = rows::of_ledger(answered.map(|answered| answered.answer).as_ref());
                said_something += expected.len().min(1);
                let found = client.ask(&asked).await.unwrap();
                if let Err(error) = same(&question, &expected, found) {
                    panic!("{size:?}: {error}");
                }
            }
            assert!(said_something > 5, "{size:?}, {class:?}: {said_something} said anything");
        }
        let drop = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        server.connect().await.unwrap().batch_execute(drop).await.unwrap();
    }
}
