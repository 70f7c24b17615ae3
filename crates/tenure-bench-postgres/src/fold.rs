//! Which rows does a history make?
//!
//! A fold of its own, which shares the core's input types and none of its rules: it takes the entries
//! that were applied, in log order, and after each recomputes the rows of whatever it touched. A row
//! that is no longer so is closed at that position, and what is so instead is known from there on. So a
//! late, scheduled or voided entry costs no more than what it touches. It decides no outcome: those are
//! given to it.

mod definitions;
mod holdings;
mod landscape;
mod meaning;
mod replay;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use rustc_hash::FxHashMap;
use tenure_core::{Entry, EntryId, GrantableText, Principal, PrincipalKind, RoleText};

use crate::names::{Grantable, Granted, Role};
use crate::span::{FOREVER, Span};
use crate::tables::{CustomGives, HoldingRow, LiesIn, Membership, NO_CATALOG, Open, Tables};
use definitions::Definitions;
use holdings::{Change, HoldingKey, Holdings};
use landscape::{Custom, Key, LevelState, Structural};
use meaning::Meaning;

pub(crate) use replay::Log;

/// What a change of an applied entry says, its names resolved
#[derive(Clone, Debug)]
enum Fact {
    Structural(Box<Structural>),
    Holding(u32, Change),
    Membership(u32, bool),
    Removal(u32),
    Void(u64),
}

/// What has to be computed again
#[derive(Debug, Default)]
struct Dirty {
    levels: BTreeSet<u32>,
    collections: BTreeSet<(u32, u32)>,
    catalogs: bool,
    holdings: BTreeSet<u32>,
    members: BTreeSet<u32>,
    users: BTreeSet<u32>,
}

/// A history on its way to tables
#[derive(Debug, Default)]
pub(crate) struct Fold {
    tables: Tables,
    position: u64,
    meaning: Meaning,
    holdings: Holdings,
    /// Of applied entries, by position
    facts: FxHashMap<u64, Box<[(Key, Fact)]>>,
    positions: FxHashMap<EntryId, u64>,
    voids: FxHashMap<u64, Vec<u64>>,
    voided: BTreeSet<u64>,
    /// How many counted changes name a principal
    named: FxHashMap<u32, u32>,
    dirty: Dirty,
    lies_in: FxHashMap<u32, Open<LiesIn>>,
    custom_gives: FxHashMap<u32, Open<CustomGives>>,
    catalogs: Open<u32>,
    users: FxHashMap<u32, Open<u32>>,
}

impl Fold {
    /// Takes in the next entry of the log, recorded then, if it was applied; else it takes its position
    ///
    /// # Errors
    /// An entry that cannot have been applied.
    pub(crate) fn take(&mut self, recorded_at: i64, applied: Option<&Entry>) -> anyhow::Result<()> {
        if self.position == 0 {
            let none = vec![(NO_CATALOG, Span::ALWAYS)];
            self.catalogs.replace(none, 0, &mut self.tables.catalogs);
        }
        self.position += 1;
        let Some(entry) = applied else { return Ok(()) };
        let t = entry.effective_at().map_or(recorded_at, |instant| instant.micros());
        let mut facts = Vec::with_capacity(entry.changes().len());
        for (index, change) in (0..).zip(entry.changes()) {
            let key = (t, self.position, index);
            let fact = self.fact(key, change)?;
            self.count(key, &fact, true);
            facts.push((key, fact));
        }
        self.positions.insert(entry.id(), self.position);
        let void = match facts.as_slice() {
            [(_, Fact::Void(target))] => Some(*target),
            _ => None,
        };
        self.facts.insert(self.position, facts.into());
        if let Some(target) = void {
            self.voids.entry(target).or_default().push(self.position);
            self.settle(target);
        }
        self.flush();
        Ok(())
    }

    /// The rows of all that was taken in, and the log for whoever replays it
    pub(crate) fn finish(mut self) -> (Tables, Log) {
        let log = Log::of(&mut self);
        let mut tables = self.tables;
        for open in self.lies_in.into_values() {
            open.finish(&mut tables.lies_in);
        }
        for open in self.custom_gives.into_values() {
            open.finish(&mut tables.custom_gives);
        }
        for holding in self.holdings.holdings {
            holding.open.finish(&mut tables.holdings);
        }
        for member in self.holdings.members {
            member.open.finish(&mut tables.memberships);
        }
        for open in self.users.into_values() {
            open.finish(&mut tables.known_users);
        }
        self.catalogs.finish(&mut tables.catalogs);
        (tables, log)
    }

    /// Whether an entry is voided may have changed
    fn settle(&mut self, entry: u64) {
        let mut next = Some(entry);
        while let Some(entry) = next.take() {
            let voids = self.voids.get(&entry).into_iter().flatten();
            let now = voids.into_iter().any(|void| !self.voided.contains(void));
            if now == self.voided.contains(&entry) {
                return;
            }
            if now {
                self.voided.insert(entry);
            } else {
                self.voided.remove(&entry);
            }
            let facts = self.facts.remove(&entry).unwrap_or_default();
            for (key, fact) in &facts {
                self.count(*key, fact, !now);
                if let Fact::Void(target) = fact {
                    next = Some(*target);
                }
            }
            self.facts.insert(entry, facts);
        }
    }

    /// Lets a fact count, or no longer
    fn count(&mut self, key: Key, fact: &Fact, counts: bool) {
        match fact {
            Fact::Structural(change) => {
                let names = &self.tables.names;
                let touched = if counts {
                    self.meaning.landscape.insert(names, key, (**change).clone())
                } else {
                    self.meaning.landscape.remove(names, key)
                };
                self.dirty.levels.extend(touched.levels);
                self.dirty.collections.extend(touched.collections);
                self.dirty.catalogs |= touched.catalogs;
            }
            Fact::Holding(holding, change) => {
                self.holdings.put_change(*holding, key, counts.then_some(*change));
                self.dirty.holdings.insert(*holding);
                let of = self.holdings.holdings.get(*holding as usize);
                if let Some(principal) = of.map(|holding| holding.key.principal) {
                    self.name(principal, counts);
                }
            }
            Fact::Membership(member, add) => {
                self.holdings.put_member(*member, key, counts.then_some(*add));
                self.dirty.members.insert(*member);
                let of = self.holdings.members.get(*member as usize).map(|member| member.of);
                for principal in of.into_iter().flat_map(|of| [of.set, of.member]) {
                    self.name(principal, counts);
                }
            }
            Fact::Removal(principal) => {
                self.holdings.put_removal(*principal, key, counts);
                let of = self.holdings.of_principal.get(principal).into_iter().flatten();
                self.dirty.holdings.extend(of);
                let of = self.holdings.member_of.get(principal).into_iter().flatten();
                self.dirty.members.extend(of);
                self.name(*principal, counts);
            }
            Fact::Void(_) => {}
        }
    }

    fn name(&mut self, principal: u32, counts: bool) {
        let named = self.named.entry(principal).or_default();
        let before = *named > 0;
        *named = if counts { named.saturating_add(1) } else { named.saturating_sub(1) };
        if before != (*named > 0) {
            self.dirty.users.insert(principal);
        }
    }

    fn principal(&mut self, principal: &Principal) -> u32 {
        if principal.kind() == PrincipalKind::User {
            let everyone = Principal::everyone(principal.origin());
            self.tables.names.principals.number(&everyone);
        }
        self.tables.names.principals.number(principal)
    }

    fn roles(&mut self, level: u32, texts: &[RoleText], t: i64) -> anyhow::Result<Arc<[Role]>> {
        texts.iter().map(|text| self.role(level, text, t)).collect()
    }

    fn role(&mut self, level: u32, text: &RoleText, t: i64) -> anyhow::Result<Role> {
        match self.meaning.roles(&mut self.tables.names, level, text, t).as_slice() {
            [one] => Ok(*one),
            _ => anyhow::bail!("an applied entry names the role `{text}`, which is not one role"),
        }
    }

    /// The role that a revoke means: among what is held, else among what there is
    fn held_role(
        &mut self,
        level: u32,
        text: &RoleText,
        from: u32,
        t: i64,
    ) -> anyhow::Result<Role> {
        let name = self.tables.names.text(&text.name);
        if let Some(application) = &text.application {
            return Ok((self.tables.names.text(application), name));
        }
        let of = self.holdings.of_principal.get(&from).into_iter().flatten();
        let mut held = of.filter_map(|holding| {
            let key = self.holdings.holdings.get(*holding as usize)?.key;
            let Grantable::Role(role) = key.what else { return None };
            let wanted = key.level == level && role.1 == name;
            let pieces = self.holdings.pieces(&self.meaning.landscape, *holding);
            (wanted && pieces.iter().any(|piece| piece.span.contains(t))).then_some(role)
        });
        match (held.next(), held.next()) {
            (Some(one), None) => Ok(one),
            _ => self.role(level, text, t),
        }
    }

    fn holding(&mut self, principal: u32, what: Grantable, level: u32) -> u32 {
        self.holdings.holding(HoldingKey { principal, what, level })
    }

    fn structural(change: Structural) -> Fact {
        Fact::Structural(Box::new(change))
    }

    fn fact(&mut self, key: Key, change: &tenure_core::Change) -> anyhow::Result<Fact> {
        use tenure_core::Change as C;
        let t = key.0;
        let level = change.level().map(|level| self.tables.names.levels.number(level));
        let level = level.unwrap_or_default();
        Ok(match change {
            C::CreateLevel { parent, attributes, .. } => {
                let parent = parent.as_ref().map(|p| self.tables.names.levels.number(p));
                let (set, authorizations) = (attributes.feature_set, attributes.authorizations);
                let state = LevelState { parent, set, authorizations };
                Self::structural(Structural::Create(level, state))
            }
            C::MoveLevel { parent, .. } => {
                let parent = self.tables.names.levels.number(parent);
                Self::structural(Structural::Move(level, parent))
            }
            C::SetLevel { attributes, .. } => {
                let (set, authorizations) = (attributes.feature_set, attributes.authorizations);
                Self::structural(Structural::Set(level, set, authorizations))
            }
            C::DeleteLevel { .. } => Self::structural(Structural::Delete(level)),
            C::CreateRole { role, application, template, scopes, .. } => {
                let names = &mut self.tables.names;
                let role = names.role(application, role);
                let written = |scopes: &Vec<Arc<str>>, names: &mut crate::names::Names| {
                    scopes.iter().map(|scope| names.text(scope)).collect()
                };
                let scopes = scopes.as_ref().map(|scopes| written(scopes, names));
                let custom = Custom { template: names.text(template), scopes };
                Self::structural(Structural::CreateRole(level, role, custom))
            }
            C::DeleteRole { role, .. } => {
                let role = self.role(level, role, t)?;
                Self::structural(Structural::DeleteRole(level, role))
            }
            C::CreateRoleCollection { role_collection, roles, .. } => {
                let roles = self.roles(level, roles, t)?;
                let name = self.tables.names.text(role_collection);
                Self::structural(Structural::CreateCollection(level, name, roles))
            }
            C::SetRoles { role_collection, roles, .. } => {
                let roles = self.roles(level, roles, t)?;
                let name = self.tables.names.text(role_collection);
                Self::structural(Structural::SetCollection(level, name, roles))
            }
            C::DeleteRoleCollection { role_collection, .. } => {
                let name = self.tables.names.text(role_collection);
                Self::structural(Structural::DeleteCollection(level, name))
            }
            C::Grant { grantable, to, until, .. } => {
                let what = match grantable {
                    GrantableText::RoleCollection(name) => {
                        Grantable::Collection(self.tables.names.text(name))
                    }
                    GrantableText::Role(role) => Grantable::Role(self.role(level, role, t)?),
                };
                let custom = self.meaning.is_custom(level, what, t);
                let principal = self.principal(to);
                let until = until.map_or(FOREVER, |until| until.micros());
                let holding = self.holding(principal, what, level);
                Fact::Holding(holding, Change::Grant { until, custom })
            }
            C::Revoke { grantable, from, .. } => {
                let principal = self.principal(from);
                let what = match grantable {
                    GrantableText::RoleCollection(name) => {
                        Grantable::Collection(self.tables.names.text(name))
                    }
                    GrantableText::Role(role) => {
                        Grantable::Role(self.held_role(level, role, principal, t)?)
                    }
                };
                Fact::Holding(self.holding(principal, what, level), Change::Revoke)
            }
            C::AddMember { set, member } | C::RemoveMember { set, member, .. } => {
                let of = Membership { set: self.principal(set), member: self.principal(member) };
                let add = matches!(change, C::AddMember { .. });
                Fact::Membership(self.holdings.member(of), add)
            }
            C::RemovePrincipal { principal } => Fact::Removal(self.principal(principal)),
            C::PublishCatalog { catalog } => {
                let number = u32::try_from(self.meaning.catalogs.len())?;
                let definitions = Definitions::new(number, catalog, &mut self.tables)?;
                self.meaning.catalogs.push(Arc::new(definitions));
                Self::structural(Structural::Publish(number))
            }
            C::Void { entry, .. } => {
                let target = self.positions.get(entry).copied();
                Fact::Void(target.context("an applied void of an entry that was not applied")?)
            }
        })
    }

    /// Makes the rows of what was touched anew
    fn flush(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        let position = self.position;
        self.flush_structure(&dirty);
        let mut holdings = dirty.holdings;
        holdings.extend(std::mem::take(&mut self.dirty.holdings));
        for number in holdings {
            let rows = self.holding_rows(number);
            if let Some(holding) = self.holdings.holdings.get_mut(number as usize) {
                holding.open.replace(rows, position, &mut self.tables.holdings);
            }
        }
        for number in dirty.members {
            let rows = self.holdings.stretches(number);
            if let Some(member) = self.holdings.members.get_mut(number as usize) {
                member.open.replace(rows, position, &mut self.tables.memberships);
            }
        }
        for user in dirty.users {
            let is_user = self.tables.names.principals.item(user).kind() == PrincipalKind::User;
            let known = is_user && self.named.get(&user).is_some_and(|named| *named > 0);
            let rows = known.then_some((user, Span::ALWAYS)).into_iter().collect();
            let open = self.users.entry(user).or_default();
            open.replace(rows, position, &mut self.tables.known_users);
        }
    }

    /// Makes rows of structure anew, and notes the holdings that depend on them
    fn flush_structure(&mut self, dirty: &Dirty) {
        let position = self.position;
        let landscape = &self.meaning.landscape;
        let mut levels: BTreeSet<u32> =
            dirty.levels.iter().flat_map(|level| landscape.ever_below(*level)).collect();
        if dirty.catalogs {
            levels.extend(landscape.levels.keys());
            let first = landscape.catalogs.first().map_or(FOREVER, |(key, _)| key.0);
            let none = Span::new(0, first).map(|span| (NO_CATALOG, span));
            let stretches = landscape::stretches(&landscape.catalogs);
            let published = stretches.map(|(span, number)| (*number, span));
            let rows = none.into_iter().chain(published).collect();
            self.catalogs.replace(rows, position, &mut self.tables.catalogs);
        }
        for level in &levels {
            self.meaning.forget(*level);
        }
        let mut stale: Vec<(u32, Grantable)> = Vec::new();
        for level in &levels {
            let rows = self.meaning.lies_in(&self.tables.names, *level);
            let open = self.lies_in.entry(*level).or_default();
            open.replace(rows, position, &mut self.tables.lies_in);
            let held = self.holdings.of_level.get(level).into_iter().flatten();
            stale.extend(held.map(|(what, _)| (*level, *what)));
        }
        let named = dirty.collections.iter();
        stale.extend(named.map(|(level, name)| (*level, Grantable::Collection(*name))));
        for (level, what) in stale {
            self.meaning.forget_countable(level, what);
            let held = self.holdings.of_level.get(&level).and_then(|held| held.get(&what));
            self.dirty.holdings.extend(held.into_iter().flatten());
        }
        levels.extend(dirty.collections.iter().map(|(level, _)| *level));
        for level in levels {
            let rows = self.meaning.custom_gives(&mut self.tables.names, level);
            if !rows.is_empty() || self.custom_gives.contains_key(&level) {
                let open = self.custom_gives.entry(level).or_default();
                open.replace(rows, position, &mut self.tables.custom_gives);
            }
        }
    }

    /// A holding in the stretches in which it counts
    fn holding_rows(&mut self, number: u32) -> Vec<(HoldingRow, Span)> {
        let Some(key) = self.holdings.holdings.get(number as usize).map(|one| one.key) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for piece in self.holdings.pieces(&self.meaning.landscape, number) {
            let granted = Granted { what: key.what, custom: piece.custom };
            let row = HoldingRow {
                level: key.level,
                granted: self.tables.names.granted.number(&granted),
                principal: key.principal,
                since: piece.since,
                until: piece.until,
                entry: piece.entry,
            };
            let spans = self.meaning.countable(&self.tables.names, key.level, granted);
            rows.extend(spans.iter().filter_map(|span| Some((row, span.and(piece.span)?))));
        }
        rows
    }
}
