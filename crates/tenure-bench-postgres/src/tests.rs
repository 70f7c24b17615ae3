//! Do the tables and the statements say what the engine says?

use proptest::collection::vec;
use tenure_core::{AssignmentFilter, EffectiveAt, Fingerprint, KnownAt, Position, Submission};
use tenure_tests::harness::{check, same, samples};
use tenure_tests::question::{Question as Drawn, drafts};
use tenure_tests::scenario::{Scenario, mixed};

use crate::engine::Engine;
use crate::fold::Fold;
use crate::postgres::{Door, LAYOUTS, Server, load};
use crate::question::Question;
use crate::sqlite::Sqlite;

fn fold(scenario: &Scenario) -> (Engine, Fold) {
    let (mut engine, mut fold) = (Engine::default(), Fold::default());
    for recorded in &scenario.log {
        let content_of = |owner: Position| {
            let owner = &scenario.log[usize::try_from(owner.get() - 1)?];
            Ok::<_, std::num::TryFromIntError>(match &owner.submission {
                Submission::Entry(_, fingerprint) => *fingerprint,
                Submission::Malformed => Fingerprint::NONE,
            })
        };
        engine.ledger_mut().apply_with(recorded, content_of).unwrap();
        let position = Position::new(engine.newest()).unwrap();
        let (at, applied) = engine.outcome(position).unwrap();
        let applied = applied.then(|| match &recorded.submission {
            Submission::Entry(entry, _) => entry,
            Submission::Malformed => panic!("applied, and cannot be decoded"),
        });
        fold.take(at, applied).unwrap();
    }
    (engine, fold)
}

/// A question that the property tests draw, where it is put in SQL
fn question(drawn: Drawn) -> Option<Question> {
    let at = |t: EffectiveAt, s: KnownAt| (t.micros(), s.0);
    Some(match drawn {
        Drawn::Who(can, on, t, s, _) => Question::Who { can, on, at: at(t, s) },
        Drawn::WhoAnywhere(can, under, t, s, _) => Question::WhoUnder { can, under, at: at(t, s) },
        Drawn::WhoDuring(can, on, span, s) => Question::WhoDuring {
            can,
            on,
            from: span.from().micros(),
            until: span.until().map(EffectiveAt::micros),
            known: s.0,
        },
        Drawn::Check(principal, can, on, t, s) => {
            Question::Check { principal, can, on, at: at(t, s) }
        }
        Drawn::Timeline(principal, can, on, span, s) => Question::Timeline {
            principal,
            can,
            on,
            from: span.from().micros(),
            until: span.until().map(EffectiveAt::micros),
            known: s.0,
        },
        Drawn::Where(principal, can, under, t, s) => {
            Question::Where { principal, can, under, at: at(t, s) }
        }
        Drawn::Assignments(AssignmentFilter { on: Some(on), .. }, t, s) => {
            Question::AssignmentsOn { on, at: at(t, s) }
        }
        Drawn::Assignments(AssignmentFilter { principal: Some(principal), .. }, t, s) => {
            Question::AssignmentsOf { principal, at: at(t, s) }
        }
        Drawn::Diff((t, s), (u, v), Some(under), None) => {
            Question::DiffUnder { under, from: at(t, s), until: at(u, v) }
        }
        Drawn::Diff((t, s), (u, v), None, Some(principal)) => {
            Question::DiffOf { principal, from: at(t, s), until: at(u, v) }
        }
        _ => return None,
    })
}

#[test]
fn sqlite_and_replay_answer_as_the_engine() {
    let strategy = (mixed(1..60), vec(drafts(), 1..40));
    check("sqlite_and_replay_answer_as_the_engine", 60, strategy, |(scenario, drafts)| {
        let (engine, fold) = fold(&scenario);
        let (tables, log) = fold.finish();
        let mut sqlite = Sqlite::load(&tables).unwrap();
        drafts.iter().try_for_each(|draft| {
            let drawn = draft.about(&scenario, scenario.log.len());
            let Some(question) = question(drawn) else { return Ok(()) };
            let expected = engine.ask(&question).rows(&question);
            let answer = sqlite.ask(&question).unwrap().sorted();
            same(format_args!("SQLite: {question:?}"), &answer, &expected)?;
            match log.ask(&tables, &question) {
                Some(answer) => {
                    same(format_args!("replay: {question:?}"), &answer.sorted(), &expected)
                }
                None => Ok(()),
            }
        })
    });
}

#[tokio::test]
async fn postgres_answers_as_the_engine_in_every_layout() {
    let server = Server::start().await.unwrap();
    let mut said_something = 0;
    for (scenario, drafts) in samples(&(mixed(40..60), vec(drafts(), 400)), 4) {
        let (engine, fold) = fold(&scenario);
        let (tables, _) = fold.finish();
        for layout in LAYOUTS {
            load(&server, layout, &tables).await.unwrap();
            let mut door = Door::open(&server, layout).await.unwrap();
            for draft in &drafts {
                let Some(question) = question(draft.about(&scenario, scenario.log.len())) else {
                    continue;
                };
                let expected = engine.ask(&question).rows(&question);
                let answer = door.ask(&question).await.unwrap().sorted();
                assert_eq!(answer, expected, "{}: {question:?}\n{scenario:?}", layout.name);
                said_something += expected.len().min(1);
            }
            let drop = format!("DROP SCHEMA {} CASCADE", layout.name);
            server.connect().await.unwrap().batch_execute(&drop).await.unwrap();
        }
    }
    assert!(said_something > 100, "only {said_something} answers said anything");
}
