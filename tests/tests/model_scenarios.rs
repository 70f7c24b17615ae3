//! Do the scenarios reach what the other tests are to settle?
//!
//! A property that holds of scenarios in which nothing happens settles nothing. So the strategies are
//! sampled, always the same samples, and must have brought about every outcome, every type of change
//! and a telling answer to every question.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;

use tenure_core::{
    FoundKind, JoinedBy, LedgerInMemory, Outcome, OutcomeKind, Question, RefusalCode, Submission,
    answer::{
        Answer, AskError, Covered, DefinedAt, DefinitionChanged, Found, Holding, LandscapeDiff,
        LevelChanged, Member,
    },
};
use tenure_tests::harness::samples;
use tenure_tests::question;
use tenure_tests::scenario::{arrivals, mixed};
use tenure_tests::world;

const CHANGE_TYPES: usize = 20;
const REASONS: usize = 35;

#[test]
fn scenarios_bring_about_every_outcome_of_every_change() {
    let mut codes = BTreeSet::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut types: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut duplicates = [0, 0];
    for scenario in samples(&mixed(1..60), 600) {
        let mut ledger = LedgerInMemory::new(world::LEDGER);
        let outcomes: Vec<Outcome> = scenario.log.iter().map(|r| ledger.apply(r)).collect();
        for outcome in &outcomes {
            match outcome {
                Outcome::Applied => {}
                Outcome::Refused(refusal) => {
                    codes.insert(refusal.code());
                    *reasons.entry(refusal.reason.parts().0).or_default() += 1;
                }
                Outcome::Duplicate(original) => {
                    duplicates[usize::from(original.refusal.is_some())] += 1;
                }
            }
        }
        for (recorded, outcome) in scenario.log.iter().zip(&outcomes) {
            let Submission::Entry(entry, _) = &recorded.submission else {
                continue;
            };
            let outcome = outcome.kind().as_str();
            for change in entry.changes() {
                *types.entry((change.type_name(), outcome)).or_default() += 1;
            }
        }
    }
    let missing: Vec<_> = RefusalCode::ALL.iter().filter(|code| !codes.contains(code)).collect();
    assert_eq!(reasons.len(), REASONS, "{reasons:?}");
    assert!(missing.is_empty(), "no scenario is refused as {missing:?}");
    assert!(duplicates.iter().all(|count| *count > 5), "{duplicates:?}");
    let applied: Vec<_> = types.iter().filter(|((_, outcome), _)| *outcome == "applied").collect();
    assert_eq!(applied.len(), CHANGE_TYPES, "{applied:?}");
    let scarce: Vec<_> = applied.iter().filter(|(_, count)| **count < 10).collect();
    assert!(scarce.is_empty(), "{scarce:?} of {types:?}");
}

#[test]
fn questions_have_telling_answers() {
    let mut telling: BTreeMap<&str, usize> = BTreeMap::new();
    let mut note = |what, is: bool| *telling.entry(what).or_default() += usize::from(is);
    for (scenario, drafts) in samples(&(mixed(1..60), vec(question::drafts(), 1..25)), 5_000) {
        let mut ledger = LedgerInMemory::new(world::LEDGER);
        for recorded in &scenario.log {
            ledger.apply(recorded);
        }
        for draft in drafts {
            let question = draft.about(&scenario, scenario.log.len());
            let answered = match question::ask(&question, &ledger) {
                Ok(answered) => {
                    let at_moments = answered.elsewhere.iter().any(|one| one.span.is_none());
                    note("elsewhere", at_moments);
                    note("elsewhere for a time", !at_moments && !answered.elsewhere.is_empty());
                    answered
                }
                Err(error) => {
                    note("decided elsewhere", matches!(error, AskError::DecidedElsewhere(_)));
                    note("unknown permission", matches!(error, AskError::UnknownPermission(_)));
                    let unknown = matches!(error, AskError::UnknownOperation(_));
                    if let Question::WhoDuring { .. } = question {
                        note("who during an unknown operation", unknown);
                    }
                    continue;
                }
            };
            let (answer, at) = (answered.answer, answered.as_of.at);
            let says = question::says_something(&answer);
            let by_rule = |holding: &Holding| {
                let membership = holding.membership.as_ref();
                membership.is_some_and(|joined| matches!(joined.by, JoinedBy::Rule(_)))
            };
            match answer {
                Answer::Check(check) => {
                    note("check", says);
                    note("check by a rule", check.because.iter().any(by_rule));
                    note(
                        "check of everyone",
                        says && check.because.is_empty() && check.steps.is_empty(),
                    );
                    note("session that is over", check.last_at.is_some_and(|last| Some(last) < at));
                    note("latent", !check.steps.is_empty());
                    note("latent by several steps", check.steps.len() > 2);
                    note("latent and assigned", {
                        !check.steps.is_empty() && !check.because.is_empty()
                    });
                    note("check through a set", check.because.iter().any(|h| h.via.is_some()));
                    note("check with an end", check.because.iter().any(|h| h.until.is_some()));
                    note("check without", check.missing.is_some());
                }
                Answer::Who(who) => {
                    note("who", says);
                    note("who of sets", !who.sets.is_empty());
                    let of = |assigned| who.subjects.iter().any(|one| one.assigned == assigned);
                    note("who could give itself", of(Some(false)));
                    note("who has it as well", of(Some(true)));
                }
                Answer::What(what) => {
                    note("what", says);
                    note("what operations", !what.operations.is_empty());
                    note("what permissions", !what.permissions.is_empty());
                }
                Answer::Where(_) => note("where", says),
                Answer::WhoAnywhere(_) => note("who anywhere", says),
                Answer::Timeline(all) => {
                    note("timeline", says);
                    note("timeline of several intervals", all.len() > 1);
                    note("timeline of several terms", all.iter().any(|i| i.because.len() > 1));
                }
                Answer::WhoDuring(_) => note("who during", says),
                Answer::WhoDuringAnywhere(_) => note("who during anywhere", says),
                Answer::Assignments(_) => note("assignments", says),
                Answer::Holdings(rows) => {
                    note("holdings", says);
                    for row in rows.iter().filter_map(|row| row.ended) {
                        note(row.how.as_str(), true);
                    }
                }
                Answer::Members(members) => {
                    note("members", says);
                    let of_rule = |one: &Member| matches!(one.by, JoinedBy::Rule(_));
                    note("members by a rule", members.iter().any(of_rule));
                }
                Answer::Principals(_) => note("principals", says),
                Answer::Search(search) => {
                    note("search", says);
                    note("search with more", search.more);
                    let permission = |one: &Found| one.kind == FoundKind::Permission;
                    note("search of permissions", search.found.iter().any(permission));
                }
                Answer::Diff { diff, .. } => {
                    note("diff", says);
                    note("diff of terms", !diff.changed.is_empty());
                    let Some(landscape) = diff.landscape else { continue };
                    let LandscapeDiff { created, deleted, moved, changed, definitions } = landscape;
                    note("diff of levels created", !created.is_empty());
                    note("diff of levels deleted", !deleted.is_empty());
                    note("diff of levels moved", !moved.is_empty());
                    note("diff of attributes", !changed.is_empty());
                    let moved = |one: &LevelChanged| one.environment.0 != one.environment.1;
                    note("diff of environments", changed.iter().any(moved));
                    let of_level = |row: &DefinitionChanged| matches!(row.at, DefinedAt::Level(_));
                    note("diff of custom definitions", definitions.iter().any(of_level));
                    note("diff of catalogues", definitions.iter().any(|row| !of_level(row)));
                }
                Answer::PowerDiff { diff, .. } => {
                    note("diff of a power gained", !diff.gained.is_empty());
                    note("diff of a power lost", !diff.lost.is_empty());
                }
                Answer::Sources(rows) => {
                    note("sources", says);
                    let covered: Vec<_> = rows.into_iter().filter_map(|row| row.covered).collect();
                    let gaps = |one: &Covered| one.gaps.as_ref().map_or(0, |gaps| gaps.count);
                    note("sources with gaps", covered.iter().any(|one| gaps(one) > 0));
                    let both = |one: &Covered| one.listed.is_some() && one.gaps.is_some();
                    note("sources that list and follow", covered.iter().any(both));
                    note("sources of a gone level", covered.iter().any(|one| !one.level_exists));
                }
                Answer::Levels(_) => note("levels", says),
                Answer::RoleCollections(_) => note("role collections", says),
                Answer::Catalog(_) => note("catalog", says),
                Answer::History { more, .. } => {
                    note("history", says);
                    note("history with more", more);
                }
                Answer::Entry(_) => note("entry", says),
            }
        }
    }
    let scarce: Vec<_> = telling.iter().filter(|(_, count)| **count < 10).collect();
    assert!(scarce.is_empty(), "{scarce:?} of {telling:?}");
}

#[test]
fn arrivals_are_applied() {
    let (mut applied, mut all) = (0, 0);
    for [in_order, _] in samples(&arrivals(2..16), 100) {
        let mut ledger = LedgerInMemory::new(world::LEDGER);
        let outcomes = in_order.log.iter().map(|recorded| ledger.apply(recorded).kind());
        let outcomes: Vec<OutcomeKind> = outcomes.skip(in_order.beginning).collect();
        all += outcomes.len();
        applied += outcomes.iter().filter(|kind| **kind == OutcomeKind::Applied).count();
    }
    assert!(applied * 3 > all * 2, "{applied} of {all} are applied");
}
