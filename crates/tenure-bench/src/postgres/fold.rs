//! Which rows does a history make?
//!
//! A fold of its own, which shares the core's input types and none of its rules. It takes the entries that were
//! applied, in log order, and after each computes the rows of everything that the entry touched. A row that is no
//! longer so is closed at that position, and its successor is known from there on. So a late, scheduled or voided
//! entry costs no more than what it touches. The fold decides no outcome: outcomes are given to it. It knows what the
//! histories that are made up have, and refuses the rest.

mod definitions;
mod structure;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use rustc_hash::FxHashMap;
use tenure_core::{Change as Said, Entry, EntryId, GrantableText, LevelKind, Principal, RoleText};

use super::tables::{FOREVER, Holding, InForce, Membership, Numbered, Span, Tables, joined};
use definitions::Definitions;
use structure::Structure;

/// A change's place among all: effective time, position, index in its entry
type Key = (i64, u64, u32);

/// What may be held: something at a level, or membership of a set
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Subject {
    Holding { principal: u32, granted: u32, level: u32 },
    Membership { set: u32, member: u32 },
}

/// A change of a subject
#[derive(Clone, Copy, Debug)]
enum Change {
    Start { until: i64 },
    End,
}

/// A stretch in which a subject runs under one set of terms
#[derive(Clone, Copy, Debug)]
struct Run {
    span: Span,
    since: i64,
    until: i64,
    entry: u64,
}

/// What a change of an applied entry says of something that may be voided
#[derive(Clone, Copy, Debug)]
enum Fact {
    Subject(u32, Change),
    Void(u64),
}

/// What has to be computed again
#[derive(Debug, Default)]
struct Dirty {
    levels: BTreeSet<u32>,
    collections: BTreeSet<(u32, u32)>,
    catalogs: bool,
    subjects: BTreeSet<u32>,
}

/// A history on its way to tables
#[derive(Debug, Default)]
pub(super) struct Fold {
    tables: Tables,
    position: u64,
    structure: Structure,
    subjects: Numbered<Subject>,
    /// Counted changes of each subject, in order
    changes: Vec<Vec<(Key, Change)>>,
    of_level: FxHashMap<u32, Vec<u32>>,
    of_principal: FxHashMap<u32, Vec<u32>>,
    removals: FxHashMap<u32, Vec<Key>>,
    /// Of applied entries, by position
    facts: FxHashMap<u64, Box<[(Key, Fact)]>>,
    positions: FxHashMap<EntryId, u64>,
    voids: FxHashMap<u64, Vec<u64>>,
    voided: BTreeSet<u64>,
    dirty: Dirty,
}

impl Fold {
    /// Takes in the next entry of the log, recorded then, if it was applied; else only its position
    pub(super) fn take(&mut self, recorded_at: i64, applied: Option<&Entry>) -> anyhow::Result<()> {
        self.position += 1;
        let Some(entry) = applied else { return Ok(()) };
        let t = entry.effective_at().map_or(recorded_at, |instant| instant.micros());
        let mut facts = Vec::new();
        for (index, change) in (0..).zip(entry.changes()) {
            let key = (t, self.position, index);
            if let Some(fact) = self.fact(key, change)? {
                self.count(key, fact, true);
                facts.push((key, fact));
            }
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
        for (key, fact) in self.facts.get(&entry).cloned().unwrap_or_default() {
            self.count(key, fact, !now);
            if let Fact::Void(target) = fact {
                self.settle(target);
            }
        }
    }

    /// Lets a fact count, or no longer
    fn count(&mut self, key: Key, fact: Fact, counts: bool) {
        let Fact::Subject(number, change) = fact else { return };
        let Some(changes) = self.changes.get_mut(number as usize) else { return };
        if counts {
            let place = changes.partition_point(|(other, _)| *other < key);
            changes.insert(place, (key, change));
        } else {
            changes.retain(|(other, _)| *other != key);
        }
        self.dirty.subjects.insert(number);
    }

    fn principal(&mut self, principal: &Principal) -> u32 {
        self.tables.names.principals.number(principal)
    }

    fn kind(&self, level: u32) -> LevelKind {
        self.tables.names.kind(level)
    }

    /// The number of a subject, by which its changes and rows are found
    fn subject(&mut self, subject: Subject) -> u32 {
        let number = self.subjects.number(&subject);
        if number as usize == self.changes.len() {
            self.changes.push(Vec::new());
            let mut names =
                |principal| self.of_principal.entry(principal).or_default().push(number);
            match subject {
                Subject::Holding { principal, level, .. } => {
                    names(principal);
                    self.of_level.entry(level).or_default().push(number);
                }
                Subject::Membership { set, member } => {
                    names(set);
                    names(member);
                }
            }
        }
        number
    }

    fn role(&mut self, level: u32, text: &RoleText) -> anyhow::Result<u32> {
        let kind = self.kind(level);
        self.structure.newest_definitions().table(kind).role(text, &mut self.tables.names)
    }

    fn granted(&mut self, level: u32, text: &GrantableText) -> anyhow::Result<u32> {
        match text {
            GrantableText::RoleCollection(name) => Ok(self.tables.names.collection(name)),
            GrantableText::Role(role) => self.role(level, role),
        }
    }

    /// Takes in a change of structure, or gives what may be voided
    fn fact(&mut self, key: Key, change: &Said) -> anyhow::Result<Option<Fact>> {
        let t = key.0;
        let level = change.level().map(|level| self.tables.names.levels.number(level));
        let level = level.unwrap_or_default();
        let names = &mut self.tables.names;
        match change {
            Said::CreateLevel { parent, attributes, .. } => {
                let (set, environment) = (attributes.feature_set, attributes.environment);
                ensure!(set.is_none() && environment.is_none(), "a level with rules of its own");
                let parent = parent.as_ref().map(|parent| names.levels.number(parent));
                self.dirty.levels.extend(self.structure.put(level, t, Some(parent)));
            }
            Said::MoveLevel { parent, .. } => {
                let parent = Some(names.levels.number(parent));
                self.dirty.levels.extend(self.structure.put(level, t, Some(parent)));
            }
            Said::SetLevel { attributes, .. } => {
                let (set, authorizations) = (attributes.feature_set, attributes.authorizations);
                ensure!(
                    set.is_none() && authorizations.is_none(),
                    "a level that changes its rules"
                );
            }
            Said::DeleteLevel { .. } => {
                self.dirty.levels.extend(self.structure.put(level, t, None));
            }
            Said::CreateRoleCollection { role_collection, roles, .. }
            | Said::SetRoles { role_collection, roles, .. } => {
                let roles = roles.iter().map(|text| self.role(level, text));
                let roles = roles.collect::<anyhow::Result<_>>()?;
                self.define(level, role_collection, t, Some(roles));
            }
            Said::DeleteRoleCollection { role_collection, .. } => {
                self.define(level, role_collection, t, None);
            }
            Said::PublishCatalog { catalog } => {
                let number = u32::try_from(self.structure.catalogs.len())?;
                let definitions = Definitions::new(number, catalog, &mut self.tables)?;
                self.structure.catalogs.push((t, definitions));
                self.dirty.catalogs = true;
            }
            Said::RemovePrincipal { principal } => {
                let principal = self.principal(principal);
                self.removals.entry(principal).or_default().push(key);
                let of = self.of_principal.get(&principal).into_iter().flatten();
                self.dirty.subjects.extend(of);
            }
            Said::Grant { grantable, to, until, .. } => {
                let granted = self.granted(level, grantable)?;
                let until = until.map_or(FOREVER, |until| until.micros());
                let principal = self.principal(to);
                let subject = self.subject(Subject::Holding { principal, granted, level });
                return Ok(Some(Fact::Subject(subject, Change::Start { until })));
            }
            Said::Revoke { grantable, from, .. } => {
                let (granted, principal) = (self.granted(level, grantable)?, self.principal(from));
                let subject = self.subject(Subject::Holding { principal, granted, level });
                return Ok(Some(Fact::Subject(subject, Change::End)));
            }
            Said::AddMember { set, member } | Said::RemoveMember { set, member, .. } => {
                let (set, member) = (self.principal(set), self.principal(member));
                let change = match change {
                    Said::AddMember { .. } => Change::Start { until: FOREVER },
                    _ => Change::End,
                };
                let subject = self.subject(Subject::Membership { set, member });
                return Ok(Some(Fact::Subject(subject, change)));
            }
            Said::Observe { .. } => {}
            Said::Void { entry, .. } => {
                let target = self.positions.get(entry).copied();
                let target = target.context("an applied void of an entry that was not applied")?;
                return Ok(Some(Fact::Void(target)));
            }
            Said::CreateRole { .. } | Said::DeleteRole { .. } => bail!("a custom role"),
            Said::SetRule { .. } => bail!("a rule of a group"),
            Said::SetPermission { .. } | Said::DeletePermission { .. } => bail!("a permission"),
        }
        Ok(None)
    }

    /// Gives a custom role collection its roles, or deletes it
    fn define(&mut self, level: u32, name: &Arc<str>, t: i64, roles: Option<Arc<[u32]>>) {
        let granted = self.tables.names.collection(name);
        let customs = &mut self.structure.levels.entry(level).or_default().customs;
        let (_, track) = customs.entry(granted).or_insert_with(|| (Arc::clone(name), Vec::new()));
        track.push((t, roles));
        self.dirty.collections.insert((level, granted));
    }

    /// The stretches in which a subject runs
    fn runs(&self, number: u32) -> Vec<Run> {
        let mut changes = self.changes.get(number as usize).cloned().unwrap_or_default();
        let removed = |principal: u32| {
            let removals = self.removals.get(&principal).into_iter().flatten();
            removals.map(|key| (*key, Change::End))
        };
        // Which change of the moment it is does not matter: nothing counts there any more.
        let deleted = |t: i64| ((t, 0, 0), Change::End);
        match *self.subjects.item(number) {
            Subject::Membership { set, member } => {
                changes.extend(removed(set).chain(removed(member)));
            }
            Subject::Holding { principal, granted, level } => {
                changes.extend(removed(principal));
                let parents = self.structure.levels.get(&level).map(|level| &level.parents);
                let gone = parents.into_iter().flatten().filter(|(_, parent)| parent.is_none());
                changes.extend(gone.map(|(t, _)| deleted(*t)));
                let custom = self.structure.custom(level, granted).into_iter().flatten();
                let gone = custom.filter(|(_, roles)| roles.is_none());
                changes.extend(gone.map(|(t, _)| deleted(*t)));
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
                Subject::Holding { principal, granted, level } => {
                    let rows = self.holding_rows(principal, granted, level, &runs);
                    self.tables.holdings.replace(number, rows, position);
                }
                Subject::Membership { set: set_id, member } => {
                    let rows = runs.iter().map(|run| (Membership { set_id, member }, run.span));
                    self.tables.memberships.replace(number, joined(rows.collect()), position);
                }
            }
        }
    }

    /// Makes rows of structure anew, and gives the subjects that depend on them
    fn flush_structure(&mut self, dirty: &Dirty, position: i64) -> BTreeSet<u32> {
        let Dirty { levels, collections, catalogs, .. } = dirty;
        let mut levels = levels.clone();
        if *catalogs {
            levels.extend(self.structure.levels.keys());
            let rows = self.structure.in_force();
            let rows = rows.map(|(catalog, span)| (InForce { catalog }, span)).collect();
            self.tables.catalogs.replace(0, rows, position);
        }
        let mut subjects = BTreeSet::new();
        for level in levels.iter().chain(collections.iter().map(|(level, _)| level)) {
            for number in self.of_level.get(level).into_iter().flatten() {
                let Subject::Holding { granted, .. } = *self.subjects.item(*number) else {
                    continue;
                };
                if levels.contains(level) || collections.contains(&(*level, granted)) {
                    self.structure.forget(*level, granted);
                    subjects.insert(*number);
                }
            }
        }
        for level in &levels {
            let rows = self.structure.lies_in_rows(&self.tables.names, *level);
            self.tables.lies_in.replace(*level, rows, position);
        }
        levels.extend(collections.iter().map(|(level, _)| *level));
        for level in levels {
            let rows = self.structure.custom_rows(&mut self.tables.names, level);
            self.tables.custom_gives.replace(level, rows, position);
        }
        subjects
    }

    /// A holding in the stretches in which it counts
    fn holding_rows(
        &mut self,
        principal: u32,
        granted: u32,
        level: u32,
        runs: &[Run],
    ) -> Vec<(Holding, Span)> {
        let mut rows = Vec::new();
        let spans = self.structure.countable(self.kind(level), level, granted);
        for run in runs {
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
    // Where the stretch of the run begins, and the run.
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
            Change::Start { until } => {
                let since = running.as_ref().map_or(*t, |(_, run)| run.since);
                close(&mut running, *t, &mut found);
                let (until, entry) = (*until, *position);
                running = Some((*t, Run { span: Span::ALWAYS, since, until, entry }));
            }
            Change::End => close(&mut running, *t, &mut found),
        }
    }
    close(&mut running, FOREVER, &mut found);
    found
}
