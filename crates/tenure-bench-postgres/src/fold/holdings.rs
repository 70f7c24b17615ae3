//! When does a holding or a membership run, as known now?

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::landscape::{Key, Landscape};
use crate::names::Grantable;
use crate::span::{FOREVER, Span};
use crate::tables::{HoldingRow, Membership, Open};

/// A change of one holding
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Change {
    Grant {
        until: i64,
        custom: bool,
    },
    Revoke,
    /// Its principal was removed, or its level deleted
    End,
    /// Its custom definition was deleted
    EndCustom,
}

/// Who holds what where
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct HoldingKey {
    pub(super) principal: u32,
    pub(super) what: Grantable,
    pub(super) level: u32,
}

#[derive(Debug)]
pub(super) struct Holding {
    pub(super) key: HoldingKey,
    /// Counted grants and revokes, in order
    changes: Vec<(Key, Change)>,
    pub(super) open: Open<HoldingRow>,
}

/// A stretch in which a holding runs under one set of terms
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) span: Span,
    pub(super) since: i64,
    pub(super) until: i64,
    pub(super) entry: u64,
    pub(super) custom: bool,
}

/// A counted change of membership
#[derive(Debug)]
pub(super) struct Member {
    pub(super) of: Membership,
    changes: Vec<(Key, bool)>,
    pub(super) open: Open<Membership>,
}

/// Holdings, memberships and removals, with the ways to find them
#[derive(Debug, Default)]
pub(super) struct Holdings {
    pub(super) holdings: Vec<Holding>,
    by_key: FxHashMap<HoldingKey, u32>,
    pub(super) of_level: FxHashMap<u32, FxHashMap<Grantable, Vec<u32>>>,
    pub(super) of_principal: FxHashMap<u32, Vec<u32>>,
    pub(super) members: Vec<Member>,
    by_pair: FxHashMap<Membership, u32>,
    pub(super) member_of: FxHashMap<u32, Vec<u32>>,
    removals: FxHashMap<u32, BTreeSet<Key>>,
}

fn put<T>(changes: &mut Vec<(Key, T)>, key: Key, change: T) {
    let place = changes.partition_point(|(other, _)| *other < key);
    changes.insert(place, (key, change));
}

fn take<T>(changes: &mut Vec<(Key, T)>, key: Key) {
    changes.retain(|(other, _)| *other != key);
}

impl Holdings {
    pub(super) fn holding(&mut self, key: HoldingKey) -> u32 {
        if let Some(number) = self.by_key.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.holdings.len()).unwrap_or(u32::MAX);
        self.holdings.push(Holding { key, changes: Vec::new(), open: Open::default() });
        self.by_key.insert(key, number);
        let level = self.of_level.entry(key.level).or_default();
        level.entry(key.what).or_default().push(number);
        self.of_principal.entry(key.principal).or_default().push(number);
        number
    }

    pub(super) fn member(&mut self, of: Membership) -> u32 {
        if let Some(number) = self.by_pair.get(&of) {
            return *number;
        }
        let number = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.members.push(Member { of, changes: Vec::new(), open: Open::default() });
        self.by_pair.insert(of, number);
        self.member_of.entry(of.set).or_default().push(number);
        self.member_of.entry(of.member).or_default().push(number);
        number
    }

    pub(super) fn put_change(&mut self, holding: u32, key: Key, change: Option<Change>) {
        if let Some(holding) = self.holdings.get_mut(holding as usize) {
            match change {
                Some(change) => put(&mut holding.changes, key, change),
                None => take(&mut holding.changes, key),
            }
        }
    }

    pub(super) fn put_member(&mut self, member: u32, key: Key, add: Option<bool>) {
        if let Some(member) = self.members.get_mut(member as usize) {
            match add {
                Some(add) => put(&mut member.changes, key, add),
                None => take(&mut member.changes, key),
            }
        }
    }

    pub(super) fn put_removal(&mut self, principal: u32, key: Key, counts: bool) {
        let removals = self.removals.entry(principal).or_default();
        if counts {
            removals.insert(key);
        } else {
            removals.remove(&key);
        }
    }

    fn removals(&self, principal: u32) -> impl Iterator<Item = Key> {
        self.removals.get(&principal).into_iter().flatten().copied()
    }

    /// The stretches in which a holding runs
    pub(super) fn pieces(&self, landscape: &Landscape, holding: u32) -> Vec<Piece> {
        let Some(holding) = self.holdings.get(holding as usize) else { return Vec::new() };
        let key = holding.key;
        let mut ends: Vec<(Key, Change)> =
            self.removals(key.principal).map(|key| (key, Change::End)).collect();
        if let Some(track) = landscape.levels.get(&key.level) {
            let states = track.states.iter();
            ends.extend(states.filter(|(_, s)| s.is_none()).map(|(key, _)| (*key, Change::End)));
            let end = |key: &Key| (*key, Change::EndCustom);
            match key.what {
                Grantable::Collection(name) => {
                    let track = track.collections.get(&name).into_iter().flatten();
                    ends.extend(track.filter(|(_, r)| r.is_none()).map(|(key, _)| end(key)));
                }
                Grantable::Role(role) => {
                    let track = track.roles.get(&role).into_iter().flatten();
                    ends.extend(track.filter(|(_, c)| c.is_none()).map(|(key, _)| end(key)));
                }
            }
        }
        if ends.is_empty() {
            return walk(holding.changes.iter());
        }
        let mut all: Vec<(Key, Change)> = [&holding.changes[..], &ends[..]].concat();
        all.sort_by_key(|(key, _)| *key);
        walk(all.iter())
    }

    /// The stretches of a membership
    pub(super) fn stretches(&self, member: u32) -> Vec<(Membership, Span)> {
        let Some(member) = self.members.get(member as usize) else { return Vec::new() };
        let of = member.of;
        let gone = self.removals(of.set).chain(self.removals(of.member));
        let mut all: Vec<(Key, bool)> = gone.map(|key| (key, false)).collect();
        all.extend(&member.changes);
        all.sort_unstable();
        let mut since = None;
        let mut found = Vec::new();
        for (key, add) in all {
            if add {
                since = since.or(Some(key.0));
            } else if let Some(from) = since.take() {
                found.extend(Span::new(from, key.0).map(|span| (of, span)));
            }
        }
        let last = since.and_then(|from| Span::new(from, FOREVER));
        found.extend(last.map(|span| (of, span)));
        crate::span::joined(found)
    }
}

/// In order; at one instant, what expires does so before any change
fn walk<'a>(changes: impl Iterator<Item = &'a (Key, Change)>) -> Vec<Piece> {
    struct Running {
        from: i64,
        since: i64,
        until: i64,
        entry: u64,
        custom: bool,
    }
    let mut found = Vec::new();
    let mut running: Option<Running> = None;
    let mut close = |run: &Running, t: i64| {
        found.extend(Span::new(run.from, t.min(run.until)).map(|span| Piece {
            span,
            since: run.since,
            until: run.until,
            entry: run.entry,
            custom: run.custom,
        }));
    };
    for ((t, position, _), change) in changes {
        if let Some(run) = running.take_if(|run| run.until <= *t) {
            close(&run, run.until);
        }
        match change {
            Change::Grant { until, custom } => {
                let since = running.as_ref().map_or(*t, |run| run.since);
                if let Some(run) = running.take() {
                    close(&run, *t);
                }
                let (until, custom) = (*until, *custom);
                running = Some(Running { from: *t, since, until, entry: *position, custom });
            }
            Change::EndCustom if running.as_ref().is_some_and(|run| !run.custom) => {}
            Change::Revoke | Change::End | Change::EndCustom => {
                if let Some(run) = running.take() {
                    close(&run, *t);
                }
            }
        }
    }
    if let Some(run) = running {
        close(&run, FOREVER);
    }
    found
}
