//! What becomes of an entry?
//!
//! Each change is checked against the state as of (its `effective_at`, everything recorded before),
//! plus the changes before it. Every reason that applies is collected, and the first in the page's
//! list decides.
//!
//! Rules: `docs/semantics.md#decided-as-of`, `docs/semantics.md#order-of-reasons`, `docs/semantics.md#changes`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tenure_core::{
    APPLICATIONS_MAX, Access, Attribute, Attributes, Change, EffectiveAt, Entry, GrantExpects,
    GrantableText, Instant, KnownAt, Level, LevelKind, Original, Outcome, Position, Principal,
    PrincipalKind, Reason, RecordedAt, RefusalCode, RevokeExpects, RoleText,
};

use super::access::{governors, is_own, ledger};
use super::names::matching;
use super::state::{CustomRole, Deed, Fact, Granted, Key, Permission, RoleName, State, fits};
use super::{Oracle, principals_of, refused};

/// The order in which reasons are looked for within a change
const ORDER: [RefusalCode; 18] = [
    RefusalCode::BadTime,
    RefusalCode::UnknownEntry,
    RefusalCode::AlreadyVoided,
    RefusalCode::UnknownLevel,
    RefusalCode::LevelExists,
    RefusalCode::BadParent,
    RefusalCode::UnknownRole,
    RefusalCode::AmbiguousRole,
    RefusalCode::RoleExists,
    RefusalCode::UnknownRoleCollection,
    RefusalCode::RoleCollectionExists,
    RefusalCode::Predefined,
    RefusalCode::NotAllowedHere,
    RefusalCode::UnknownPrincipal,
    RefusalCode::UnknownPermission,
    RefusalCode::EmptyInterval,
    RefusalCode::NotHeld,
    RefusalCode::AlreadyHeld,
];

const ACCOUNTS: [LevelKind; 2] = [LevelKind::GlobalAccount, LevelKind::Subaccount];

/// The reasons against a change, those of one code in their order
#[derive(Default)]
struct Reasons(Vec<Reason>);

impl Reasons {
    fn add_if(&mut self, applies: bool, reason: Reason) {
        if applies {
            self.0.push(reason);
        }
    }

    fn first(&self) -> Option<Reason> {
        let with = |code| self.0.iter().find(|reason| reason.code() == code);
        ORDER.into_iter().find_map(with).cloned()
    }
}

/// The moment of an instant that is not before 1970
pub(super) fn moment(instant: Instant) -> Option<EffectiveAt> {
    (instant.micros() >= 0).then(|| EffectiveAt::saturating_from_micros(instant.micros()))
}

impl Oracle {
    pub(super) fn decide(
        &self,
        position: Position,
        recorded_at: RecordedAt,
        submitter: &Principal,
        entry: &Entry,
    ) -> (Outcome, Vec<Fact>) {
        if let Some(owner) = self.owner(entry.id()) {
            let same = owner.entry.as_ref().is_some_and(|first| same_content(first, entry));
            let outcome = if same {
                let refusal = match &owner.outcome {
                    Outcome::Refused(refusal) => Some(refusal.clone()),
                    Outcome::Applied | Outcome::Duplicate(_) => None,
                };
                let (position, recorded_at) = (owner.position, owner.recorded_at);
                Outcome::Duplicate(Original { position, recorded_at, refusal })
            } else {
                refused(None, Reason::IdReused { owner: owner.position })
            };
            return (outcome, Vec::new());
        }
        let effective_at = match entry.effective_at() {
            None => EffectiveAt::saturating_from_micros(recorded_at.micros()),
            Some(stated) => match moment(stated) {
                None => return (refused(None, Reason::BadTime), Vec::new()),
                Some(moment) => moment,
            },
        };
        let not_before = match entry.not_before().map(moment) {
            Some(None) => return (refused(None, Reason::BadTime), Vec::new()),
            Some(Some(earliest)) if earliest > effective_at => {
                return (refused(None, Reason::EmptyInterval), Vec::new());
            }
            Some(earliest) => earliest,
            None => None,
        };
        let before = KnownAt(position.get() - 1);
        if let Some((index, reason)) = self.forbidden(before, recorded_at, submitter, entry) {
            return (refused(Some(index), reason), Vec::new());
        }
        let mut state = State::clone(&self.state(effective_at, before));
        let mut named = self.known(before);
        let mut facts = Vec::new();
        for (index, change) in entry.changes().iter().enumerate() {
            let says_when = entry.effective_at().is_some();
            let decided =
                self.decide_change(&state, &named, before, effective_at, says_when, change);
            match decided {
                Err(reason) => return (refused(Some(index), reason), Vec::new()),
                Ok(deed) => {
                    let id = entry.id();
                    let fact = Fact { effective_at, not_before, position, index, id, deed };
                    state.apply(&fact);
                    named.extend(principals_of(change));
                    facts.push(fact);
                }
            }
        }
        (Outcome::Applied, facts)
    }

    pub(super) fn decide_change(
        &self,
        state: &State,
        named: &BTreeSet<Principal>,
        before: KnownAt,
        t: EffectiveAt,
        says_when: bool,
        change: &Change,
    ) -> Result<Deed, Reason> {
        let mut reasons = Reasons::default();
        let deed = match change {
            Change::Void { entry, note: _ } => {
                let owner = self.owner(*entry).ok_or(Reason::UnknownEntry)?;
                let target = owner.position;
                let applied = owner.outcome == Outcome::Applied;
                reasons.add_if(!applied, Reason::NotApplied { owner: target });
                let voids = self.voids_of(target, before);
                reasons.0.extend(voids.into_iter().map(|void| Reason::AlreadyVoided { void }));
                Deed::Void(target)
            }
            Change::PublishCatalog { catalog } => Deed::PublishCatalog { catalog: catalog.clone() },
            Change::AddMember { set, member } => {
                Deed::AddMember { set: set.clone(), member: member.clone() }
            }
            Change::RemoveMember { set, member, expect } => {
                let is_member = state.members.contains_key(&(set.clone(), member.clone()));
                let wanted = *expect != Some(RevokeExpects::Any);
                reasons.add_if(wanted && !is_member, Reason::NotHeld);
                Deed::RemoveMember { set: set.clone(), member: member.clone() }
            }
            Change::SetRule { set, origin, rule } => {
                Deed::SetRule { set: set.clone(), origin: origin.clone(), rule: rule.clone() }
            }
            Change::SetPermission { level, permission, roles, paths } => {
                reasons.add_if(!state.exists(level), Reason::UnknownLevel);
                let application = level.kind() == LevelKind::Application;
                reasons.add_if(!application, Reason::NoPermissions);
                let paths = paths.clone().unwrap_or_default();
                Deed::SetPermission {
                    level: level.clone(),
                    name: permission.clone(),
                    permission: Permission { roles: roles.clone(), paths },
                }
            }
            Change::DeletePermission { level, permission } => {
                let key = (level.clone(), permission.clone());
                reasons.add_if(!state.exists(level), Reason::UnknownLevel);
                let exists = state.permissions.contains_key(&key);
                reasons.add_if(!exists, Reason::UnknownPermission);
                Deed::DeletePermission { level: key.0, name: key.1 }
            }
            Change::RemovePrincipal { principal } => {
                reasons.add_if(!named.contains(principal), Reason::UnknownPrincipal);
                Deed::RemovePrincipal { principal: principal.clone() }
            }
            Change::CreateLevel { level, parent, attributes } => {
                let parent_kind = parent.as_ref().map(Level::kind);
                let missing = parent.as_ref().is_some_and(|parent| !state.exists(parent));
                let of_another = level.kind() == LevelKind::Ledger && *level != ledger();
                reasons.add_if(of_another, Reason::UnknownLevel);
                reasons.add_if(missing, Reason::UnknownParent);
                reasons.add_if(state.exists(level), Reason::LevelExists);
                reasons.add_if(!fits(level.kind(), parent_kind), Reason::UnfitParent);
                reasons.0.extend(foreign(level, attributes));
                Deed::CreateLevel {
                    level: level.clone(),
                    parent: parent.clone(),
                    attributes: attributes.clone(),
                }
            }
            Change::MoveLevel { level, parent } => {
                let unfit = !fits(level.kind(), Some(parent.kind()));
                let cycle = state.upwards(parent).contains(level);
                reasons.add_if(!state.exists(level), Reason::UnknownLevel);
                reasons.add_if(!state.exists(parent), Reason::UnknownParent);
                reasons.add_if(unfit, Reason::UnfitParent);
                reasons.add_if(cycle, Reason::ParentWithin);
                Deed::MoveLevel { level: level.clone(), parent: parent.clone() }
            }
            Change::SetLevel { level, attributes } => {
                reasons.add_if(!state.exists(level), Reason::UnknownLevel);
                reasons.0.extend(foreign(level, attributes));
                if let Some(access) = attributes.access {
                    reasons.add_if(says_when, Reason::AccessWithTime);
                    let locks_out = access == Access::Enforced && governors(state).is_empty();
                    reasons.add_if(locks_out, Reason::NoAdministrator);
                }
                Deed::SetLevel { level: level.clone(), attributes: attributes.clone() }
            }
            Change::DeleteLevel { level } => {
                reasons.add_if(!state.exists(level), Reason::UnknownLevel);
                reasons.add_if(*level == ledger(), Reason::LedgerStays);
                Deed::DeleteLevel { level: level.clone() }
            }
            Change::Observe { level, subtree, source, from } => {
                let from = match from {
                    None => t,
                    Some(from) => {
                        let from = moment(*from).ok_or(Reason::BadTime)?;
                        reasons.add_if(from >= t, Reason::EmptyInterval);
                        from
                    }
                };
                reasons.add_if(!state.exists(level), Reason::UnknownLevel);
                let (level, source) = (level.clone(), source.clone());
                Deed::Observe { level, subtree: *subtree == Some(true), source, from }
            }
            // All others are about a level, and looked for there.
            Change::CreateRole { level, .. }
            | Change::DeleteRole { level, .. }
            | Change::CreateRoleCollection { level, .. }
            | Change::SetRoles { level, .. }
            | Change::DeleteRoleCollection { level, .. }
            | Change::Grant { level, .. }
            | Change::Revoke { level, .. } => {
                if let Change::Grant { until: Some(until), .. } = change {
                    reasons.add_if(moment(*until).is_none(), Reason::BadTime);
                }
                reasons.add_if(!state.exists(level), Reason::UnknownLevel);
                if let Some(reason) = reasons.first() {
                    return Err(reason);
                }
                decide_at(state, t, level, change, &mut reasons)?
            }
        };
        reasons.first().map_or(Ok(deed), Err)
    }
}

/// Decides a change of definitions or holdings at a level that exists
fn decide_at(
    state: &State,
    t: EffectiveAt,
    level: &Level,
    change: &Change,
    reasons: &mut Reasons,
) -> Result<Deed, Reason> {
    let level = level.clone();
    Ok(match change {
        Change::CreateRole { role, application, template, scopes, .. } => {
            let role = RoleName { application: application.clone(), name: role.clone() };
            reasons.add_if(state.roles_at(&level).contains_key(&role), Reason::RoleExists);
            reasons.add_if(!state.takes_custom_roles(&level), Reason::NoCustomRoles);
            reasons.add_if(**application == *"tenure", Reason::OwnApplication);
            let custom = CustomRole { template: template.clone(), scopes: scopes.clone() };
            Deed::CreateRole { level, role, custom }
        }
        Change::DeleteRole { role, .. } => {
            let role = resolve(state, &level, role, 0)?;
            let predefined = state.roles_at(&level)[&role].predefined;
            reasons.add_if(predefined, Reason::Predefined);
            Deed::DeleteRole { level, role }
        }
        Change::CreateRoleCollection { role_collection, roles, .. } => {
            let own = own_in_collection(roles);
            let roles = resolve_all(state, &level, roles)?;
            let exists = state.role_collections_at(&level).contains_key(role_collection);
            reasons.add_if(exists, Reason::RoleCollectionExists);
            reasons.0.extend(own);
            reasons.add_if(!state.takes_custom(&level), Reason::NoCustomRoleCollections);
            Deed::CreateRoleCollection { level, name: role_collection.clone(), roles }
        }
        Change::SetRoles { role_collection, roles, .. } => {
            let own = own_in_collection(roles);
            let roles = resolve_all(state, &level, roles)?;
            must_be_custom(state, &level, role_collection, reasons);
            reasons.0.extend(own);
            Deed::SetRoles { level, name: role_collection.clone(), roles }
        }
        Change::DeleteRoleCollection { role_collection, .. } => {
            must_be_custom(state, &level, role_collection, reasons);
            Deed::DeleteRoleCollection { level, name: role_collection.clone() }
        }
        Change::Grant { grantable, to, until, expect, .. } => {
            let granted = match grantable {
                GrantableText::RoleCollection(name) => Granted::RoleCollection(name.clone()),
                GrantableText::Role(text) => Granted::Role(resolve(state, &level, text, 0)?),
            };
            let predefined = state.predefined(&level, &granted);
            reasons.add_if(predefined.is_none(), Reason::UnknownRoleCollection);
            if let Granted::Role(role) = &granted {
                let grantable = state.roles_at(&level)[role].grantable;
                reasons.add_if(!grantable, Reason::NotGrantedAlone);
            }
            let counts = state.counts_there(&level, &granted);
            reasons.add_if(!counts, Reason::NoAuthorizations);
            let own = matches!(grantable, GrantableText::Role(text) if is_own(text));
            let set = !matches!(to.kind(), PrincipalKind::User | PrincipalKind::Client);
            reasons.add_if(own && set, Reason::OwnRoleToSet);
            let until = until.and_then(moment);
            reasons.add_if(until.is_some_and(|until| until <= t), Reason::EmptyInterval);
            let key = Key { principal: to.clone(), granted, level };
            let held = state.holdings.contains_key(&key);
            let unwanted = *expect == Some(GrantExpects::NotHeld);
            reasons.add_if(unwanted && held, Reason::AlreadyHeld);
            Deed::Grant { key, until, custom: predefined == Some(false) }
        }
        Change::Revoke { grantable, from, expect, .. } => {
            let granted = match grantable {
                GrantableText::RoleCollection(name) => Granted::RoleCollection(name.clone()),
                GrantableText::Role(text) => {
                    Granted::Role(resolve_held(state, &level, text, from).ok_or(Reason::NotHeld)?)
                }
            };
            let key = Key { principal: from.clone(), granted, level };
            let wanted = *expect != Some(RevokeExpects::Any);
            reasons.add_if(wanted && !state.holdings.contains_key(&key), Reason::NotHeld);
            Deed::Revoke { key }
        }
        _ => unreachable!("decided elsewhere"),
    })
}

/// The first role of `tenure` in a role collection
fn own_in_collection(texts: &[RoleText]) -> Option<Reason> {
    let nth = texts.iter().position(is_own)?;
    Some(Reason::OwnRoleInCollection { nth })
}

/// Everything but the id: an explicit default is content
fn same_content(one: &Entry, other: &Entry) -> bool {
    one.actor() == other.actor()
        && one.reason() == other.reason()
        && (one.effective_at(), one.not_before()) == (other.effective_at(), other.not_before())
        && one.changes() == other.changes()
}

/// The attributes that the kind of the level does not have
fn foreign(level: &Level, attributes: &Attributes) -> impl Iterator<Item = Reason> {
    let of = |kinds: &[LevelKind]| kinds.contains(&level.kind());
    let Attributes {
        name: _,
        feature_set,
        authorizations,
        environment,
        region,
        identity_provider,
        role_provider,
        access,
    } = attributes;
    let served = [LevelKind::Subaccount, LevelKind::Application];
    let lacks = [
        (Attribute::FeatureSet, feature_set.is_some(), &ACCOUNTS[..]),
        (Attribute::Authorizations, authorizations.is_some(), &[LevelKind::Directory]),
        (Attribute::Environment, environment.is_some(), &[LevelKind::Subaccount]),
        (Attribute::Region, region.is_some(), &[LevelKind::Subaccount]),
        (Attribute::IdentityProvider, identity_provider.is_some(), &served),
        (Attribute::RoleProvider, role_provider.is_some(), &[LevelKind::Application]),
        (Attribute::Access, access.is_some(), &[LevelKind::Ledger]),
    ]
    .map(|(attribute, stated, kinds)| (stated && !of(kinds)).then_some(attribute));
    lacks.into_iter().flatten().map(|attribute| Reason::ForeignAttribute { attribute })
}

/// The one role that the nth text of a change means
fn resolve(state: &State, level: &Level, text: &RoleText, nth: usize) -> Result<RoleName, Reason> {
    let mut found = matching(text, state.roles_at(level).into_keys());
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Reason::UnknownRole { nth }),
        _ => {
            found.sort();
            let names = found.iter().map(|role| role.application.clone());
            let applications: Vec<Arc<str>> = names.take(APPLICATIONS_MAX).collect();
            let more = found.len() - applications.len();
            Err(Reason::AmbiguousRole { nth, applications, more })
        }
    }
}

fn resolve_all(
    state: &State,
    level: &Level,
    texts: &[RoleText],
) -> Result<BTreeSet<RoleName>, Reason> {
    let mut reasons = Reasons::default();
    let mut roles = BTreeSet::new();
    for (nth, text) in texts.iter().enumerate() {
        match resolve(state, level, text, nth) {
            Ok(role) => {
                roles.insert(role);
            }
            Err(reason) => reasons.0.push(reason),
        }
    }
    reasons.first().map_or(Ok(roles), Err)
}

fn must_be_custom(state: &State, level: &Level, name: &Arc<str>, reasons: &mut Reasons) {
    let predefined = state.predefined(level, &Granted::RoleCollection(name.clone()));
    reasons.add_if(predefined.is_none(), Reason::UnknownRoleCollection);
    reasons.add_if(predefined == Some(true), Reason::Predefined);
}

/// A bare name is looked for among the holdings of `from` at the level, else among the roles there;
/// `None` if neither gives exactly one. A full name says which role it is
pub(super) fn resolve_held(
    state: &State,
    level: &Level,
    text: &RoleText,
    from: &Principal,
) -> Option<RoleName> {
    if let Some(application) = &text.application {
        return Some(RoleName { application: application.clone(), name: text.name.clone() });
    }
    let held = state.holdings.keys().filter(|key| key.principal == *from && key.level == *level);
    let held = held.filter_map(|key| match &key.granted {
        Granted::Role(role) => Some(role.clone()),
        Granted::RoleCollection(_) => None,
    });
    let one_of = |found: Vec<RoleName>| match found.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    one_of(matching(text, held))
        .or_else(|| one_of(matching(text, state.roles_at(level).into_keys())))
}
