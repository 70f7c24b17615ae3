//! Which log does a test write by hand?
//!
//! Entries at hours of the world, each one change or several, numbered from 1 as they come. What a corner is
//! about stands in the test, and [`exhaust`] asks all about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::test_runner::{TestCaseError, TestCaseResult};
use uuid::Uuid;

use tenure_core::answer::Answer;
use tenure_core::{
    Abilities, Ability, Access, AssignmentFilter, Attributes, Change, EffectiveAt, Entry, EntryId,
    Fingerprint, GrantableText, Instant, KnownAt, Ledger, LedgerInMemory, Level, LevelFilter, Life,
    Principal, PrincipalKind, Question, Reading, Recorded, RecordedAt, Submission,
};

use crate::harness::same;
use crate::oracle::Oracle;
use crate::question::{self, Found, as_of};
use crate::scenario::{Granted, ORIGIN_MICROS, Scenario, TICK_MICROS};
use crate::world;

/// A log in the making
#[derive(Clone, Debug, Default)]
pub struct Script {
    log: Vec<Recorded>,
}

/// That hour of the world, in microseconds
pub fn hour(hours: i64) -> i64 {
    ORIGIN_MICROS + hours * TICK_MICROS
}

impl Script {
    /// No entries
    pub fn new() -> Self {
        Self::default()
    }

    /// An entry recorded at an hour, which takes effect then or at another hour
    #[must_use]
    pub fn at(self, recorded: i64, effective: Option<i64>, changes: Vec<Change>) -> Self {
        self.at_micros(hour(recorded), effective.map(hour), changes)
    }

    /// The same, in microseconds
    #[must_use]
    pub fn at_micros(self, recorded: i64, effective: Option<i64>, changes: Vec<Change>) -> Self {
        let submitter = world::submitter(self.log.len() as u64 + 1);
        self.from(submitter, recorded, effective, changes)
    }

    /// An entry that somebody hands in
    #[must_use]
    pub fn by(
        self,
        submitter: &str,
        recorded: i64,
        effective: Option<i64>,
        changes: Vec<Change>,
    ) -> Self {
        self.from(world::principal(submitter), hour(recorded), effective.map(hour), changes)
    }

    fn from(
        mut self,
        submitter: Principal,
        recorded: i64,
        effective: Option<i64>,
        changes: Vec<Change>,
    ) -> Self {
        let number = self.log.len() as u64 + 1;
        let actor = world::principal("user:corp/actor@x");
        let effective_at = effective.map(|micros| Instant::from_micros(micros).unwrap());
        let entry = Entry::new(id(number), actor, None, effective_at, changes).unwrap();
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&number.to_be_bytes());
        self.log.push(Recorded {
            recorded_at: RecordedAt::saturating_from_micros(recorded),
            submitter,
            submission: Submission::Entry(entry, Fingerprint(fingerprint)),
        });
        self
    }

    /// The log as a scenario
    pub fn scenario(self) -> Scenario {
        Scenario { log: self.log, beginning: 0 }
    }
}

fn id(number: u64) -> EntryId {
    EntryId(Uuid::from_u128(u128::from(number)))
}

/// A level is created
pub fn create(level: &str, parent: Option<&str>) -> Change {
    Change::CreateLevel {
        level: world::level(level),
        parent: parent.map(world::level),
        attributes: Attributes::default(),
    }
}

/// A directory that manages authorizations is created
pub fn managing_directory(level: &str, parent: &str) -> Change {
    Change::CreateLevel {
        level: world::level(level),
        parent: Some(world::level(parent)),
        attributes: Attributes { authorizations: Some(true), ..Attributes::default() },
    }
}

/// A level is moved
pub fn move_to(level: &str, parent: &str) -> Change {
    Change::MoveLevel { level: world::level(level), parent: world::level(parent) }
}

/// A level is deleted
pub fn delete(level: &str) -> Change {
    Change::DeleteLevel { level: world::level(level) }
}

/// A role collection, or a role after `role:`, is granted for ever
pub fn grant(level: &str, what: &str, to: &str) -> Change {
    Change::Grant {
        level: world::level(level),
        grantable: world::grantable(what),
        to: world::principal(to),
        until: None,
        expect: None,
    }
}

/// Access is enforced or open from here on
pub fn access(access: Access) -> Change {
    let attributes = Attributes { access: Some(access), ..Attributes::default() };
    Change::SetLevel { level: Level::of_ledger(world::LEDGER), attributes }
}

/// It is revoked, whoever held it
pub fn revoke(level: &str, what: &str, from: &str) -> Change {
    let expect = Some(tenure_core::RevokeExpects::Any);
    let (level, from) = (world::level(level), world::principal(from));
    Change::Revoke { level, grantable: world::grantable(what), from, expect }
}

/// A user becomes a member
pub fn add(set: &str, member: &str) -> Change {
    Change::AddMember { set: world::principal(set), member: world::principal(member) }
}

/// A principal is removed
pub fn remove(principal: &str) -> Change {
    Change::RemovePrincipal { principal: world::principal(principal) }
}

/// A custom role collection is created
pub fn collection(level: &str, name: &str) -> Change {
    Change::CreateRoleCollection {
        level: world::level(level),
        role_collection: name.into(),
        roles: Vec::new(),
        description: None,
    }
}

/// A custom role collection is deleted
pub fn no_collection(level: &str, name: &str) -> Change {
    Change::DeleteRoleCollection { level: world::level(level), role_collection: name.into() }
}

/// A level's attributes, by their number in [`world::attributes`]
pub fn set(level: &str, attributes: u8) -> Change {
    Change::SetLevel { level: world::level(level), attributes: world::attributes(attributes) }
}

/// A rule of [`world::rule`], or none
pub fn rule(set: &str, number: Option<usize>) -> Change {
    let (origin, expression) = world::rule(number.unwrap_or(0));
    let rule = number.map(|_| Arc::new(expression));
    Change::SetRule { set: world::principal(set), origin: origin.into(), rule }
}

/// A permission of an application, given by roles, which protects a path
pub fn permission(level: &str, name: &str, roles: &[&str], path: &str) -> Change {
    Change::SetPermission {
        level: world::level(level),
        permission: name.into(),
        roles: roles.iter().map(|role| Arc::from(*role)).collect(),
        paths: Some(vec![path.into()]),
    }
}

/// A custom role of the application `own`
pub fn custom_role(level: &str, role: &str) -> Change {
    Change::CreateRole {
        level: world::level(level),
        role: role.into(),
        application: "own".into(),
        template: "T".into(),
        scopes: None,
        attributes: None,
    }
}

/// It is deleted
pub fn no_custom_role(level: &str, role: &str) -> Change {
    let role = tenure_core::RoleText { application: Some("own".into()), name: role.into() };
    Change::DeleteRole { level: world::level(level), role }
}

/// A catalogue of [`world::catalogs`] is published
pub fn publish(number: usize) -> Change {
    Change::PublishCatalog { catalog: Arc::clone(&world::catalogs()[number]) }
}

/// The entry with that number is voided
pub fn void(number: u64) -> Change {
    Change::Void { entry: id(number), note: None }
}

/// The ledger and the oracle of a log, whose outcomes are compared
///
/// # Errors
/// The first outcome in which they differ.
pub fn fold(scenario: &Scenario) -> Result<(LedgerInMemory, Oracle), TestCaseError> {
    let (mut ledger, mut oracle) = (LedgerInMemory::new(world::LEDGER), Oracle::new());
    let door = |granted: &Granted| match &granted.grantable {
        GrantableText::Role(role) => role.name.as_ref() == "Door",
        GrantableText::RoleCollection(_) => false,
    };
    let doors: BTreeSet<Principal> =
        scenario.grants().into_iter().filter(door).map(|granted| granted.to).collect();
    for (number, recorded) in (1..).zip(&scenario.log) {
        for client in &doors {
            let (found, before) =
                (ledger.is_door(client, recorded.recorded_at), KnownAt(number - 1));
            let expected = oracle.is_door(before, client, recorded.recorded_at);
            same(format_args!("whether `{client}` is a door for #{number}"), &found, &expected)?;
        }
        let outcome = ledger.apply(recorded);
        let expected = oracle.apply(recorded);
        same(format_args!("the outcome of #{number} ({outcome:?})"), &outcome, &expected)?;
    }
    Ok((ledger, oracle))
}

/// Asks about all that a short log is about, at and beside each of its moments, known at each position
///
/// # Errors
/// The first answer in which the ledger and the oracle differ.
pub fn exhaust(scenario: &Scenario) -> TestCaseResult {
    let (ledger, oracle) = fold(scenario)?;
    let mut moments = BTreeSet::from([0, EffectiveAt::LAST.micros()]);
    for moment in scenario.moments() {
        moments.extend([-1, 0, 1].map(|beside| moment.micros() + beside));
    }
    let moments: Vec<EffectiveAt> =
        moments.into_iter().map(EffectiveAt::saturating_from_micros).collect();
    let newest = KnownAt(scenario.log.len() as u64);
    for s in (0..=newest.0).map(KnownAt) {
        let mut before = as_of(EffectiveAt::FIRST, KnownAt(s.0.saturating_sub(1)));
        for t in &moments {
            let nothing = AssignmentFilter::default();
            let as_of = as_of(*t, s);
            // From the moment before, and to the same moment as it is known in the end.
            for (from, until) in [(before, as_of), (as_of, question::as_of(*t, newest))] {
                let diff = Question::Diff { from, until, under: None, principal: None };
                ask(&diff, &ledger, &oracle)?;
            }
            before = as_of;
            let filter = LevelFilter::default();
            ask(&Question::Levels { filter, as_of }, &ledger, &oracle)?;
            ask(&Question::Catalog { as_of }, &ledger, &oracle)?;
            ask(&Question::Assignments { filter: nothing, as_of }, &ledger, &oracle)?;
        }
        let mut asked = BTreeSet::new();
        for granted in scenario.grants() {
            if !asked.insert(format!("{granted:?}").replace(&granted.position.to_string(), "")) {
                continue;
            }
            let (on, principal) = (granted.level, granted.to);
            let reading = Reading::Assigned;
            let can: Abilities = match granted.grantable {
                GrantableText::RoleCollection(name) => Ability::RoleCollection(name),
                GrantableText::Role(role) => Ability::Role(role),
            }
            .into();
            for as_of in moments.iter().map(|t| as_of(*t, s)) {
                for explain in [true, false] {
                    let (can, on) = (can.clone(), on.clone());
                    ask(&Question::Who { can, on, as_of, reading, explain }, &ledger, &oracle)?;
                }
                let (principal, can, on) = (principal.clone(), can.clone(), on.clone());
                ask(&Question::Check { principal, can, on, as_of, reading }, &ledger, &oracle)?;
            }
            let (from, known_at) = (EffectiveAt::FIRST, s.into());
            let during =
                Question::WhoDuring { can, on, from, until: None, known_at, explain: true };
            ask(&during, &ledger, &oracle)?;
        }
    }
    Ok(())
}

/// Asks about the members, the permissions and the readings that a short log is about, as known in the end
///
/// # Errors
/// The first answer in which the ledger and the oracle differ.
pub fn exhaust_neo(scenario: &Scenario) -> TestCaseResult {
    let (ledger, oracle) = fold(scenario)?;
    let s = KnownAt(scenario.log.len() as u64);
    let mut powers: Vec<(Ability, Level)> = Vec::new();
    let (mut sets, mut people) = (BTreeSet::new(), BTreeSet::new());
    for change in scenario.entries().flat_map(|(_, entry)| entry.changes()) {
        let principals = change.principals().cloned();
        let (of, others): (Vec<_>, Vec<_>) = principals.partition(|one| one.kind().is_set());
        people.extend(others);
        sets.extend(of);
        match change {
            Change::Grant { level, grantable, .. } => {
                let power = match grantable.clone() {
                    GrantableText::RoleCollection(name) => Ability::RoleCollection(name),
                    GrantableText::Role(role) => Ability::Role(role),
                };
                powers.push((power, level.clone()));
            }
            Change::SetPermission { level, permission, paths, .. } => {
                powers.push((Ability::Permission(permission.clone()), level.clone()));
                let paths = paths.iter().flatten();
                powers.extend(paths.map(|path| (Ability::Path(path.clone()), level.clone())));
            }
            _ => {}
        }
    }
    let mut moments = BTreeSet::new();
    for moment in scenario.moments() {
        moments.extend([-1, 0].map(|beside| moment.micros() + beside));
    }
    let hours = |hours: u32| Reading::Session(Life::of_seconds(hours * 3_600).unwrap());
    for t in moments.into_iter().map(EffectiveAt::saturating_from_micros) {
        let as_of = as_of(t, s);
        for set in sets.iter().filter(|set| set.kind() != PrincipalKind::Everyone) {
            ask(&Question::Members { set: set.clone(), as_of }, &ledger, &oracle)?;
        }
        for ((can, on), reading) in powers.iter().flat_map(|power| {
            [Reading::Assigned, Reading::Latent, hours(1), hours(3)].map(|reading| (power, reading))
        }) {
            let (can, explain) = (Abilities::from(can.clone()), true);
            let who = Question::Who { can: can.clone(), on: on.clone(), as_of, reading, explain };
            ask(&who, &ledger, &oracle)?;
            for principal in &people {
                let (principal, can, on) = (principal.clone(), can.clone(), on.clone());
                ask(&Question::Check { principal, can, on, as_of, reading }, &ledger, &oracle)?;
            }
        }
    }
    for (principal, (can, on)) in
        people.iter().flat_map(|one| powers.iter().map(move |power| (one, power)))
    {
        let (can, on, principal) = (can.clone().into(), on.clone(), principal.clone());
        let (from, until, known_at) = (EffectiveAt::FIRST, None, s.into());
        let timeline = Question::Timeline { principal, can, on, from, until, known_at };
        ask(&timeline, &ledger, &oracle)?;
    }
    Ok(())
}

/// Puts a question to both
///
/// # Errors
/// What they say, if they differ.
pub fn ask(question: &Question, ledger: &Ledger, oracle: &Oracle) -> TestCaseResult {
    let expected = question::ask_oracle(question, oracle);
    let found = question::ask(question, ledger);
    steps_lead_there(question, &found, oracle)?;
    let found = question::as_certain(found, &expected);
    same(format_args!("{question:?}"), &found, &expected)
}

/// Takes the steps that an answer tells: they must lead from what is held to the power
fn steps_lead_there(question: &Question, found: &Found, oracle: &Oracle) -> TestCaseResult {
    let (Question::Check { principal, can, on, as_of, reading }, Ok(answered)) = (question, found)
    else {
        return Ok(());
    };
    let (Answer::Check(check), Some(at)) = (&answered.answer, as_of.at) else {
        return Ok(());
    };
    if *reading != Reading::Latent || !check.allowed {
        return same(format_args!("steps of {question:?}"), &check.steps, &Vec::new());
    }
    let at = (at, answered.as_of.known_at);
    let taken = oracle.replay(principal, can, on, at, &check.steps);
    same(format_args!("{question:?}\nby {:#?}", check.steps), &taken, &Ok(()))
}
