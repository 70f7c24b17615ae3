//! Why is a change refused, and what does it become when it is not?
//!
//! `check` looks at one change against the state as of its effective time and everything recorded
//! before, and gives the [`Fact`] it becomes, or the first reason, in the order of [`RefusalCode`],
//! for which it is refused.
//!
//! Rules: `docs/semantics.md#change-table`, `docs/semantics.md#order-of-reasons`.

use std::sync::Arc;

use crate::history::edge::Edge;
use crate::history::holding::HoldingKey;
use crate::history::landscape::{CustomRole, LevelState, Published, Structural};
use crate::history::landscape_at::{Here, Land};
use crate::history::order::OrderKey;
use crate::index;
use crate::index::timeline::Of;
use crate::ledger::state::Ledger;
use crate::ledger::view::View;
use crate::words::catalog::Definitions;
use crate::words::change::{Change, GrantExpects, RevokeExpects};
use crate::words::grantable::{Grantable, GrantableText, RoleKey, RoleText};
use crate::words::instant::{EffectiveAt, Instant};
use crate::words::level::{Attributes, Level, LevelKind};
use crate::words::outcome::RefusalCode;
use crate::words::position::{KnownAt, Position};
use crate::words::principal::Principal;
use crate::words::symbol::{LevelRef, PrincipalRef};

/// What a change becomes, its names resolved
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    Structural(Arc<Structural>),
    /// A holding or a membership starts or stops
    Change(index::TimelineChange),
    Removal(PrincipalRef),
    Void(Position),
}

/// Candidates that the sentence of an ambiguous role names
const CANDIDATES_SHOWN_MAX: usize = 8;

type Refused = (RefusalCode, String);

fn refused<T>(code: RefusalCode, message: String) -> Result<T, Refused> {
    Err((code, message))
}

/// How an entry is taken in
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trust {
    /// Everything is looked at
    Decide,
    /// It was applied before: what only decides whether it is applied is passed over
    Restore,
}

/// Looks at one change; `earlier` are the changes before it in its entry
///
/// # Errors
/// The first reason that refuses it.
pub(crate) fn check(
    ledger: &mut Ledger,
    key: OrderKey,
    change: &Change,
    earlier: &[Change],
    trust: Trust,
) -> Result<Fact, Refused> {
    Deciding { ledger }.check(key, change, earlier, trust)
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
        earlier: &[Change],
        trust: Trust,
    ) -> Result<Fact, Refused> {
        let t = key.effective_at;
        let decides = trust == Trust::Decide;
        match change {
            Change::CreateLevel { level, parent, attributes } => {
                self.check_create_level(t, level, parent.as_ref(), attributes)
            }
            Change::MoveLevel { level, parent } => self.check_move_level(t, level, parent),
            Change::SetLevel { level, attributes } => {
                let level_ref = self.existing(t, level)?;
                fitting_attributes(level.kind(), attributes)?;
                let attributes = attributes.clone();
                Ok(structural(Structural::SetLevel { level: level_ref, attributes }))
            }
            Change::DeleteLevel { level } => {
                let level = self.existing(t, level)?;
                Ok(structural(Structural::DeleteLevel { level }))
            }
            Change::CreateRole { level, role, application, template, scopes, attributes: _ } => {
                let level_ref = self.existing(t, level)?;
                let role_key = RoleKey {
                    application: self.ledger.symbols.intern(application),
                    name: self.ledger.symbols.intern(role),
                };
                if self.here(t, level_ref).is_some_and(|here| here.role(role_key).is_some()) {
                    let message =
                        format!("the role `{application}/{role}` exists at {level} at {t}");
                    return refused(RefusalCode::RoleExists, message);
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
                let role_key = self.resolve(t, level_ref, role)?;
                if self.is_custom(t, level_ref, Grantable::Role(role_key)) != Some(true) {
                    let message = format!("the role `{role}` is predefined at {level}");
                    return refused(RefusalCode::Predefined, message);
                }
                Ok(structural(Structural::DeleteRole { level: level_ref, role: role_key }))
            }
            Change::CreateRoleCollection { level, role_collection, roles, description: _ } => {
                self.check_create_role_collection(t, level, role_collection, roles)
            }
            Change::SetRoles { level, role_collection, roles } => {
                let level_ref = self.existing(t, level)?;
                let roles = self.resolve_all(t, level_ref, roles)?;
                let name = self.ledger.symbols.intern(role_collection);
                self.custom_role_collection(t, level_ref, level, role_collection)?;
                Ok(structural(Structural::SetRoles { level: level_ref, name, roles }))
            }
            Change::DeleteRoleCollection { level, role_collection } => {
                let level_ref = self.existing(t, level)?;
                let name = self.ledger.symbols.intern(role_collection);
                self.custom_role_collection(t, level_ref, level, role_collection)?;
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
                    let message = format!("`{member}` is no member of `{set}` at {t}");
                    return refused(RefusalCode::NotHeld, message);
                }
                Ok(self.membership(key, refs.0, refs.1, Edge::Stop))
            }
            Change::RemovePrincipal { principal } => {
                let principal_ref = self.ledger.principal_ref(principal);
                let before = KnownAt(key.position.get() - 1);
                if decides
                    && !self.ledger.knows(principal_ref, before)
                    && !named_in(earlier, principal)
                {
                    let message = format!("no entry that counts names `{principal}`");
                    return refused(RefusalCode::UnknownPrincipal, message);
                }
                Ok(Fact::Removal(principal_ref))
            }
            Change::PublishCatalog { catalog } => {
                let definitions = Definitions::new(catalog, &mut self.ledger.symbols);
                let published = Published { definitions, position: key.position };
                Ok(structural(Structural::PublishCatalog(Arc::new(published))))
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

    fn existing(&mut self, t: EffectiveAt, level: &Level) -> Result<LevelRef, Refused> {
        let found = self.ledger.level_ref(level);
        if self.level_then(t, found).is_some() {
            return Ok(found);
        }
        refused(RefusalCode::UnknownLevel, format!("the level `{level}` does not exist at {t}"))
    }

    fn check_create_level(
        &mut self,
        t: EffectiveAt,
        level: &Level,
        parent: Option<&Level>,
        attributes: &Attributes,
    ) -> Result<Fact, Refused> {
        let parent_ref = parent.map(|parent| self.existing(t, parent)).transpose()?;
        let level_ref = self.ledger.level_ref(level);
        if self.level_then(t, level_ref).is_some() {
            let message = format!("the level `{level}` exists at {t}");
            return refused(RefusalCode::LevelExists, message);
        }
        if !level.kind().fits_in(parent.map(Level::kind)) {
            return refused(RefusalCode::BadParent, bad_parent(level, parent));
        }
        fitting_attributes(level.kind(), attributes)?;
        let attributes = attributes.clone();
        Ok(structural(Structural::CreateLevel { level: level_ref, parent: parent_ref, attributes }))
    }

    fn check_move_level(
        &mut self,
        t: EffectiveAt,
        level: &Level,
        parent: &Level,
    ) -> Result<Fact, Refused> {
        let level_ref = self.existing(t, level)?;
        let parent_ref = self.existing(t, parent)?;
        if !level.kind().fits_in(Some(parent.kind())) {
            return refused(RefusalCode::BadParent, bad_parent(level, Some(parent)));
        }
        if Land::of(&self.ledger.structure.newest, t)
            .upwards(parent_ref)
            .any(|(above, _)| above == level_ref)
        {
            let message = format!("`{level}` would lie in itself: `{parent}` is it or lies in it");
            return refused(RefusalCode::BadParent, message);
        }
        Ok(structural(Structural::MoveLevel { level: level_ref, parent: parent_ref }))
    }

    fn check_create_role_collection(
        &mut self,
        t: EffectiveAt,
        level: &Level,
        role_collection: &Arc<str>,
        roles: &[RoleText],
    ) -> Result<Fact, Refused> {
        let level_ref = self.existing(t, level)?;
        let roles = self.resolve_all(t, level_ref, roles)?;
        let name = self.ledger.symbols.intern(role_collection);
        let here = self.here(t, level_ref);
        if here.is_some_and(|here| here.role_collection(name).is_some()) {
            let message =
                format!("the role collection `{role_collection}` exists at {level} at {t}");
            return refused(RefusalCode::RoleCollectionExists, message);
        }
        if !here.is_some_and(|here| here.takes_custom_role_collections()) {
            let message = format!(
                "a {} holds no custom role collections by the catalogue in force at {t}",
                level.kind()
            );
            return refused(RefusalCode::NotAllowedHere, message);
        }
        Ok(structural(Structural::CreateRoleCollection { level: level_ref, name, roles }))
    }

    /// Refuses what is no custom role collection
    fn custom_role_collection(
        &mut self,
        t: EffectiveAt,
        level_ref: LevelRef,
        level: &Level,
        name: &Arc<str>,
    ) -> Result<(), Refused> {
        let symbol = self.ledger.symbols.intern(name);
        match self.is_custom(t, level_ref, Grantable::RoleCollection(symbol)) {
            Some(true) => Ok(()),
            Some(false) => refused(
                RefusalCode::Predefined,
                format!("the role collection `{name}` is predefined at {level}"),
            ),
            None => refused(
                RefusalCode::UnknownRoleCollection,
                format!("there is no role collection `{name}` at {level} at {t}"),
            ),
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
    ) -> Result<Fact, Refused> {
        let t = key.effective_at;
        let until = match until.map(EffectiveAt::try_from).transpose() {
            Ok(until) => until,
            Err(bad) => return refused(RefusalCode::BadTime, format!("`until`: {bad}")),
        };
        let level_ref = self.existing(t, level)?;
        let (given, single) = match grantable {
            GrantableText::Role(role) => {
                let role = self.resolve(t, level_ref, role)?;
                (Grantable::Role(role), self.here(t, level_ref).and_then(|here| here.role(role)))
            }
            GrantableText::RoleCollection(name) => {
                (Grantable::RoleCollection(self.ledger.symbols.intern(name)), None)
            }
        };
        let Some(custom) = self.is_custom(t, level_ref, given) else {
            return refused(
                RefusalCode::UnknownRoleCollection,
                format!("there is no {grantable} at {level} at {t}"),
            );
        };
        if single.is_some_and(|role| !role.grantable) {
            return refused(
                RefusalCode::NotAllowedHere,
                format!("the {grantable} is not given by itself: grant a role collection with it"),
            );
        }
        if !self.here(t, level_ref).is_some_and(|here| here.manages_authorizations()) {
            return refused(
                RefusalCode::NotAllowedHere,
                format!("`{level}` does not manage authorizations at {t}"),
            );
        }
        if let Some(until) = until.filter(|until| *until <= t) {
            return refused(
                RefusalCode::EmptyInterval,
                format!("`until` is {until}, which is not after the start {t}"),
            );
        }
        let holding = HoldingKey { principal: to, grantable: given, level: level_ref };
        if expect == Some(GrantExpects::NotHeld) && self.is_held(key, &holding) {
            return refused(
                RefusalCode::AlreadyHeld,
                format!(
                    "`{}` holds the {grantable} at {level} at {t}",
                    self.ledger.principal_of(to)
                ),
            );
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
    ) -> Result<Fact, Refused> {
        let t = key.effective_at;
        let level_ref = self.existing(t, level)?;
        let taken = match grantable {
            GrantableText::RoleCollection(name) => {
                Some(Grantable::RoleCollection(self.ledger.symbols.intern(name)))
            }
            GrantableText::Role(role) => {
                self.resolve_held(key, level_ref, role, from).map(Grantable::Role)
            }
        };
        let not_held = |deciding: &Self| {
            let from = deciding.ledger.principal_of(from);
            let message = format!("`{from}` does not hold the {grantable} at {level} at {t}");
            refused(RefusalCode::NotHeld, message)
        };
        let Some(taken) = taken else { return not_held(self) };
        let holding = HoldingKey { principal: from, grantable: taken, level: level_ref };
        if decides && expect != Some(RevokeExpects::Any) && !self.is_held(key, &holding) {
            return not_held(self);
        }
        Ok(self.holding(key, holding, Edge::Stop))
    }

    fn check_void(
        &self,
        key: OrderKey,
        entry: crate::words::change::EntryId,
    ) -> Result<Fact, Refused> {
        let unknown =
            |why: &str| refused(RefusalCode::UnknownEntry, format!("the entry {entry} {why}"));
        let Some(target) = self.ledger.owner(entry) else {
            return unknown("is not in the log");
        };
        if self.ledger.outcome(target) != Some(crate::words::outcome::OutcomeKind::Applied) {
            return unknown("was not applied: there is nothing to void");
        }
        let before = KnownAt(key.position.get() - 1);
        if let Some(void) = self.ledger.voided_by(target, before) {
            let message = format!("the entry {entry} is voided by position {void}");
            return refused(RefusalCode::AlreadyVoided, message);
        }
        Ok(Fact::Void(target))
    }

    /// The one role that a text means at a level that exists
    fn resolve(
        &mut self,
        t: EffectiveAt,
        level: LevelRef,
        text: &RoleText,
    ) -> Result<RoleKey, Refused> {
        let mut found: Vec<RoleKey> = Vec::new();
        if let Some(here) = self.here(t, level) {
            found.extend(matching(text, &self.ledger.symbols, here.roles()));
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => refused(
                RefusalCode::UnknownRole,
                format!("there is no role `{text}` at {} at {t}", self.ledger.level_of(level)),
            ),
            several => {
                let mut texts: Vec<String> = several
                    .iter()
                    .map(|role| format!("`{}`", role.text(&self.ledger.symbols)))
                    .collect();
                texts.sort();
                let more = texts.len().saturating_sub(CANDIDATES_SHOWN_MAX);
                texts.truncate(CANDIDATES_SHOWN_MAX);
                if more > 0 {
                    texts.push(format!("{more} others"));
                }
                refused(
                    RefusalCode::AmbiguousRole,
                    format!("the role `{text}` may be {}: write one of them", texts.join(" or ")),
                )
            }
        }
    }

    fn resolve_all(
        &mut self,
        t: EffectiveAt,
        level: LevelRef,
        texts: &[RoleText],
    ) -> Result<Arc<[RoleKey]>, Refused> {
        let mut first: Option<Refused> = None;
        let mut roles = Vec::with_capacity(texts.len());
        for text in texts {
            match self.resolve(t, level, text) {
                Ok(role) if roles.contains(&role) => {}
                Ok(role) => roles.push(role),
                // Of several reasons the one that comes first in the order of reasons.
                Err(other) if first.as_ref().is_none_or(|first| other.0 < first.0) => {
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
                    if at == level && role.name == name =>
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
                let mut existing = here.roles().filter(|role| role.name == name);
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

/// The roles among `roles` that a text may mean
pub(crate) fn matching<'a>(
    text: &'a RoleText,
    symbols: &'a crate::words::symbol::Symbols,
    roles: impl Iterator<Item = RoleKey> + 'a,
) -> impl Iterator<Item = RoleKey> + 'a {
    let name = symbols.get(&text.name);
    let application = text.application.as_ref().map(|application| symbols.get(application));
    roles.filter(move |role| {
        Some(role.name) == name && application.is_none_or(|named| named == Some(role.application))
    })
}

fn structural(change: Structural) -> Fact {
    Fact::Structural(Arc::new(change))
}

fn fitting_attributes(kind: LevelKind, attributes: &Attributes) -> Result<(), Refused> {
    match attributes.stated().find(|attribute| !kind.has(*attribute)) {
        None => Ok(()),
        Some(attribute) => refused(
            RefusalCode::NotAllowedHere,
            format!("a {kind} has no attribute `{}`", attribute.as_str()),
        ),
    }
}

fn bad_parent(level: &Level, parent: Option<&Level>) -> String {
    let kinds: Vec<&str> = LevelKind::ALL
        .into_iter()
        .filter(|parent| level.kind().fits_in(Some(*parent)))
        .map(LevelKind::as_str)
        .collect();
    let right = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(" or ") };
    let stated = parent.map_or("no parent is stated".to_owned(), |p| format!("not in `{p}`"));
    format!("`{level}` lies in {right}: {stated}")
}

/// Whether one of these changes names the principal
fn named_in(changes: &[Change], principal: &Principal) -> bool {
    changes.iter().any(|change| change.principals().any(|named| named == principal))
}
