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
    Attributes, Change, EffectiveAt, Entry, GrantExpects, GrantableText, Instant, KnownAt, Level,
    LevelKind, Position, Principal, RecordedAt, RefusalCode, RevokeExpects, RoleText,
};

use super::names::matching;
use super::state::{CustomRole, Deed, Fact, Granted, Key, RoleName, State, fits};
use super::{Oracle, Verdict, principals_of};

/// The order in which reasons are looked for within a change
const ORDER: [RefusalCode; 17] = [
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
    RefusalCode::EmptyInterval,
    RefusalCode::NotHeld,
    RefusalCode::AlreadyHeld,
];

/// The reasons against a change
#[derive(Default)]
struct Reasons(Vec<RefusalCode>);

impl Reasons {
    fn add_if(&mut self, applies: bool, code: RefusalCode) {
        if applies {
            self.0.push(code);
        }
    }

    fn first(&self) -> Option<RefusalCode> {
        ORDER.into_iter().find(|code| self.0.contains(code))
    }
}

/// The moment of an instant that is not before 1970
fn moment(instant: Instant) -> Option<EffectiveAt> {
    (instant.micros() >= 0).then(|| EffectiveAt::saturating_from_micros(instant.micros()))
}

impl Oracle {
    pub(super) fn decide(
        &self,
        position: Position,
        recorded_at: RecordedAt,
        entry: &Entry,
    ) -> (Verdict, Vec<Fact>) {
        if let Some(owner) = self.owner(entry.id()) {
            return (
                if owner.entry.as_ref().is_some_and(|first| same_content(first, entry)) {
                    let refusal = match owner.verdict {
                        Verdict::Refused(code, change) => Some((code, change)),
                        Verdict::Applied | Verdict::Duplicate { .. } => None,
                    };
                    Verdict::Duplicate { original: owner.position, refusal }
                } else {
                    Verdict::Refused(RefusalCode::IdReused, None)
                },
                Vec::new(),
            );
        }
        let effective_at = match entry.effective_at() {
            None => EffectiveAt::saturating_from_micros(recorded_at.micros()),
            Some(stated) => match moment(stated) {
                None => return (Verdict::Refused(RefusalCode::BadTime, None), Vec::new()),
                Some(moment) => moment,
            },
        };
        let before = KnownAt(position.get() - 1);
        let mut state = self.state(effective_at, before);
        let mut named = self.known(before);
        let mut facts = Vec::new();
        for (index, change) in entry.changes().iter().enumerate() {
            match self.decide_change(&state, &named, before, effective_at, change) {
                Err(code) => return (Verdict::Refused(code, Some(index)), Vec::new()),
                Ok(deed) => {
                    let fact = Fact { effective_at, position, index, id: entry.id(), deed };
                    state.apply(&fact);
                    named.extend(principals_of(change));
                    facts.push(fact);
                }
            }
        }
        (Verdict::Applied, facts)
    }

    fn decide_change(
        &self,
        state: &State,
        named: &BTreeSet<Principal>,
        before: KnownAt,
        t: EffectiveAt,
        change: &Change,
    ) -> Result<Deed, RefusalCode> {
        let mut reasons = Reasons::default();
        let deed = match change {
            Change::Void { entry, note: _ } => {
                let target = self
                    .owner(*entry)
                    .filter(|owner| owner.verdict == Verdict::Applied)
                    .map(|owner| owner.position)
                    .ok_or(RefusalCode::UnknownEntry)?;
                let voided = !self.voids_of(target, before).is_empty();
                reasons.add_if(voided, RefusalCode::AlreadyVoided);
                Deed::Void(target)
            }
            Change::PublishCatalog { catalog } => Deed::PublishCatalog { catalog: catalog.clone() },
            Change::AddMember { set, member } => {
                Deed::AddMember { set: set.clone(), member: member.clone() }
            }
            Change::RemoveMember { set, member, expect } => {
                let is_member = state.members.contains(&(set.clone(), member.clone()));
                let wanted = *expect != Some(RevokeExpects::Any);
                reasons.add_if(wanted && !is_member, RefusalCode::NotHeld);
                Deed::RemoveMember { set: set.clone(), member: member.clone() }
            }
            Change::RemovePrincipal { principal } => {
                reasons.add_if(!named.contains(principal), RefusalCode::UnknownPrincipal);
                Deed::RemovePrincipal { principal: principal.clone() }
            }
            Change::CreateLevel { level, parent, attributes } => {
                let parent_kind = parent.as_ref().map(Level::kind);
                let missing = parent.as_ref().is_some_and(|parent| !state.exists(parent));
                reasons.add_if(missing, RefusalCode::UnknownLevel);
                reasons.add_if(state.exists(level), RefusalCode::LevelExists);
                reasons.add_if(!fits(level.kind(), parent_kind), RefusalCode::BadParent);
                reasons.add_if(!has_all(level, attributes), RefusalCode::NotAllowedHere);
                Deed::CreateLevel {
                    level: level.clone(),
                    parent: parent.clone(),
                    attributes: attributes.clone(),
                }
            }
            Change::MoveLevel { level, parent } => {
                let unknown = !state.exists(level) || !state.exists(parent);
                let unfit = !fits(level.kind(), Some(parent.kind()));
                let cycle = state.upwards(parent).contains(level);
                reasons.add_if(unknown, RefusalCode::UnknownLevel);
                reasons.add_if(unfit || cycle, RefusalCode::BadParent);
                Deed::MoveLevel { level: level.clone(), parent: parent.clone() }
            }
            Change::SetLevel { level, attributes } => {
                reasons.add_if(!state.exists(level), RefusalCode::UnknownLevel);
                reasons.add_if(!has_all(level, attributes), RefusalCode::NotAllowedHere);
                Deed::SetLevel { level: level.clone(), attributes: attributes.clone() }
            }
            Change::DeleteLevel { level } => {
                reasons.add_if(!state.exists(level), RefusalCode::UnknownLevel);
                Deed::DeleteLevel { level: level.clone() }
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
                    reasons.add_if(moment(*until).is_none(), RefusalCode::BadTime);
                }
                reasons.add_if(!state.exists(level), RefusalCode::UnknownLevel);
                if let Some(code) = reasons.first() {
                    return Err(code);
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
) -> Result<Deed, RefusalCode> {
    let level = level.clone();
    Ok(match change {
        Change::CreateRole { role, application, template, scopes, .. } => {
            let role = RoleName { application: application.clone(), name: role.clone() };
            reasons.add_if(state.roles_at(&level).contains_key(&role), RefusalCode::RoleExists);
            let custom = CustomRole { template: template.clone(), scopes: scopes.clone() };
            Deed::CreateRole { level, role, custom }
        }
        Change::DeleteRole { role, .. } => {
            let role = resolve(state, &level, role)?;
            let predefined = state.roles_at(&level)[&role].predefined;
            reasons.add_if(predefined, RefusalCode::Predefined);
            Deed::DeleteRole { level, role }
        }
        Change::CreateRoleCollection { role_collection, roles, .. } => {
            let roles = resolve_all(state, &level, roles)?;
            let exists = state.role_collections_at(&level).contains_key(role_collection);
            reasons.add_if(exists, RefusalCode::RoleCollectionExists);
            reasons.add_if(!state.takes_custom(&level), RefusalCode::NotAllowedHere);
            Deed::CreateRoleCollection { level, name: role_collection.clone(), roles }
        }
        Change::SetRoles { role_collection, roles, .. } => {
            let roles = resolve_all(state, &level, roles)?;
            must_be_custom(state, &level, role_collection, reasons);
            Deed::SetRoles { level, name: role_collection.clone(), roles }
        }
        Change::DeleteRoleCollection { role_collection, .. } => {
            must_be_custom(state, &level, role_collection, reasons);
            Deed::DeleteRoleCollection { level, name: role_collection.clone() }
        }
        Change::Grant { grantable, to, until, expect, .. } => {
            let granted = match grantable {
                GrantableText::RoleCollection(name) => Granted::RoleCollection(name.clone()),
                GrantableText::Role(text) => Granted::Role(resolve(state, &level, text)?),
            };
            let predefined = state.predefined(&level, &granted);
            reasons.add_if(predefined.is_none(), RefusalCode::UnknownRoleCollection);
            if let Granted::Role(role) = &granted {
                let grantable = state.roles_at(&level)[role].grantable;
                reasons.add_if(!grantable, RefusalCode::NotAllowedHere);
            }
            let manages = state.manages_authorizations(&level);
            reasons.add_if(!manages, RefusalCode::NotAllowedHere);
            let until = until.and_then(moment);
            reasons.add_if(until.is_some_and(|until| until <= t), RefusalCode::EmptyInterval);
            let key = Key { principal: to.clone(), granted, level };
            let held = state.holdings.contains_key(&key);
            let unwanted = *expect == Some(GrantExpects::NotHeld);
            reasons.add_if(unwanted && held, RefusalCode::AlreadyHeld);
            Deed::Grant { key, until, custom: predefined == Some(false) }
        }
        Change::Revoke { grantable, from, expect, .. } => {
            let granted = match grantable {
                GrantableText::RoleCollection(name) => Granted::RoleCollection(name.clone()),
                GrantableText::Role(text) => Granted::Role(
                    resolve_held(state, &level, text, from).ok_or(RefusalCode::NotHeld)?,
                ),
            };
            let key = Key { principal: from.clone(), granted, level };
            let wanted = *expect != Some(RevokeExpects::Any);
            reasons.add_if(wanted && !state.holdings.contains_key(&key), RefusalCode::NotHeld);
            Deed::Revoke { key }
        }
        _ => unreachable!("decided elsewhere"),
    })
}

/// Everything but the id: an explicit default is content
fn same_content(one: &Entry, other: &Entry) -> bool {
    one.actor() == other.actor()
        && one.reason() == other.reason()
        && one.effective_at() == other.effective_at()
        && one.changes() == other.changes()
}

/// Whether the kind of the level has all these attributes
fn has_all(level: &Level, attributes: &Attributes) -> bool {
    let kind = level.kind();
    let accounts = [LevelKind::GlobalAccount, LevelKind::Subaccount];
    (attributes.feature_set.is_none() || accounts.contains(&kind))
        && (attributes.authorizations.is_none() || kind == LevelKind::Directory)
        && (attributes.environment.is_none() || kind == LevelKind::Subaccount)
        && (attributes.region.is_none() || kind == LevelKind::Subaccount)
}

fn resolve(state: &State, level: &Level, text: &RoleText) -> Result<RoleName, RefusalCode> {
    let found = matching(text, state.roles_at(level).into_keys());
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(RefusalCode::UnknownRole),
        _ => Err(RefusalCode::AmbiguousRole),
    }
}

fn resolve_all(
    state: &State,
    level: &Level,
    texts: &[RoleText],
) -> Result<BTreeSet<RoleName>, RefusalCode> {
    let mut reasons = Reasons::default();
    let mut roles = BTreeSet::new();
    for text in texts {
        match resolve(state, level, text) {
            Ok(role) => {
                roles.insert(role);
            }
            Err(code) => reasons.add_if(true, code),
        }
    }
    reasons.first().map_or(Ok(roles), Err)
}

fn must_be_custom(state: &State, level: &Level, name: &Arc<str>, reasons: &mut Reasons) {
    let predefined = state.predefined(level, &Granted::RoleCollection(name.clone()));
    reasons.add_if(predefined.is_none(), RefusalCode::UnknownRoleCollection);
    reasons.add_if(predefined == Some(true), RefusalCode::Predefined);
}

/// A bare name is looked for among the holdings of `from` at the level, else among the roles there;
/// `None` if neither gives exactly one. A full name says which role it is
fn resolve_held(
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
