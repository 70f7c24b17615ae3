//! Which rows does a history make?
//!
//! A fold of its own, which shares the core's input types and none of its rules. It takes the entries that were
//! applied, in log order, and after each computes the rows of everything that the entry touched. A row that is no
//! longer so is closed at that position, and its successor is known from there on. So a late, scheduled or voided
//! entry costs no more than what it touches. The fold decides no outcome: outcomes are given to it.

mod definitions;
mod meaning;
mod structure;

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use rustc_hash::FxHashMap;
use tenure_core::{Change as Said, Entry, EntryId, GrantableText, Principal, PrincipalKind, RoleText};

use super::tables::{
    FOREVER, Grantable, Granted, Holding, InForce, KnownUser, Membership, NO_CATALOG, Numbered,
    Role, Span, Tables, joined,
};
use definitions::Definitions;
use meaning::Meaning;
use structure::{Custom, Key, LevelState, Structural};

/// What may be held: something at a level, or membership of a set
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Subject {
    Holding { principal: u32, what: Grantable, level: u32 },
    Membership { set: u32, member: u32 },
}

/// A change of a subject
#[derive(Clone, Copy, Debug)]
enum Change {
    Start {
        until: i64,
        custom: bool,
    },
    End,
    /// The custom definition was deleted: a holding of the predefined one goes on
    EndCustom,
}

/// A stretch in which a subject runs under one set of terms
#[derive(Clone, Copy, Debug)]
struct Run {
    span: Span,
    since: i64,
    until: i64,
    entry: u64,
    custom: bool,
}

/// What a change of an applied entry says, its names resolved
#[derive(Clone, Debug)]
enum Fact {
    Structural(Box<Structural>),
    Subject(u32, Change),
    Removal(u32),
    Void(u64),
}

/// What has to be computed again
#[derive(Debug, Default)]
struct Dirty {
    levels: BTreeSet<u32>,
    collections: BTreeSet<(u32, Grantable)>,
    catalogs: bool,
    subjects: BTreeSet<u32>,
    users: BTreeSet<u32>,
}

/// A history on its way to tables
#[derive(Debug, Default)]
pub(super) struct Fold {
    tables: Tables,
    position: u64,
    meaning: Meaning,
    subjects: Numbered<Subject>,
    /// Counted changes of each subject, in order
    changes: Vec<Vec<(Key, Change)>>,
    of_level: FxHashMap<u32, Vec<u32>>,
    of_principal: FxHashMap<u32, Vec<u32>>,
    removals: FxHashMap<u32, BTreeSet<Key>>,
    /// Of applied entries, by position
    facts: FxHashMap<u64, Box<[(Key, Fact)]>>,
    positions: FxHashMap<EntryId, u64>,
    voids: FxHashMap<u64, Vec<u64>>,
    voided: BTreeSet<u64>,
    /// How many counted changes name a principal
    named: FxHashMap<u32, u32>,
    dirty: Dirty,
}

impl Fold {
    /// Takes in the next entry of the log, recorded then, if it was applied; else only its position
    pub(super) fn take(&mut self, recorded_at: i64, applied: Option<&Entry>) -> anyhow::Result<()> {
        if self.position == 0 {
            let none = vec![(InForce { catalog: NO_CATALOG }, Span::ALWAYS)];
            self.tables.catalogs.replace(0, none, 0);
        }
        self.position += 1;
        let Some(entry) = applied else { return Ok(()) };
        let t = entry.effective_at().map_or(recorded_at, |instant| instant.micros());
        let mut facts = Vec::with_capacity(entry.changes().len());
        for (index, change) in (0..).zip(entry.changes()) {
            let key = (t, self.position, index);
            let fact = self.fact(t, change)?;
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

    /// The rows of all that was taken in
    pub(super) fn finish(self) -> Tables {
        self.tables
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
                let (structure, names) = (&mut self.meaning.structure, &self.tables.names);
                let touched = if counts {
                    structure.insert(names, key, (**change).clone())
                } else {
                    structure.remove(names, key)
                };
                self.dirty.levels.extend(touched.levels);
                self.dirty.collections.extend(touched.collections);
                self.dirty.catalogs |= touched.catalogs;
            }
            Fact::Subject(number, change) => {
                let Some(changes) = self.changes.get_mut(*number as usize) else { return };
                if counts {
                    let place = changes.partition_point(|(other, _)| *other < key);
                    changes.insert(place, (key, *change));
                } else {
                    changes.retain(|(other, _)| *other != key);
                }
                self.dirty.subjects.insert(*number);
                match *self.subjects.item(*number) {
                    Subject::Holding { principal, .. } => self.name(principal, counts),
                    Subject::Membership { set, member } => {
                        self.name(set, counts);
                        self.name(member, counts);
                    }
                }
            }
            Fact::Removal(principal) => {
                let removals = self.removals.entry(*principal).or_default();
                if counts {
                    removals.insert(key);
                } else {
                    removals.remove(&key);
                }
                let of = self.of_principal.get(principal).into_iter().flatten();
                self.dirty.subjects.extend(of);
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
        self.tables.names.principals.number(principal)
    }

    /// The number of a subject, by which its changes and rows are found
    fn subject(&mut self, subject: Subject) -> u32 {
        let number = self.subjects.number(&subject);
        if number as usize == self.changes.len() {
            self.changes.push(Vec::new());
            let principals = match subject {
                Subject::Holding { principal, level, .. } => {
                    self.of_level.entry(level).or_default().push(number);
                    [Some(principal), None]
                }
                Subject::Membership { set, member } => [Some(set), Some(member)],
            };
            for principal in principals.into_iter().flatten() {
                self.of_principal.entry(principal).or_default().push(number);
            }
        }
        number
    }

    fn role(&mut self, level: u32, text: &RoleText, t: i64) -> anyhow::Result<Role> {
        match self.meaning.roles(&mut self.tables.names, level, text, t).as_slice() {
            [one] => Ok(*one),
            _ => bail!("an applied entry names the role `{text}`, which is not one role"),
        }
    }

    fn collection(&mut self, level: u32, roles: &[RoleText], t: i64) -> anyhow::Result<Custom> {
        let roles = roles.iter().map(|text| self.role(level, text, t));
        Ok(Custom::Collection(roles.collect::<anyhow::Result<_>>()?))
    }

    /// The role that a revoke means: one of those that are held, else one of those that are there
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
        let of = self.of_principal.get(&from).into_iter().flatten();
        let mut held = of.filter_map(|number| match *self.subjects.item(*number) {
            Subject::Holding { what: Grantable::Role(role), level: at, .. } => {
                let runs = || self.runs(*number).iter().any(|run| run.span.contains(t));
                (at == level && role.1 == name && runs()).then_some(role)
            }
            _ => None,
        });
        match (held.next(), held.next()) {
            (Some(one), None) => Ok(one),
            _ => self.role(level, text, t),
        }
    }

    fn fact(&mut self, t: i64, change: &Said) -> anyhow::Result<Fact> {
        let level = change.level().map(|level| self.tables.names.levels.number(level));
        let level = level.unwrap_or_default();
        let names = &mut self.tables.names;
        let structural = match change {
            Said::CreateLevel { parent, attributes, .. } => {
                let parent = parent.as_ref().map(|parent| names.levels.number(parent));
                let (set, authorizations) = (attributes.feature_set, attributes.authorizations);
                Structural::Create(level, LevelState { parent, set, authorizations })
            }
            Said::MoveLevel { parent, .. } => {
                Structural::Move(level, names.levels.number(parent))
            }
            Said::SetLevel { attributes, .. } => {
                Structural::Set(level, attributes.feature_set, attributes.authorizations)
            }
            Said::DeleteLevel { .. } => Structural::Delete(level),
            Said::CreateRole { role, application, template, scopes, .. } => {
                let what = Grantable::Role(names.role(application, role));
                let scopes = scopes.as_ref();
                let scopes = scopes.map(|all| all.iter().map(|scope| names.text(scope)).collect());
                let template = names.text(template);
                Structural::Define(level, what, Custom::Role { template, scopes })
            }
            Said::DeleteRole { role, .. } => {
                Structural::Undefine(level, Grantable::Role(self.role(level, role, t)?))
            }
            Said::CreateRoleCollection { role_collection, roles, .. } => {
                let what = Grantable::Collection(names.text(role_collection));
                Structural::Define(level, what, self.collection(level, roles, t)?)
            }
            Said::SetRoles { role_collection, roles, .. } => {
                let what = Grantable::Collection(names.text(role_collection));
                Structural::Redefine(level, what, self.collection(level, roles, t)?)
            }
            Said::DeleteRoleCollection { role_collection, .. } => {
                Structural::Undefine(level, Grantable::Collection(names.text(role_collection)))
            }
            Said::PublishCatalog { catalog } => {
                let number = u32::try_from(self.meaning.catalogs.len())?;
                let definitions = Definitions::new(number, catalog, &mut self.tables)?;
                self.meaning.catalogs.push(definitions);
                Structural::Publish(number)
            }
            Said::Grant { grantable, to, until, .. } => {
                let what = match grantable {
                    GrantableText::RoleCollection(name) => {
                        Grantable::Collection(names.text(name))
                    }
                    GrantableText::Role(role) => Grantable::Role(self.role(level, role, t)?),
                };
                let custom = self.meaning.structure.custom(level, what, t).is_some();
                let until = until.map_or(FOREVER, |until| until.micros());
                let principal = self.principal(to);
                let subject = self.subject(Subject::Holding { principal, what, level });
                return Ok(Fact::Subject(subject, Change::Start { until, custom }));
            }
            Said::Revoke { grantable, from, .. } => {
                let principal = self.principal(from);
                let what = match grantable {
                    GrantableText::RoleCollection(name) => {
                        Grantable::Collection(self.tables.names.text(name))
                    }
                    GrantableText::Role(role) => {
                        Grantable::Role(self.held_role(level, role, principal, t)?)
                    }
                };
                let subject = self.subject(Subject::Holding { principal, what, level });
                return Ok(Fact::Subject(subject, Change::End));
            }
            Said::AddMember { set, member } | Said::RemoveMember { set, member, .. } => {
                let (set, member) = (self.principal(set), self.principal(member));
                let change = match change {
                    Said::AddMember { .. } => Change::Start { until: FOREVER, custom: false },
                    _ => Change::End,
                };
                return Ok(Fact::Subject(self.subject(Subject::Membership { set, member }), change));
            }
            Said::RemovePrincipal { principal } => {
                return Ok(Fact::Removal(self.principal(principal)));
            }
            Said::Void { entry, .. } => {
                let target = self.positions.get(entry).copied();
                let target = target.context("an applied void of an entry that was not applied")?;
                return Ok(Fact::Void(target));
            }
        };
        Ok(Fact::Structural(Box::new(structural)))
    }

    /// The stretches in which a subject runs
    fn runs(&self, number: u32) -> Vec<Run> {
        let mut changes = self.changes.get(number as usize).cloned().unwrap_or_default();
        let mut end = |keys: &mut dyn Iterator<Item = Key>, change| {
            changes.extend(keys.map(|key| (key, change)));
        };
        let mut removed = |principal: u32| {
            let removals = self.removals.get(&principal).into_iter().flatten();
            end(&mut removals.copied(), Change::End);
        };
        match *self.subjects.item(number) {
            Subject::Membership { set, member } => {
                removed(set);
                removed(member);
            }
            Subject::Holding { principal, what, level } => {
                removed(principal);
                if let Some(track) = self.meaning.structure.levels.get(&level) {
                    let deleted = track.states.iter().filter(|(_, state)| state.is_none());
                    end(&mut deleted.map(|(key, _)| *key), Change::End);
                    let customs = track.customs.get(&what).into_iter().flatten();
                    let deleted = customs.filter(|(_, custom)| custom.is_none());
                    end(&mut deleted.map(|(key, _)| *key), Change::EndCustom);
                }
            }
        }
        changes.sort_by_key(|(key, _)| *key);
        walk(&changes)
    }

    /// Makes the rows of what was touched anew
    fn flush(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        let mut subjects = self.flush_structure(&dirty, position);
        subjects.extend(dirty.subjects);
        for number in subjects {
            let runs = self.runs(number);
            match *self.subjects.item(number) {
                Subject::Holding { principal, what, level } => {
                    let rows = self.holding_rows(principal, what, level, &runs);
                    self.tables.holdings.replace(number, rows, position);
                }
                Subject::Membership { set: set_id, member } => {
                    let rows = runs.iter().map(|run| (Membership { set_id, member }, run.span));
                    self.tables.memberships.replace(number, joined(rows.collect()), position);
                }
            }
        }
        for user in dirty.users {
            let principals = &mut self.tables.names.principals;
            let name = principals.item(user);
            if name.kind() == PrincipalKind::User {
                let everyone = Principal::everyone(name.origin());
                let everyone = principals.number(&everyone);
                let is_known = self.named.get(&user).is_some_and(|named| *named > 0);
                let row = (KnownUser { principal: user, everyone }, Span::ALWAYS);
                let rows = is_known.then_some(row).into_iter().collect();
                self.tables.known_users.replace(user, rows, position);
            }
        }
    }

    /// Makes rows of structure anew, and gives the subjects that depend on them
    fn flush_structure(&mut self, dirty: &Dirty, position: i64) -> BTreeSet<u32> {
        let structure = &self.meaning.structure;
        let below = dirty.levels.iter().flat_map(|level| structure.ever_below(*level));
        let mut levels: BTreeSet<u32> = below.collect();
        if dirty.catalogs {
            levels.extend(structure.levels.keys());
            let rows = self.meaning.in_force().into_iter();
            let rows = rows.map(|(catalog, span)| (InForce { catalog }, span)).collect();
            self.tables.catalogs.replace(0, rows, position);
        }
        levels.iter().for_each(|level| self.meaning.forget(*level));
        let mut subjects = BTreeSet::new();
        for level in levels.iter().chain(dirty.collections.iter().map(|(level, _)| level)) {
            for number in self.of_level.get(level).into_iter().flatten() {
                let Subject::Holding { what, .. } = *self.subjects.item(*number) else { continue };
                if levels.contains(level) || dirty.collections.contains(&(*level, what)) {
                    self.meaning.forget_countable(*level, what);
                    subjects.insert(*number);
                }
            }
        }
        for level in &levels {
            let rows = self.meaning.lies_in(&self.tables.names, *level);
            self.tables.lies_in.replace(*level, rows, position);
        }
        levels.extend(dirty.collections.iter().map(|(level, _)| *level));
        for level in levels {
            let rows = self.meaning.custom_gives(&mut self.tables.names, level);
            self.tables.custom_gives.replace(level, rows, position);
        }
        subjects
    }

    /// A holding in the stretches in which it counts
    fn holding_rows(
        &mut self,
        principal: u32,
        what: Grantable,
        level: u32,
        runs: &[Run],
    ) -> Vec<(Holding, Span)> {
        let mut rows = Vec::new();
        for run in runs {
            let granted = Granted { what, custom: run.custom };
            let spans = self.meaning.countable(&self.tables.names, level, granted);
            let granted = self.tables.names.granted.number(&granted);
            let entry = i64::try_from(run.entry).unwrap_or(i64::MAX);
            let (since, until) = (run.since, run.until);
            let row = Holding { level, granted, principal, since, until, entry };
            rows.extend(spans.iter().filter_map(|span| Some((row, span.and(run.span)?))));
        }
        rows
    }
}

/// Follows changes in order; at one instant, an expiry comes before any change
fn walk(changes: &[(Key, Change)]) -> Vec<Run> {
    let mut found = Vec::new();
    let mut running: Option<(i64, Run)> = None;
    let close = |running: &mut Option<(i64, Run)>, t: i64, found: &mut Vec<Run>| {
        if let Some((from, run)) = running.take() {
            found.extend(Span::new(from, t.min(run.until)).map(|span| Run { span, ..run }));
        }
    };
    for ((t, position, _), change) in changes {
        if running.as_ref().is_some_and(|(_, run)| run.until <= *t) {
            close(&mut running, *t, &mut found);
        }
        match change {
            Change::Start { until, custom } => {
                let since = running.as_ref().map_or(*t, |(_, run)| run.since);
                close(&mut running, *t, &mut found);
                let (until, custom, entry) = (*until, *custom, *position);
                running = Some((*t, Run { span: Span::ALWAYS, since, until, entry, custom }));
            }
            Change::EndCustom if running.as_ref().is_some_and(|(_, run)| !run.custom) => {}
            Change::End | Change::EndCustom => close(&mut running, *t, &mut found),
        }
    }
    close(&mut running, FOREVER, &mut found);
    found
}
