//! What does whoever keeps nothing but the log answer?
//!
//! For each question: filter what counts as known at S, sort it by when it takes effect, fold what does so
//! up to T, and look through what holds then. Only moments are asked: a stretch of time would be a replay
//! for each moment in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tenure_core::{Principal, PrincipalKind};

use super::definitions::Definitions;
use super::holdings::{Change, HoldingKey};
use super::landscape::Key;
use super::meaning::Meaning;
use super::{Fact, Fold};
use crate::names::{Grantable, Granted, Held as Asked, Names};
use crate::question::{Answer, Coordinates, Held, Question};
use crate::tables::{LiesIn, Membership, NO_CATALOG, Require, Tables};

/// The applied entries, their names resolved, and how holdings are numbered
#[derive(Debug)]
pub(crate) struct Log {
    facts: Vec<(Key, Fact)>,
    keys: Vec<HoldingKey>,
    of_level: FxHashMap<u32, FxHashMap<Grantable, Vec<u32>>>,
    of_principal: FxHashMap<u32, Vec<u32>>,
    members: Vec<Membership>,
    member_of: FxHashMap<u32, Vec<u32>>,
    catalogs: Vec<Arc<Definitions>>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    since: i64,
    until: i64,
    entry: u64,
    custom: bool,
}

/// What holds at a moment
struct State<'a> {
    log: &'a Log,
    names: &'a Names,
    requires: &'a [Require],
    t: i64,
    meaning: Meaning,
    running: Vec<Option<Run>>,
    members: Vec<bool>,
    /// Users that counted entries name, by everybody of their origin
    known: FxHashMap<u32, Vec<u32>>,
    paths: FxHashMap<u32, Vec<LiesIn>>,
}

/// A leaf: what must be held, and where
type Leaf = (Asked, Vec<u32>);

impl Log {
    pub(super) fn of(fold: &mut Fold) -> Self {
        let all = std::mem::take(&mut fold.facts);
        let mut facts: Vec<(Key, Fact)> = all.into_values().flatten().collect();
        facts.sort_unstable_by_key(|(key, _)| (key.1, key.2));
        let holdings = &mut fold.holdings;
        Self {
            facts,
            keys: holdings.holdings.iter().map(|holding| holding.key).collect(),
            of_level: std::mem::take(&mut holdings.of_level),
            of_principal: std::mem::take(&mut holdings.of_principal),
            members: holdings.members.iter().map(|member| member.of).collect(),
            member_of: std::mem::take(&mut holdings.member_of),
            catalogs: fold.meaning.catalogs.clone(),
        }
    }

    /// Answers a question by replaying everything; `None` over stretches of time
    pub(crate) fn ask(&self, tables: &Tables, question: &Question) -> Option<Answer> {
        let state = |at: Coordinates| State::replay(self, tables, at);
        let names = &tables.names;
        Some(match question {
            Question::Who { can, on, at } => {
                let on = names.levels.get(on);
                let who = on.map(|on| state(*at).who(&can.to_string(), on)).unwrap_or_default();
                Answer::Names(who.into_iter().map(|p| text(names, p)).collect())
            }
            Question::WhoUnder { can, under, at } => {
                let mut state = state(*at);
                let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
                for level in state.subtree(names.levels.get(under)) {
                    for principal in state.who(&can.to_string(), level) {
                        let level = names.levels.item(level).to_string();
                        found.entry(principal).or_default().push(level);
                    }
                }
                Answer::Places(found.into_iter().map(|(p, all)| (text(names, p), all)).collect())
            }
            Question::Check { principal, can, on, at } => {
                let on = names.levels.get(on);
                let because = on.and_then(|on| state(*at).check(principal, &can.to_string(), on));
                Answer::Holdings(because.unwrap_or_default())
            }
            Question::Where { principal, can, under, at } => {
                let mut state = state(*at);
                let levels = state.subtree(names.levels.get(under)).into_iter();
                let could = levels
                    .filter(|level| state.check(principal, &can.to_string(), *level).is_some());
                Answer::Names(could.map(|level| names.levels.item(level).to_string()).collect())
            }
            Question::AssignmentsOn { on, at } => {
                let on = names.levels.get(on);
                Answer::Holdings(state(*at).holdings(|key| Some(key.level) == on))
            }
            Question::AssignmentsOf { principal, at } => {
                let of = names.principals.get(principal);
                Answer::Holdings(state(*at).holdings(|key| Some(key.principal) == of))
            }
            Question::DiffUnder { under, from, until } => {
                let side = |at: Coordinates| {
                    let mut state = state(at);
                    let all: BTreeSet<u32> =
                        state.subtree(names.levels.get(under)).into_iter().collect();
                    state.holdings(|key| all.contains(&key.level))
                };
                changes(side(*from), side(*until))
            }
            Question::DiffOf { principal, from, until } => {
                let of = names.principals.get(principal);
                let side = |at: Coordinates| state(at).holdings(|key| Some(key.principal) == of);
                changes(side(*from), side(*until))
            }
            Question::WhoDuring { .. } | Question::Timeline { .. } => return None,
        })
    }

    /// The entries that do not count, as known at S: from the newest void to the oldest
    fn voided(&self, s: u64) -> FxHashSet<u64> {
        let mut voided = FxHashSet::default();
        for ((_, position, _), fact) in self.facts.iter().rev() {
            if let Fact::Void(target) = fact
                && *position <= s
                && !voided.contains(position)
            {
                voided.insert(*target);
            }
        }
        voided
    }
}

fn text(names: &Names, principal: u32) -> String {
    names.principals.item(principal).to_string()
}

fn changes(before: Vec<Held>, after: Vec<Held>) -> Answer {
    let key = |held: &Held| (held.holder.clone(), held.level.clone(), held.granted.clone());
    let mut all: BTreeMap<_, (Option<Held>, Option<Held>)> = BTreeMap::new();
    for held in before {
        let key = key(&held);
        all.entry(key).or_default().0 = Some(held);
    }
    for held in after {
        let key = key(&held);
        all.entry(key).or_default().1 = Some(held);
    }
    Answer::Changes(all.into_values().filter(|(before, after)| before != after).collect())
}

impl<'a> State<'a> {
    fn replay(log: &'a Log, tables: &'a Tables, (t, s): Coordinates) -> Self {
        let names = &tables.names;
        let voided = log.voided(s);
        let mut state = Self {
            log,
            names,
            requires: &tables.requires,
            t,
            meaning: Meaning::default(),
            running: vec![None; log.keys.len()],
            members: vec![false; log.members.len()],
            known: FxHashMap::default(),
            paths: FxHashMap::default(),
        };
        state.meaning.catalogs.clone_from(&log.catalogs);
        let end = log.facts.partition_point(|(key, _)| key.1 <= s);
        let known = log.facts.iter().take(end);
        let counted: Vec<&(Key, Fact)> =
            known.filter(|(key, _)| !voided.contains(&key.1)).collect();
        let mut named: BTreeSet<u32> = BTreeSet::new();
        for (_, fact) in &counted {
            named.extend(state.named(fact).into_iter().flatten());
        }
        for user in named {
            let user_name = names.principals.item(user);
            if user_name.kind() == PrincipalKind::User {
                let everyone = Principal::everyone(user_name.origin());
                let everyone = names.principals.get(&everyone);
                state.known.entry(everyone.unwrap_or(u32::MAX)).or_default().push(user);
            }
        }
        let mut counted: Vec<&(Key, Fact)> =
            counted.into_iter().filter(|(key, _)| key.0 <= t).collect();
        counted.sort_unstable_by_key(|(key, _)| *key);
        for (key, fact) in counted {
            state.apply(*key, fact);
        }
        let levels: Vec<u32> = state.meaning.landscape.levels.keys().copied().collect();
        for level in levels {
            let rows = state.meaning.lies_in(names, level).into_iter();
            let rows: Vec<LiesIn> =
                rows.filter(|(_, span)| span.contains(t)).map(|(row, _)| row).collect();
            if !rows.is_empty() {
                state.paths.insert(level, rows);
            }
        }
        state
    }

    fn named(&self, fact: &Fact) -> [Option<u32>; 2] {
        match fact {
            Fact::Holding(holding, _) => {
                [self.log.keys.get(*holding as usize).map(|key| key.principal), None]
            }
            Fact::Membership(member, _) => {
                let of = self.log.members.get(*member as usize);
                [of.map(|of| of.set), of.map(|of| of.member)]
            }
            Fact::Removal(principal) => [Some(*principal), None],
            Fact::Structural(_) | Fact::Void(_) => [None, None],
        }
    }

    fn apply(&mut self, key: Key, fact: &Fact) {
        let log = self.log;
        match fact {
            Fact::Structural(change) => {
                let landscape = &mut self.meaning.landscape;
                let touched = landscape.insert(self.names, key, (**change).clone());
                for level in touched.levels {
                    if self.meaning.landscape.level(level, key.0).is_none() {
                        let held = log.of_level.get(&level).into_iter().flatten();
                        self.end(held.flat_map(|(_, numbers)| numbers), false);
                    }
                }
                for (level, name) in touched.collections {
                    let what = Grantable::Collection(name);
                    if !self.meaning.is_custom(level, what, key.0) {
                        let held = log.of_level.get(&level).and_then(|held| held.get(&what));
                        self.end(held.into_iter().flatten(), true);
                    }
                }
            }
            Fact::Holding(number, change) => {
                let Some(run) = self.running.get_mut(*number as usize) else { return };
                let before = run.filter(|run| run.until > key.0);
                *run = match change {
                    Change::Grant { until, custom } => Some(Run {
                        since: before.map_or(key.0, |run| run.since),
                        until: *until,
                        entry: key.1,
                        custom: *custom,
                    }),
                    Change::Revoke | Change::End | Change::EndCustom => None,
                };
            }
            Fact::Membership(number, add) => {
                if let Some(member) = self.members.get_mut(*number as usize) {
                    *member = *add;
                }
            }
            Fact::Removal(principal) => {
                self.end(log.of_principal.get(principal).into_iter().flatten(), false);
                for number in log.member_of.get(principal).into_iter().flatten() {
                    if let Some(member) = self.members.get_mut(*number as usize) {
                        *member = false;
                    }
                }
            }
            Fact::Void(_) => {}
        }
    }

    fn end<'n>(&mut self, numbers: impl Iterator<Item = &'n u32>, custom_alone: bool) {
        for number in numbers {
            if let Some(run) = self.running.get_mut(*number as usize)
                && run.is_some_and(|run| run.custom || !custom_alone)
            {
                *run = None;
            }
        }
    }

    fn counting(&mut self, number: u32) -> Option<(HoldingKey, Granted, Run)> {
        let key = *self.log.keys.get(number as usize)?;
        let run = self.running.get(number as usize)?.filter(|run| run.until > self.t)?;
        let granted = Granted { what: key.what, custom: run.custom };
        let spans = self.meaning.countable(self.names, key.level, granted);
        spans.iter().any(|span| span.contains(self.t)).then_some((key, granted, run))
    }

    fn held(&self, key: HoldingKey, granted: Granted, run: Run) -> Held {
        Held {
            holder: text(self.names, key.principal),
            level: self.names.levels.item(key.level).to_string(),
            granted: self.names.granted_text(&granted),
            since: run.since,
            until: run.until,
            entry: run.entry,
        }
    }

    fn holdings(&mut self, wanted: impl Fn(&HoldingKey) -> bool) -> Vec<Held> {
        let numbers = (0..).zip(&self.log.keys);
        let numbers: Vec<u32> =
            numbers.filter(|(_, key)| wanted(key)).map(|(number, _)| number).collect();
        let mut found = Vec::new();
        for number in numbers {
            if let Some((key, granted, run)) = self.counting(number) {
                found.push(self.held(key, granted, run));
            }
        }
        found
    }

    fn subtree(&self, root: Option<u32>) -> Vec<u32> {
        let Some(root) = root else { return Vec::new() };
        let all = self.paths.iter();
        all.filter(|(_, path)| path.iter().any(|row| row.ancestor == root))
            .map(|(level, _)| *level)
            .collect()
    }

    /// The clauses of what is asked for on a level
    fn clauses(&self, can: &str, on: u32) -> Vec<Vec<Leaf>> {
        let Some(own) = self.paths.get(&on).and_then(|path| path.first()) else {
            return Vec::new();
        };
        let catalogs = &self.meaning.landscape.catalogs;
        let catalog = super::landscape::at(catalogs, self.t).copied().unwrap_or(NO_CATALOG);
        if let Some((_, held)) =
            self.names.held.all().find(|(_, held)| self.names.held_text(held) == can)
        {
            let held = match held {
                Asked::Scope(scope) => Asked::Scope(
                    self.log.catalogs.get(catalog as usize).map_or(*scope, |c| c.real(*scope)),
                ),
                other => *other,
            };
            return vec![vec![(held, vec![on])]];
        }
        let operation = self.names.texts.get(&Arc::from(can));
        let mut clauses: BTreeMap<u32, BTreeMap<u32, Leaf>> = BTreeMap::new();
        let rows = self.requires.iter().filter(|row| {
            row.catalog == catalog
                && (row.kind, row.set) == (own.kind, own.set)
                && Some(row.operation) == operation
        });
        for row in rows {
            let leaves = clauses.entry(row.clause).or_default();
            let leaf = leaves
                .entry(row.leaf)
                .or_insert_with(|| (*self.names.held.item(row.held), Vec::new()));
            if row.below {
                let all = self.paths.iter().filter(|(level, path)| {
                    **level != on && path.iter().any(|up| up.ancestor == on && up.kind == row.place)
                });
                leaf.1.extend(all.map(|(level, _)| *level));
            } else {
                let path = self.paths.get(&on).into_iter().flatten();
                let at = path.filter(|up| up.ancestor_kind == row.place);
                leaf.1.extend(at.map(|up| up.ancestor));
            }
        }
        clauses.into_values().map(|leaves| leaves.into_values().collect()).collect()
    }

    /// The holdings that support a leaf
    fn support(&mut self, (held, levels): &Leaf) -> Vec<(HoldingKey, Granted, Run)> {
        let mut found = Vec::new();
        for level in levels {
            let given = self.meaning.all_given(self.names, *level, self.t);
            let giving: FxHashSet<Granted> =
                given.into_iter().filter(|(_, gives)| gives == held).map(|(g, _)| g).collect();
            let here = self.log.of_level.get(level);
            for (_, numbers) in here.into_iter().flatten() {
                for number in numbers {
                    let counting = self.counting(*number);
                    found.extend(counting.filter(|(_, granted, _)| giving.contains(granted)));
                }
            }
        }
        found
    }

    fn who(&mut self, can: &str, on: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        for clause in self.clauses(can, on) {
            let mut all: Option<BTreeSet<u32>> = None;
            for leaf in &clause {
                let mut subjects = BTreeSet::new();
                for (key, _, _) in self.support(leaf) {
                    subjects.insert(key.principal);
                    subjects.extend(self.known.get(&key.principal).into_iter().flatten());
                    let members = self.log.member_of.get(&key.principal).into_iter().flatten();
                    subjects.extend(members.filter_map(|number| {
                        let of = self.log.members.get(*number as usize)?;
                        let is = self.members.get(*number as usize) == Some(&true);
                        (is && of.set == key.principal).then_some(of.member)
                    }));
                }
                all = Some(match all {
                    Some(before) => before.intersection(&subjects).copied().collect(),
                    None => subjects,
                });
            }
            found.extend(all.unwrap_or_default());
        }
        found
    }

    fn check(&mut self, principal: &Principal, can: &str, on: u32) -> Option<Vec<Held>> {
        let own = self.names.principals.get(principal);
        let mut holders: FxHashSet<u32> = own.into_iter().collect();
        if principal.kind() == PrincipalKind::User {
            let of = own.and_then(|own| self.log.member_of.get(&own)).into_iter().flatten();
            holders.extend(of.filter_map(|number| {
                let is = self.members.get(*number as usize) == Some(&true);
                Some(self.log.members.get(*number as usize)?.set).filter(|_| is)
            }));
            holders.extend(self.names.principals.get(&Principal::everyone(principal.origin())));
        }
        let mut because = BTreeSet::new();
        for clause in self.clauses(can, on) {
            let mut supports = Vec::new();
            for leaf in &clause {
                let mut support = self.support(leaf);
                support.retain(|(key, _, _)| holders.contains(&key.principal));
                supports.push(support);
            }
            if supports.iter().all(|support| !support.is_empty()) {
                let all = supports.into_iter().flatten();
                because.extend(all.map(|(key, granted, run)| self.held(key, granted, run)));
            }
        }
        (!because.is_empty()).then(|| because.into_iter().collect())
    }
}
