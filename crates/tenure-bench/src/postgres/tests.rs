//! Do the tables and the statements say what the ledger says?

use proptest::collection::vec;
use tenure_core::{LedgerInMemory, Outcome, Submission};
use tenure_tests::harness::samples;
use tenure_tests::question::drafts;
use tenure_tests::scenario::{Scenario, mixed};

use super::client::{Client, load};
use super::fold::Fold;
use super::server::Server;
use super::tables::Tables;
use super::{pinned, rows, same, sql};
use crate::ask::InProcess;

/// Folds a short log that is full of late, scheduled, expiring and voided entries
fn fold(scenario: &Scenario) -> (LedgerInMemory, Tables) {
    let (mut ledger, mut fold) = (LedgerInMemory::new(), Fold::default());
    for recorded in &scenario.log {
        let applied = ledger.apply(recorded) == Outcome::Applied;
        let applied = match &recorded.submission {
            Submission::Entry(entry, _) if applied => Some(entry),
            _ => None,
        };
        fold.take(recorded.recorded_at.micros(), applied).unwrap();
    }
    (ledger, fold.finish())
}

#[tokio::test]
async fn postgres_answers_as_the_ledger() {
    let server = Server::start().await.unwrap();
    let mut said_something = 0;
    for (scenario, drafts) in samples(&(mixed(40..60), vec(drafts(), 400)), 4) {
        let (ledger, tables) = fold(&scenario);
        load(&server, &tables).await.unwrap();
        let mut client = Client::open(&server).await.unwrap();
        for draft in &drafts {
            let question = pinned(&draft.about(&scenario, scenario.log.len()), &ledger);
            let Some(asked) = sql::statement(&question) else { continue };
            let answered = InProcess::of(&ledger, None).answer(&question);
            let expected = rows::of_ledger(answered.map(|answered| answered.answer).as_ref());
            let found = client.ask(&asked).await.unwrap();
            said_something += found.len().min(1);
            if let Err(error) = same(&question, &expected, found) {
                panic!("{error}\n{scenario:?}");
            }
        }
        let drop = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; \
                    CREATE EXTENSION pg_stat_statements";
        server.connect().await.unwrap().batch_execute(drop).await.unwrap();
    }
    assert!(said_something > 100, "only {said_something} answers said anything");
}
