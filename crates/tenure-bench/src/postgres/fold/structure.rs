//! Which levels, role collections and catalogues were there when, and what do names mean?
//!
//! In the histories that are made up, structure changes when it is recorded and is never voided. So every list here is
//! in order of time, and only grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tenure_core::LevelKind;

use super::super::tables::{
    CustomGives, Grantable, Granted, LiesIn, NO_CATALOG, Names, Role, Span, joined, without,
};
use super::definitions::Definitions;

/// What something was, from each moment on; `None` is a deletion
pub(super) type Track<T> = Vec<(i64, Option<T>)>;

#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) parent: Option<u32>,
    /// Whether holdings at the level count
    pub(super) counts: bool,
}

/// All that ever was of one level
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) states: Track<State>,
    /// The roles of custom role collections
    pub(super) customs: BTreeMap<u32, Track<Arc<[Role]>>>,
    /// Levels that ever lay directly in it
    children: BTreeSet<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Structure {
    pub(super) levels: FxHashMap<u32, Level>,
    pub(super) catalogs: Vec<(i64, Definitions)>,
    nothing: Definitions,
    countable: FxHashMap<(u32, Granted), Arc<[Span]>>,
}

/// The stretches of a track in which there was something
fn stretches<T>(track: &Track<T>) -> impl Iterator<Item = (Span, &T)> {
    let ends = track.iter().skip(1).map(|(t, _)| *t).chain([Span::ALWAYS.until]);
    track
        .iter()
        .zip(ends)
        .filter_map(|((from, value), until)| Some((Span::new(*from, until)?, value.as_ref()?)))
}

impl Structure {
    /// Puts a level in a state, or deletes it with all below it; gives all levels that this touches
    pub(super) fn put(&mut self, level: u32, t: i64, state: Option<State>) -> BTreeSet<u32> {
        let below = self.ever_below(level);
        if let Some(state) = state {
            self.levels.entry(level).or_default().states.push((t, Some(state)));
            if let Some(parent) = state.parent {
                self.levels.entry(parent).or_default().children.insert(level);
            }
            return below;
        }
        let gone: Vec<u32> =
            below.iter().copied().filter(|one| self.lies_in(*one, level)).collect();
        for one in gone {
            let level = self.levels.entry(one).or_default();
            level.states.push((t, None));
            let customs = level.customs.values_mut();
            customs.filter(|track| exists(track)).for_each(|track| track.push((t, None)));
        }
        below
    }

    /// The state of a level after the last change
    pub(super) fn newest(&self, level: u32) -> Option<State> {
        self.levels.get(&level)?.states.last()?.1
    }

    /// Whether a level exists and lies in another, or is it, after the last change
    fn lies_in(&self, level: u32, ancestor: u32) -> bool {
        let state = self.newest(level);
        let above = |state: State| state.parent.is_some_and(|up| self.lies_in(up, ancestor));
        state.is_some_and(|state| level == ancestor || above(state))
    }

    /// A level and all that was ever below it
    fn ever_below(&self, level: u32) -> BTreeSet<u32> {
        let (mut found, mut queue) = (BTreeSet::from([level]), vec![level]);
        while let Some(one) = queue.pop() {
            let children = self.levels.get(&one).into_iter().flat_map(|level| &level.children);
            queue.extend(children.copied().filter(|child| found.insert(*child)));
        }
        found
    }

    /// The stretches of time with the number of the catalogue in force; [`NO_CATALOG`] before the first
    pub(super) fn in_force(&self) -> Vec<(u32, Span)> {
        let from = self.catalogs.iter().map(|(from, _)| *from);
        let ends = from.clone().chain([Span::ALWAYS.until]);
        let spans = [Span::ALWAYS.from].into_iter().chain(from).zip(ends);
        let numbers = [NO_CATALOG].into_iter().chain(0..);
        let all = numbers.zip(spans.map(|(from, until)| Span::new(from, until)));
        all.filter_map(|(number, span)| Some((number, span?))).collect()
    }

    fn definitions(&self, catalog: u32) -> &Definitions {
        self.catalogs.get(catalog as usize).map_or(&self.nothing, |(_, definitions)| definitions)
    }

    /// What is in force after the last change
    pub(super) fn newest_definitions(&self) -> &Definitions {
        self.catalogs.last().map_or(&self.nothing, |(_, definitions)| definitions)
    }

    /// Whether there is a custom role collection of that name after the last change
    pub(super) fn has_custom(&self, level: u32, what: Grantable) -> bool {
        self.custom(level, what).is_some_and(exists)
    }

    /// The track of a custom role collection, if there ever was one
    pub(super) fn custom(&self, level: u32, what: Grantable) -> Option<&Track<Arc<[Role]>>> {
        match what {
            Grantable::Collection(name) => self.levels.get(&level)?.customs.get(&name),
            Grantable::Role(_) => None,
        }
    }

    /// The stretches in which a level lay in the same ancestors, from itself up, and whether its holdings count
    fn paths(&self, level: u32, within: Span) -> Vec<(Span, bool, Vec<u32>)> {
        let states = self.levels.get(&level).into_iter().flat_map(|level| stretches(&level.states));
        let mut found = Vec::new();
        for (span, state) in states {
            let Some(span) = span.and(within) else { continue };
            let above = match state.parent {
                None => vec![(span, true, Vec::new())],
                Some(parent) => self.paths(parent, span),
            };
            found.extend(above.into_iter().map(|(span, _, above)| {
                (span, state.counts, [level].into_iter().chain(above).collect())
            }));
        }
        found
    }

    /// The rows of a level and its ancestors
    pub(super) fn lies_in_rows(&self, names: &Names, level: u32) -> Vec<(LiesIn, Span)> {
        let kind = names.kind(level) as u32;
        let paths = self.paths(level, Span::ALWAYS).into_iter();
        let rows = paths.flat_map(|(span, _, path)| {
            let row = move |ancestor| {
                let ancestor_kind = names.kind(ancestor) as u32;
                (LiesIn { level, kind, ancestor, ancestor_kind }, span)
            };
            path.into_iter().map(row)
        });
        joined(rows.collect())
    }

    /// What custom role collections give at a level
    pub(super) fn custom_rows(&self, names: &mut Names, level: u32) -> Vec<(CustomGives, Span)> {
        let customs = self.levels.get(&level).into_iter().flat_map(|level| &level.customs);
        let mut rows = Vec::new();
        for (name, track) in customs {
            let granted = Granted { what: Grantable::Collection(*name), custom: true };
            let granted = names.granted.number(&granted);
            for (span, roles) in stretches(track) {
                for (catalog, of) in self.in_force() {
                    let Some(span) = span.and(of) else { continue };
                    let table = self.definitions(catalog).table(names.kind(level));
                    for held in table.collection_gives(*name, roles) {
                        let held = names.held.number(&held);
                        rows.push((CustomGives { level, held, granted }, span));
                    }
                }
            }
        }
        joined(rows)
    }

    /// The stretches in which a running holding of that counts
    pub(super) fn countable(&mut self, kind: LevelKind, level: u32, of: Granted) -> Arc<[Span]> {
        if let Some(found) = self.countable.get(&(level, of)) {
            return Arc::clone(found);
        }
        let customs = self.custom(level, of.what).into_iter().flat_map(stretches);
        let customs: Vec<Span> = customs.map(|(span, _)| span).collect();
        let in_force = self.in_force().into_iter();
        let predefined = in_force.filter(|(n, _)| self.definitions(*n).table(kind).has(of.what));
        let defined: Vec<Span> = match of.custom {
            true => customs,
            false => predefined.flat_map(|(_, span)| without(span, &customs)).collect(),
        };
        let paths = self.paths(level, Span::ALWAYS).into_iter();
        let counting = paths.filter(|(_, counts, _)| *counts);
        let both = counting.flat_map(|(span, _, _)| defined.iter().map(move |of| of.and(span)));
        let spans = joined(both.flatten().map(|span| ((), span)).collect());
        let found: Arc<[Span]> = spans.into_iter().map(|(_, span)| span).collect();
        self.countable.insert((level, of), Arc::clone(&found));
        found
    }

    /// What counts at a level may have changed
    pub(super) fn forget(&mut self, level: u32, what: Grantable) {
        for custom in [false, true] {
            self.countable.remove(&(level, Granted { what, custom }));
        }
    }
}

fn exists<T>(track: &Track<T>) -> bool {
    track.last().is_some_and(|(_, value)| value.is_some())
}
