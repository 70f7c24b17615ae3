//! Which log do drafts make?

use std::sync::Arc;

use proptest::sample::Index;
use uuid::Uuid;

use tenure_core::{
    Attributes, Catalog, Change, Entry, EntryId, Fingerprint, GrantableText, Instant, Level,
    Principal, Recorded, RecordedAt, RevokeExpects, RoleAttributes, RoleText, Submission,
};

use super::draft::{Body, Draft, Repetition, Step, Until, When};
use super::{FIRST_RECORDED_TICKS, ORIGIN_MICROS, Scenario, TICK_MICROS};
use crate::world;

/// How far back a void or a repetition reaches, in entries
const EARLIER_MAX: usize = 16;
/// How far back a change that names what was granted reaches, in grants
const GRANTS_MAX: usize = 8;

/// Looks up the names of drafts and notes what came before
#[derive(Default)]
struct Builder {
    log: Vec<Recorded>,
    entries: Vec<Entry>,
    /// How many of them make the landscape
    beginning: usize,
    /// The contents met, each of which is its own fingerprint
    contents: Vec<Entry>,
    catalogs: Vec<Arc<Catalog>>,
    recorded_micros: i64,
}

impl Scenario {
    /// The log of some steps
    pub(super) fn new(beginning: &[Step], steps: &[Step]) -> Self {
        let mut builder = Builder {
            catalogs: world::catalogs().to_vec(),
            beginning: beginning.len(),
            recorded_micros: ORIGIN_MICROS + FIRST_RECORDED_TICKS * TICK_MICROS,
            ..Builder::default()
        };
        for step in beginning.iter().chain(steps) {
            builder.take(step);
        }
        Self { log: builder.log, beginning: beginning.len() }
    }

    /// The drafts, each at an effective time of its own, recorded at once in some order
    pub(super) fn arriving(beginning: &[Step], drafts: &[Draft], order: &[usize]) -> Self {
        let mut scenario = Self::new(beginning, &[]);
        let mut builder = Builder {
            recorded_micros: ORIGIN_MICROS + FIRST_RECORDED_TICKS * TICK_MICROS,
            contents: scenario.entries().map(|(_, entry)| entry.clone()).collect(),
            ..Builder::default()
        };
        let first = builder.recorded_micros;
        // Names are looked up in order of effect, so that both logs name the same.
        let mut entries = Vec::new();
        for (number, draft) in (0_i64..).zip(drafts) {
            let effective_micros = first + (2 * number + 1) * TICK_MICROS;
            let change = builder.change(draft, effective_micros, &[]);
            let effective_at = Instant::from_micros(effective_micros);
            let entry = entry(scenario.log.len() + entries.len(), effective_at, vec![change]);
            builder.entries.push(entry.clone());
            entries.push(entry);
        }
        for number in order {
            builder.submit(0, entries[*number].clone());
        }
        scenario.log.append(&mut builder.log);
        scenario
    }
}

impl Builder {
    fn take(&mut self, step: &Step) {
        let tick = self.recorded_micros.div_euclid(TICK_MICROS) + step.gap;
        let recorded_micros = tick * TICK_MICROS + step.beside;
        self.recorded_micros = self.recorded_micros.max(recorded_micros);
        let effective_micros = match step.when {
            When::Unstated => None,
            When::Ticks(ticks) => Some((tick + ticks) * TICK_MICROS),
            When::Beside(ticks, micros) => Some((tick + ticks) * TICK_MICROS + micros),
            When::Epoch => Some(0),
            When::BeforeEpoch => Some(-1),
            When::Last => Some(Instant::LAST.micros()),
        };
        let stated = effective_micros.map(|micros| Instant::from_micros(micros).unwrap());
        let start = effective_micros.unwrap_or(self.recorded_micros);
        // Mostly one of the latest, and not of the beginning: what is built on that goes with it.
        let earlier = |index: &Index, anywhere: bool| {
            let latest = self.entries.len().saturating_sub(EARLIER_MAX).max(self.beginning);
            let oldest = if anywhere { 0 } else { latest };
            let eligible = self.entries.get(oldest..).filter(|entries| !entries.is_empty())?;
            Some(index.get(eligible))
        };
        let (effective_at, changes) = match &step.body {
            Body::Malformed => return self.record(step.submitter, Submission::Malformed),
            Body::Again(index, how) => {
                let Some(entry) = earlier(index, false) else {
                    return;
                };
                let entry = again(entry, *how);
                return self.submit(step.submitter, entry);
            }
            Body::Void { entry, anywhere } => {
                let Some(entry) = earlier(entry, *anywhere).map(Entry::id) else {
                    return;
                };
                (None, vec![Change::Void { entry, note: None }])
            }
            Body::VoidBack(count) => {
                let place = self.entries.len().checked_sub(*count);
                let Some(entry) = place.and_then(|place| self.entries.get(place)).map(Entry::id)
                else {
                    return;
                };
                (None, vec![Change::Void { entry, note: None }])
            }
            Body::VoidUnknown => {
                let entry = EntryId(Uuid::from_u128(u128::MAX));
                let note = Some("never heard of it".into());
                (None, vec![Change::Void { entry, note }])
            }
            Body::VoidItself => {
                let entry = id(self.entries.len());
                (None, vec![Change::Void { entry, note: None }])
            }
            Body::Publish(number) => {
                let catalog = self.catalogs[*number].clone();
                (stated, vec![Change::PublishCatalog { catalog }])
            }
            Body::Changes(drafts) => {
                let mut changes = Vec::new();
                for draft in drafts {
                    changes.push(self.change(draft, start, &changes));
                }
                (stated, changes)
            }
        };
        let is_void = matches!(changes.as_slice(), [Change::Void { .. }]);
        let not_before =
            step.not_before.filter(|_| !is_void).map(|ticks| start + ticks * TICK_MICROS);
        let not_before = not_before.and_then(Instant::from_micros);
        let when = tenure_core::When { effective_at, not_before };
        self.submit(step.submitter, entry(self.entries.len(), when, changes));
    }

    fn submit(&mut self, submitter: usize, entry: Entry) {
        let same = |other: &Entry| {
            (entry.actor(), entry.reason(), entry.effective_at(), entry.changes())
                == (other.actor(), other.reason(), other.effective_at(), other.changes())
                && entry.not_before() == other.not_before()
        };
        let known = self.contents.iter().position(same);
        let number = known.unwrap_or(self.contents.len());
        if known.is_none() {
            self.contents.push(entry.clone());
        }
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&(number as u64).to_be_bytes());
        self.entries.push(entry.clone());
        self.record(submitter, Submission::Entry(entry, Fingerprint(fingerprint)));
    }

    fn record(&mut self, submitter: usize, submission: Submission) {
        let recorded_at = RecordedAt::saturating_from_micros(self.recorded_micros);
        let submitter = world::submitters()[submitter].clone();
        self.log.push(Recorded { recorded_at, submitter, submission });
    }

    /// The change that a draft means, after others of its entry
    fn change(&self, draft: &Draft, start: i64, before: &[Change]) -> Change {
        let level = |number: usize| world::level(world::LEVELS[number]);
        let granted = |number: usize| {
            let (level, what) = world::GRANTS[number];
            (world::level(level), world::grantable(what))
        };
        let who = world::one_of_all;
        let set = |number: usize| world::principal(world::SETS[number]);
        let user = world::one_of_users;
        let collection = |number: usize| Arc::from(world::ROLE_COLLECTIONS[number]);
        let roles = |number: usize| {
            let texts = world::ROLE_LISTS[number].iter();
            texts.map(|text| RoleText::parse(text).unwrap()).collect()
        };
        let end = |until: Until| {
            let micros = match until {
                Until::Never => return None,
                Until::Ticks(ticks) => start + ticks * TICK_MICROS,
                Until::Beside(ticks, micros) => start + ticks * TICK_MICROS + micros,
                Until::BeforeEpoch => -1,
            };
            Some(Instant::from_micros(micros).unwrap_or(Instant::LAST))
        };
        let first_grant = || {
            let (level, grantable) = granted(0);
            (level, grantable, who(0))
        };
        match *draft {
            Draft::Grant { what, to, until, expect } => {
                let (level, grantable) = granted(what);
                Change::Grant { level, grantable, to: who(to), until: end(until), expect }
            }
            Draft::GrantEarlier { grant, until, expect } => {
                let (level, grantable, to) =
                    self.earlier_grant(grant, before).unwrap_or_else(first_grant);
                Change::Grant { level, grantable, to, until: end(until), expect }
            }
            Draft::Revoke { what, from, expect } => {
                let (level, grantable) = granted(what);
                Change::Revoke { level, grantable, from: who(from), expect }
            }
            Draft::RevokeEarlier { grant, bare, expect } => {
                let (level, grantable, from) =
                    self.earlier_grant(grant, before).unwrap_or_else(first_grant);
                let grantable = match grantable {
                    GrantableText::Role(role) if bare => {
                        GrantableText::Role(RoleText { application: None, ..role })
                    }
                    other => other,
                };
                Change::Revoke { level, grantable, from, expect }
            }
            Draft::AddMember { set: of, member } => {
                Change::AddMember { set: set(of), member: user(member) }
            }
            Draft::RemoveMember { set: of, member, expect } => {
                Change::RemoveMember { set: set(of), member: user(member), expect }
            }
            Draft::RemovePrincipal(principal) => {
                Change::RemovePrincipal { principal: who(principal) }
            }
            Draft::CreateLevel { creation, attributes } => {
                let (level, parent, usual) = world::CREATIONS[creation];
                Change::CreateLevel {
                    level: world::level(level),
                    parent: parent.map(world::level),
                    attributes: world::attributes(attributes.unwrap_or(usual)),
                }
            }
            Draft::MoveLevel(creation) => {
                let (level, parent, _) = world::CREATIONS[creation];
                let parent = parent.unwrap_or("global-account:g");
                Change::MoveLevel { level: world::level(level), parent: world::level(parent) }
            }
            Draft::Misplace { level: misplaced, parent } => match parent {
                None => Change::CreateLevel {
                    level: level(misplaced),
                    parent: None,
                    attributes: world::attributes(0),
                },
                Some(parent) => {
                    Change::MoveLevel { level: level(misplaced), parent: level(parent) }
                }
            },
            Draft::SetLevel { level: of, attributes } => {
                Change::SetLevel { level: level(of), attributes: world::attributes(attributes) }
            }
            Draft::GrantRight { right, to, until } => {
                let (level, grantable) = right_of(right);
                let to = world::principal(world::HOLDERS[to]);
                Change::Grant { level, grantable, to, until: end(until), expect: None }
            }
            Draft::RevokeRight { right, from } => {
                let (level, grantable) = right_of(right);
                let from = world::principal(world::HOLDERS[from]);
                let expect = Some(RevokeExpects::Any);
                Change::Revoke { level, grantable, from, expect }
            }
            Draft::SetAccess(access) => Change::SetLevel {
                level: Level::of_ledger(world::LEDGER),
                attributes: Attributes { access: Some(access), ..Attributes::default() },
            },
            Draft::DeleteLevel(deleted) => Change::DeleteLevel { level: level(deleted) },
            Draft::CreateRole(number) => {
                let (level, application, role, template, scopes) = world::CUSTOM_ROLES[number];
                Change::CreateRole {
                    level: world::level(level),
                    role: role.into(),
                    application: application.into(),
                    template: template.into(),
                    scopes: world::scopes(scopes),
                    attributes: (scopes == 1).then(|| RoleAttributes("{}".into())),
                }
            }
            Draft::DeleteRole { role, bare } => {
                let (level, application, name, _, _) = world::CUSTOM_ROLES[role];
                let application = (!bare).then(|| application.into());
                let role = RoleText { application, name: name.into() };
                Change::DeleteRole { level: world::level(level), role }
            }
            Draft::CreateRoleCollection { level: of, name, roles: list } => {
                Change::CreateRoleCollection {
                    level: level(of),
                    role_collection: collection(name),
                    roles: roles(list),
                    description: None,
                }
            }
            Draft::SetRoles { level: of, name, roles: list } => Change::SetRoles {
                level: level(of),
                role_collection: collection(name),
                roles: roles(list),
            },
            Draft::Observe { level: of, subtree, source, from } => Change::Observe {
                level: level(of),
                subtree,
                source: world::SOURCES[source].into(),
                from: from.and_then(|ticks| Instant::from_micros(start - ticks * TICK_MICROS)),
            },
            Draft::SetRule { set, rule } => {
                let (origin, expression) = world::rule(rule.unwrap_or(0));
                Change::SetRule {
                    set: world::principal(world::RULED[set]),
                    origin: origin.into(),
                    rule: rule.map(|_| Arc::new(expression)),
                }
            }
            Draft::SetPermission(number) => {
                let (level, name, roles, paths) = world::PERMISSIONS[number];
                let texts = |list: &[&str]| list.iter().map(|text| Arc::from(*text)).collect();
                Change::SetPermission {
                    level: world::level(level),
                    permission: name.into(),
                    roles: texts(roles),
                    paths: (!paths.is_empty()).then(|| texts(paths)),
                }
            }
            Draft::DeletePermission(number) => {
                let (level, name, _, _) = world::PERMISSIONS[number];
                Change::DeletePermission { level: world::level(level), permission: name.into() }
            }
            Draft::DeleteRoleCollection { level: of, name } => {
                Change::DeleteRoleCollection { level: level(of), role_collection: collection(name) }
            }
        }
    }

    /// One of the latest grants
    fn earlier_grant(
        &self,
        index: Index,
        before: &[Change],
    ) -> Option<(Level, GrantableText, Principal)> {
        let entries = self.entries.iter().flat_map(Entry::changes);
        let grants: Vec<_> = entries
            .chain(before)
            .filter_map(|change| match change {
                Change::Grant { level, grantable, to, .. } => Some((level, grantable, to)),
                _ => None,
            })
            .collect();
        let latest = &grants[grants.len().saturating_sub(GRANTS_MAX)..];
        let (level, grantable, to) = *(!latest.is_empty()).then(|| index.get(latest))?;
        Some((level.clone(), grantable.clone(), to.clone()))
    }
}

fn right_of(number: usize) -> (Level, GrantableText) {
    let (level, role) = world::RIGHTS[number];
    let application = Some("tenure".into());
    (world::level(level), GrantableText::Role(RoleText { application, name: role.into() }))
}

fn id(number: usize) -> EntryId {
    EntryId(Uuid::from_u128(number as u128 + 1))
}

/// An entry with an id of its own
fn entry(number: usize, when: impl Into<tenure_core::When>, changes: Vec<Change>) -> Entry {
    let actor = world::principal("user:corp/actor@x");
    Entry::new(id(number), actor, None, when, changes).unwrap()
}

fn again(entry: &Entry, how: Repetition) -> Entry {
    let (reason, effective_at) = match how {
        Repetition::Same => return entry.clone(),
        Repetition::OtherReason => (Some("again".into()), entry.effective_at()),
        Repetition::OtherTime => {
            let is_void = matches!(entry.changes(), [Change::Void { .. }]);
            (entry.reason().cloned(), (!is_void).then_some(Instant::EPOCH))
        }
    };
    let changes = entry.changes().to_vec();
    let when = tenure_core::When { effective_at, not_before: entry.not_before() };
    Entry::new(entry.id(), entry.actor().clone(), reason, when, changes).unwrap()
}
