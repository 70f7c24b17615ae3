//! Why is a change refused, and what does it become when it is not?
//!
//! `check` looks at one change against the state as of its effective time and everything recorded
//! before, and gives the [`Fact`] it becomes, or the first [`Reason`] for which it is refused.
//!
//! Rules: `docs/semantics.md#change-table`, `docs/semantics.md#order-of-reasons`.

use std::sync::Arc;

use crate::history::edge::Edge;
use crate::history::holding::HoldingKey;
use crate::history::landscape::{
    CustomRole, LevelState, Permission, Published, RuleOf, Structural,
};
use crate::history::landscape_at::{Here, Land};
use crate::history::observations::Observation;
use crate::history::order::OrderKey;
use crate::index;
use crate::index::timeline::{Of, TimelineId};
use crate::ledger::access::governors;
use crate::ledger::state::Ledger;
use crate::ledger::view::View;
use crate::words::change::{Change, EntryId, GrantExpects, RevokeExpects};
use crate::words::definitions::Definitions;
use crate::words::grantable::{Grantable, GrantableText, RoleKey, RoleText, matching};
use crate::words::instant::{EffectiveAt, Instant};
use crate::words::level::{Access, Attributes, Level, LevelKind};
use crate::words::outcome::{APPLICATIONS_MAX, OutcomeKind, Reason};
use crate::words::position::{KnownAt, Position};
use crate::words::principal::Principal;
use crate::words::symbol::{LevelRef, PrincipalRef, Symbol};

/// What a change becomes, its names resolved
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    Structural(Arc<Structural>),
    /// A holding or a membership starts or stops
    Change(index::TimelineChange),
    Removal(PrincipalRef),
    Observation {
        level: LevelRef,
        subtree: bool,
        observation: Observation,
    },
    Void(Position),
}

/// What else of its entry a change is looked at with
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside<'e> {
    /// The changes before it
    pub(crate) earlier: &'e [Change],
    /// Whether the entry says when it holds
    pub(crate) says_when: bool,
    /// Whether the entry is still to be decided; what only decides whether it is applied is passed over otherwise
    pub(crate) decides: bool,
}

/// Looks at one change
///
/// # Errors
/// The first reason that refuses it.
pub(crate) fn check(
    ledger: &mut Ledger,
    key: OrderKey,
    change: &Change,
    beside: Beside<'_>,
) -> Result<Fact, Reason> {
    Deciding { ledger }.check(key, change, beside)
}

/// The timeline of the holding that a revoke refers to, and whose it is
pub(crate) fn revoked(
    ledger: &mut Ledger,
    key: OrderKey,
    change: &Change,
) -> Option<(TimelineId, PrincipalRef)> {
    let Change::Revoke { level, grantable, from, .. } = change else { return None };
    let (level, from) = (ledger.level_ref(level), ledger.principal_ref(from));
    let HoldingKey { principal, grantable, level } =
        Deciding { ledger }.revoked(key, level, grantable, from)?;
    let timeline = ledger.index.find_holding_timeline(level, grantable)?;
    Some((timeline, principal))
}

/// Names that are met are numbered, so it needs the ledger for itself
struct Deciding<'a> {
    ledger: &'a mut Ledger,
}

impl Deciding<'_> {
    fn check(
        &mut self,
        key: OrderKey,
        change: &Change,
        Beside { earlier, says_when, decides }: Beside<'_>,
    ) -> Result<Fact, Reason> {
        let t = key.effective_at;
        match change {
            Change::CreateLevel { level, parent, attributes } => {
                self.check_create_level(t, level, parent.as_ref(), attributes)
            }
            Change::MoveLevel { level, parent } => self.check_move_level(t, level, parent),
            Change::SetLevel { level, attributes } => {
                let level_ref = self.existing(t, level)?;
                fitting_attributes(level.kind(), attributes)?;
                if let Some(access) = attributes.access {
                    self.check_access(key, access, says_when)?;
                }
                let attributes = attributes.clone();
                Ok(structural(Structural::SetLevel { level: level_ref, attributes }))
            }
            Change::DeleteLevel { level } => {
                let level = self.existing(t, level)?;
                if level == LevelRef::LEDGER {
                    return Err(Reason::LedgerStays);
                }
                Ok(structural(Structural::DeleteLevel { level }))
            }
            Change::CreateRole { level, role, application, template, scopes, attributes: _ } => {
                let level_ref = self.existing(t, level)?;
                let role_key = RoleKey {
                    application: self.ledger.symbols.intern(application),
                    name: self.ledger.symbols.intern(role),
                };
                if self.here(t, level_ref).is_some_and(|here| here.role(role_key).is_some()) {
                    return Err(Reason::RoleExists);
                }
                if !self.here(t, level_ref).is_some_and(|here| here.takes_custom_roles()) {
                    return Err(Reason::NoCustomRoles);
                }
                if role_key.is_own() {
                    return Err(Reason::OwnApplication);
                }
                let scopes = scopes
                    .as_ref()
                    .map(|scopes| scopes.iter().map(|s| self.ledger.symbols.intern(s)).collect());
                let custom = CustomRole { template: self.ledger.symbols.intern(template), scopes };
                Ok(structural(Structural::CreateRole {
                    level: level_ref,
                    role: role_key,
                    custom: Arc::new(custom),
                }))
            }
            Change::DeleteRole { level, role } => {
                let level_ref = self.existing(t, level)?;
                let role_key = self.resolve(t, level_ref, role, 0)?;
                if self.is_custom(t, level_ref, Grantable::Role(role_key)) != Some(true) {
                    return Err(Reason::Predefined);
                }
                Ok(structural(Structural::DeleteRole { level: level_ref, role: role_key }))
            }
            Change::CreateRoleCollection { level, role_collection, roles, description: _ } => {
                self.check_create_role_collection(t, level, role_collection, roles)
            }
            Change::SetRoles { level, role_collection, roles: texts } => {
                let level_ref = self.existing(t, level)?;
                let roles = self.resolve_all(t, level_ref, texts)?;
                let name = self.ledger.symbols.intern(role_collection);
                self.custom_role_collection(t, level_ref, name)?;
                no_own_role(texts)?;
                Ok(structural(Structural::SetRoles { level: level_ref, name, roles }))
            }
            Change::DeleteRoleCollection { level, role_collection } => {
                let level_ref = self.existing(t, level)?;
                let name = self.ledger.symbols.intern(role_collection);
                self.custom_role_collection(t, level_ref, name)?;
                Ok(structural(Structural::DeleteRoleCollection { level: level_ref, name }))
            }
            Change::Grant { level, grantable, to, until, expect } => {
                let to = self.ledger.principal_ref(to);
                self.check_grant(key, level, grantable, to, *until, expect.filter(|_| decides))
            }
            Change::Revoke { level, grantable, from, expect } => {
                let from = self.ledger.principal_ref(from);
                self.check_revoke(key, level, grantable, from, *expect, decides)
            }
            Change::AddMember { set, member } => {
                let (set, member) =
                    (self.ledger.principal_ref(set), self.ledger.principal_ref(member));
                Ok(self.membership(key, set, member, Edge::Start { until: None, custom: false }))
            }
            Change::RemoveMember { set, member, expect } => {
                let refs = (self.ledger.principal_ref(set), self.ledger.principal_ref(member));
                let expects = decides && *expect != Some(RevokeExpects::Any);
                if expects && !self.is_member(key, refs.0, refs.1) {
                    return Err(Reason::NotHeld);
                }
                Ok(self.membership(key, refs.0, refs.1, Edge::Stop))
            }
            Change::SetRule { set, origin, rule } => {
                let set = self.ledger.principal_ref(set);
                let rule = rule.as_ref().map(|rule| {
                    Arc::new(RuleOf { origin: Arc::clone(origin), rule: Arc::clone(rule) })
                });
                Ok(structural(Structural::SetRule { set, rule }))
            }
            Change::SetPermission { level, permission: name, roles, paths } => {
                let level_ref = self.existing(t, level)?;
                if level.kind() != LevelKind::Application {
                    return Err(Reason::NoPermissions);
                }
                let name = self.ledger.symbols.intern(name);
                let roles = roles.iter().map(|role| self.ledger.symbols.intern(role)).collect();
                let paths = paths.clone().unwrap_or_default();
                let permission = Arc::new(Permission { roles, paths });
                Ok(structural(Structural::SetPermission { level: level_ref, name, permission }))
            }
            Change::DeletePermission { level, permission } => {
                let level = self.existing(t, level)?;
                let name = self.ledger.symbols.intern(permission);
                let there = self.here(t, level).is_some_and(|here| here.permission(name).is_some());
                if !there {
                    return Err(Reason::UnknownPermission);
                }
                Ok(structural(Structural::DeletePermission { level, name }))
            }
            Change::RemovePrincipal { principal } => {
                let principal_ref = self.ledger.principal_ref(principal);
                let before = KnownAt(key.position.get() - 1);
                if decides
                    && !self.ledger.knows(principal_ref, before)
                    && !named_in(earlier, principal)
                {
                    return Err(Reason::UnknownPrincipal);
                }
                Ok(Fact::Removal(principal_ref))
            }
            Change::PublishCatalog { catalog } => {
                let definitions = Definitions::new(catalog, &mut self.ledger.symbols);
                let published = Published { definitions, position: key.position };
                Ok(structural(Structural::PublishCatalog(Arc::new(published))))
            }
            Change::Observe { level, subtree, source, from } => {
                self.check_observe(key, (level, *subtree), source, *from)
            }
            Change::Void { entry, note: _ } => self.check_void(key, *entry),
        }
    }

    fn here(&self, t: EffectiveAt, level: LevelRef) -> Option<Here<'_>> {
        Land::of(&self.ledger.structure.newest, t).here(level)
    }

    fn membership(
        &mut self,
        key: OrderKey,
        set: PrincipalRef,
        member: PrincipalRef,
        edge: Edge,
    ) -> Fact {
        let timeline = self.ledger.index.members_timeline(set);
        Fact::Change(index::TimelineChange { timeline, principal: member, key, edge })
    }

    fn holding(&mut self, key: OrderKey, holding: HoldingKey, edge: Edge) -> Fact {
        let HoldingKey { principal, grantable, level } = holding;
        let custom = matches!(edge, Edge::Start { custom: true, .. });
        // Its events begin now, whenever this change takes effect.
        let now = self
            .ledger
            .places
            .recorded_at(key.position)
            .map_or(key.effective_at, |at| EffectiveAt::saturating_from_micros(at.micros()));
        let land = Land::of(&self.ledger.structure.newest, now);
        let floor = || land.last_end(level, custom.then_some(grantable));
        let timeline = self.ledger.index.holding_timeline(level, grantable, custom, floor);
        Fact::Change(index::TimelineChange { timeline, principal, key, edge })
    }

    fn level_then(&self, t: EffectiveAt, level: LevelRef) -> Option<&LevelState> {
        Land::of(&self.ledger.structure.newest, t).level(level)
    }

    fn is_custom(&self, t: EffectiveAt, level: LevelRef, what: Grantable) -> Option<bool> {
        self.here(t, level)?.is_custom(what)
    }

    fn existing(&mut self, t: EffectiveAt, level: &Level) -> Result<LevelRef, Reason> {
        let found = self.ledger.level_ref(level);
        self.level_then(t, found).map(|_| found).ok_or(Reason::UnknownLevel)
    }

    fn existing_parent(&mut self, t: EffectiveAt, parent: &Level) -> Result<LevelRef, Reason> {
        self.existing(t, parent).map_err(|_| Reason::UnknownParent)
    }

    fn check_create_level(
        &mut self,
        t: EffectiveAt,
        level: &Level,
        parent: Option<&Level>,
        attributes: &Attributes,
    ) -> Result<Fact, Reason> {
        if level.kind() == LevelKind::Ledger && !self.ledger.is_own_level(level) {
            return Err(Reason::UnknownLevel);
        }
        let parent_ref = parent.map(|parent| self.existing_parent(t, parent)).transpose()?;
        let level_ref = self.ledger.level_ref(level);
        if self.level_then(t, level_ref).is_some() {
            return Err(Reason::LevelExists);
        }
        if !level.kind().fits_in(parent.map(Level::kind)) {
            return Err(Reason::UnfitParent);
        }
        fitting_attributes(level.kind(), attributes)?;
        let (parent, attributes) = (parent_ref.unwrap_or(LevelRef::LEDGER), attributes.clone());
        Ok(structural(Structural::CreateLevel { level: level_ref, parent, attributes }))
    }

    /// Refuses a change of access that says when it holds, or that locks everybody out
    fn check_access(&self, key: OrderKey, access: Access, says_when: bool) -> Result<(), Reason> {
        if says_when {
            return Err(Reason::AccessWithTime);
        }
        let view = View::of(self.ledger, KnownAt::from(key.position));
        if access == Access::Enforced && governors(&view, key.effective_at).is_empty() {
            return Err(Reason::NoAdministrator);
        }
        Ok(())
    }

    fn check_observe(
        &mut self,
        key: OrderKey,
        (level, subtree): (&Level, Option<bool>),
        source: &str,
        from: Option<Instant>,
    ) -> Result<Fact, Reason> {
        let to = key.effective_at;
        let from = from.map(EffectiveAt::try_from).transpose().map_err(|_| Reason::BadTime)?;
        let level = self.existing(to, level)?;
        if from.is_some_and(|from| from >= to) {
            return Err(Reason::EmptyInterval);
        }
        let source = self.ledger.symbols.intern(source);
        let (from, position) = (from.unwrap_or(to), key.position);
        let observation = Observation { from, to, position, source };
        Ok(Fact::Observation { level, subtree: subtree.unwrap_or(false), observation })
    }

    fn check_move_level(
        &mut self,
        t: EffectiveAt,
        level: &Level,
        parent: &Level,
    ) -> Result<Fact, Reason> {
        let level_ref = self.existing(t, level)?;
        let parent_ref = self.existing_parent(t, parent)?;
        if !level.kind().fits_in(Some(parent.kind())) {
            return Err(Reason::UnfitParent);
        }
        if Land::of(&self.ledger.structure.newest, t)
            .upwards(parent_ref)
            .any(|(above, _)| above == level_ref)
        {
            return Err(Reason::ParentWithin);
        }
        Ok(structural(Structural::MoveLevel { level: level_ref, parent: parent_ref }))
    }

    fn check_create_role_collection(
        &mut self,
        t: EffectiveAt,
        level: &Level,
        role_collection: &Arc<str>,
        texts: &[RoleText],
    ) -> Result<Fact, Reason> {
        let level_ref = self.existing(t, level)?;
        let roles = self.resolve_all(t, level_ref, texts)?;
        let name = self.ledger.symbols.intern(role_collection);
        let here = self.here(t, level_ref);
        if here.is_some_and(|here| here.role_collection(name).is_some()) {
            return Err(Reason::RoleCollectionExists);
        }
        no_own_role(texts)?;
        if !here.is_some_and(|here| here.takes_custom_role_collections()) {
            return Err(Reason::NoCustomRoleCollections);
        }
        Ok(structural(Structural::CreateRoleCollection { level: level_ref, name, roles }))
    }

    /// Refuses the change unless the role collection is a custom one
    fn custom_role_collection(
        &self,
        t: EffectiveAt,
        level: LevelRef,
        name: Symbol,
    ) -> Result<(), Reason> {
        match self.is_custom(t, level, Grantable::RoleCollection(name)) {
            Some(true) => Ok(()),
            Some(false) => Err(Reason::Predefined),
            None => Err(Reason::UnknownRoleCollection),
        }
    }

    fn check_grant(
        &mut self,
        key: OrderKey,
        level: &Level,
        grantable: &GrantableText,
        to: PrincipalRef,
        until: Option<Instant>,
        expect: Option<GrantExpects>,
    ) -> Result<Fact, Reason> {
        let t = key.effective_at;
        let until = until.map(EffectiveAt::try_from).transpose().map_err(|_| Reason::BadTime)?;
        let level_ref = self.existing(t, level)?;
        let (given, single) = match grantable {
            GrantableText::Role(role) => {
                let role = self.resolve(t, level_ref, role, 0)?;
                (Grantable::Role(role), self.here(t, level_ref).and_then(|here| here.role(role)))
            }
            GrantableText::RoleCollection(name) => {
                (Grantable::RoleCollection(self.ledger.symbols.intern(name)), None)
            }
        };
        let custom = self.is_custom(t, level_ref, given).ok_or(Reason::UnknownRoleCollection)?;
        if single.is_some_and(|role| !role.grantable) {
            return Err(Reason::NotGrantedAlone);
        }
        if !self.here(t, level_ref).is_some_and(|here| here.counts(given)) {
            return Err(Reason::NoAuthorizations);
        }
        if given.is_own() && to.kind.is_set() {
            return Err(Reason::OwnRoleToSet);
        }
        if until.is_some_and(|until| until <= t) {
            return Err(Reason::EmptyInterval);
        }
        let holding = HoldingKey { principal: to, grantable: given, level: level_ref };
        if expect == Some(GrantExpects::NotHeld) && self.is_held(key, &holding) {
            return Err(Reason::AlreadyHeld);
        }
        Ok(self.holding(key, holding, Edge::Start { until, custom }))
    }

    fn check_revoke(
        &mut self,
        key: OrderKey,
        level: &Level,
        grantable: &GrantableText,
        from: PrincipalRef,
        expect: Option<RevokeExpects>,
        decides: bool,
    ) -> Result<Fact, Reason> {
        let t = key.effective_at;
        let level_ref = self.existing(t, level)?;
        let holding = self.revoked(key, level_ref, grantable, from).ok_or(Reason::NotHeld)?;
        if decides && expect != Some(RevokeExpects::Any) && !self.is_held(key, &holding) {
            return Err(Reason::NotHeld);
        }
        Ok(self.holding(key, holding, Edge::Stop))
    }

    /// The holding that a revoke refers to
    fn revoked(
        &mut self,
        key: OrderKey,
        level: LevelRef,
        grantable: &GrantableText,
        from: PrincipalRef,
    ) -> Option<HoldingKey> {
        let grantable = match grantable {
            GrantableText::RoleCollection(name) => {
                Grantable::RoleCollection(self.ledger.symbols.intern(name))
            }
            GrantableText::Role(role) => {
                Grantable::Role(self.resolve_held(key, level, role, from)?)
            }
        };
        Some(HoldingKey { principal: from, grantable, level })
    }

    fn check_void(&self, key: OrderKey, entry: EntryId) -> Result<Fact, Reason> {
        let target = self.ledger.owner(entry).ok_or(Reason::UnknownEntry)?;
        if self.ledger.outcome(target) != Some(OutcomeKind::Applied) {
            return Err(Reason::NotApplied { owner: target });
        }
        let before = KnownAt(key.position.get() - 1);
        match self.ledger.voided_by(target, before) {
            Some(void) => Err(Reason::AlreadyVoided { void }),
            None => Ok(Fact::Void(target)),
        }
    }

    /// The one role that the nth text of a change means at a level that exists
    fn resolve(
        &self,
        t: EffectiveAt,
        level: LevelRef,
        text: &RoleText,
        nth: usize,
    ) -> Result<RoleKey, Reason> {
        let symbols = &self.ledger.symbols;
        let here = self.here(t, level);
        let found: Vec<RoleKey> =
            here.into_iter().flat_map(|here| matching(text, symbols, here.roles())).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(Reason::UnknownRole { nth }),
            several => {
                let mut applications: Vec<Arc<str>> =
                    several.iter().map(|role| Arc::clone(symbols.text(role.application))).collect();
                applications.sort_unstable();
                let more = applications.len().saturating_sub(APPLICATIONS_MAX);
                applications.truncate(APPLICATIONS_MAX);
                Err(Reason::AmbiguousRole { nth, applications, more })
            }
        }
    }

    fn resolve_all(
        &self,
        t: EffectiveAt,
        level: LevelRef,
        texts: &[RoleText],
    ) -> Result<Arc<[RoleKey]>, Reason> {
        let mut first: Option<Reason> = None;
        let mut roles = Vec::with_capacity(texts.len());
        for (nth, text) in texts.iter().enumerate() {
            match self.resolve(t, level, text, nth) {
                Ok(role) if roles.contains(&role) => {}
                Ok(role) => roles.push(role),
                // Of several reasons, the one that comes first in the order of reasons decides.
                Err(other) if first.as_ref().is_none_or(|first| other.code() < first.code()) => {
                    first = Some(other);
                }
                Err(_) => {}
            }
        }
        first.map_or_else(|| Ok(roles.into()), Err)
    }

    /// The role that a revoke means: it refers to the holding, so a bare name is looked for among what
    /// is held there, else among the roles of the level
    fn resolve_held(
        &mut self,
        key: OrderKey,
        level: LevelRef,
        text: &RoleText,
        from: PrincipalRef,
    ) -> Option<RoleKey> {
        if let Some(application) = &text.application {
            return Some(RoleKey {
                application: self.ledger.symbols.intern(application),
                name: self.ledger.symbols.intern(&text.name),
            });
        }
        let name = self.ledger.symbols.get(&text.name)?;
        let held: Vec<RoleKey> = self
            .ledger
            .index
            .of_principal(from)
            .filter_map(|timeline| match self.ledger.index.timeline(timeline).of {
                Of::Holding { level: at, grantable: Grantable::Role(role) }
                    if at == level && role.is_meant_by(None, name) =>
                {
                    let grantable = Grantable::Role(role);
                    Some((role, HoldingKey { principal: from, grantable, level }))
                }
                _ => None,
            })
            .filter(|(_, holding)| self.is_held(key, holding))
            .map(|(role, _)| role)
            .collect();
        match held.as_slice() {
            [one] => Some(*one),
            // Neither what is held nor what exists need be one: then the name means nothing.
            _ => {
                let here = self.here(key.effective_at, level)?;
                let mut existing = here.roles().filter(|role| role.is_meant_by(None, name));
                let first = existing.next()?;
                existing.next().is_none().then_some(first)
            }
        }
    }

    fn is_held(&self, key: OrderKey, holding: &HoldingKey) -> bool {
        let HoldingKey { principal, grantable, level } = *holding;
        let timeline = self.ledger.index.find_holding_timeline(level, grantable);
        let view = View::of(self.ledger, KnownAt::from(key.position));
        timeline
            .is_some_and(|timeline| view.running(timeline, principal, key.effective_at).is_some())
    }

    fn is_member(&self, key: OrderKey, set: PrincipalRef, member: PrincipalRef) -> bool {
        let timeline = self.ledger.index.members(set);
        let view = View::of(self.ledger, KnownAt::from(key.position));
        timeline.is_some_and(|timeline| view.is_member(timeline, member, key.effective_at))
    }
}

/// Refuses the first role of `tenure` in a role collection
fn no_own_role(texts: &[RoleText]) -> Result<(), Reason> {
    let own = texts.iter().position(RoleText::is_own);
    own.map_or(Ok(()), |nth| Err(Reason::OwnRoleInCollection { nth }))
}

fn structural(change: Structural) -> Fact {
    Fact::Structural(Arc::new(change))
}

fn fitting_attributes(kind: LevelKind, attributes: &Attributes) -> Result<(), Reason> {
    match attributes.stated().find(|attribute| !kind.has(*attribute)) {
        None => Ok(()),
        Some(attribute) => Err(Reason::ForeignAttribute { attribute }),
    }
}

/// Whether one of these changes names the principal
fn named_in(changes: &[Change], principal: &Principal) -> bool {
    changes.iter().any(|change| change.principals().any(|named| named == principal))
}
