//! Which levels, role collections and catalogues were there when, and what do names mean?
//!
//! In the histories that are made up, structure changes when it is recorded and is never voided. So every list here is
//! in order of time, and only grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tenure_core::LevelKind;

use super::super::tables::{CustomGives, LiesIn, Names, Span, joined};
use super::definitions::Definitions;

/// What something was, from each moment on; `None` is a deletion
pub(super) type Track<T> = Vec<(i64, Option<T>)>;

/// The name of a custom role collection, and its roles from each moment on
type Custom = (Arc<str>, Track<Arc<[u32]>>);

/// The whole history of one level
#[derive(Debug, Default)]
pub(super) struct Level {
    /// What it lies in; the root lies in nothing
    pub(super) parents: Track<Option<u32>>,
    /// The names and roles of custom role collections, by how they are granted
    pub(super) customs: BTreeMap<u32, Custom>,
    /// Levels that ever lay directly in it
    children: BTreeSet<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Structure {
    pub(super) levels: FxHashMap<u32, Level>,
    pub(super) catalogs: Vec<(i64, Definitions)>,
    nothing: Definitions,
    countable: FxHashMap<(u32, u32), Arc<[Span]>>,
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
    /// Puts a level into another, or deletes it with all below it; gives all levels that this touches
    pub(super) fn put(&mut self, level: u32, t: i64, parent: Option<Option<u32>>) -> BTreeSet<u32> {
        let below = self.ever_below(level);
        if let Some(parent) = parent {
            self.levels.entry(level).or_default().parents.push((t, Some(parent)));
            if let Some(parent) = parent {
                self.levels.entry(parent).or_default().children.insert(level);
            }
            return below;
        }
        let gone: Vec<u32> =
            below.iter().copied().filter(|one| self.lies_in(*one, level)).collect();
        for one in gone {
            let level = self.levels.entry(one).or_default();
            level.parents.push((t, None));
            let customs = level.customs.values_mut();
            let exists = |track: &&mut Track<_>| track.last().is_some_and(|(_, of)| of.is_some());
            let customs = customs.map(|(_, track)| track).filter(exists);
            customs.for_each(|track| track.push((t, None)));
        }
        below
    }

    /// Whether a level exists and lies in another, or is it, after the last change
    fn lies_in(&self, level: u32, ancestor: u32) -> bool {
        let parent = self.levels.get(&level).and_then(|level| level.parents.last()?.1);
        let above = |parent: Option<u32>| parent.is_some_and(|up| self.lies_in(up, ancestor));
        parent.is_some_and(|parent| level == ancestor || above(parent))
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

    /// The stretches of time with the number of the catalogue in force
    pub(super) fn in_force(&self) -> impl Iterator<Item = (u32, Span)> {
        let ends = self.catalogs.iter().skip(1).map(|(from, _)| *from).chain([Span::ALWAYS.until]);
        let spans =
            self.catalogs.iter().zip(ends).map(|((from, _), until)| Span::new(*from, until));
        (0..).zip(spans).filter_map(|(number, span)| Some((number, span?)))
    }

    fn definitions(&self, catalog: u32) -> &Definitions {
        self.catalogs.get(catalog as usize).map_or(&self.nothing, |(_, definitions)| definitions)
    }

    /// What is in force after the last change
    pub(super) fn newest_definitions(&self) -> &Definitions {
        self.catalogs.last().map_or(&self.nothing, |(_, definitions)| definitions)
    }

    /// The track of a custom role collection, if there ever was one
    pub(super) fn custom(&self, level: u32, granted: u32) -> Option<&Track<Arc<[u32]>>> {
        Some(&self.levels.get(&level)?.customs.get(&granted)?.1)
    }

    /// The stretches in which a level lay in the same ancestors, from itself up
    fn paths(&self, level: u32, within: Span) -> Vec<(Span, Vec<u32>)> {
        let parents = self.levels.get(&level).into_iter().flat_map(|of| stretches(&of.parents));
        let mut found = Vec::new();
        for (span, parent) in parents {
            let Some(span) = span.and(within) else { continue };
            let above = match parent {
                None => vec![(span, Vec::new())],
                Some(parent) => self.paths(*parent, span),
            };
            let path = |above: Vec<u32>| [level].into_iter().chain(above).collect();
            found.extend(above.into_iter().map(|(span, above)| (span, path(above))));
        }
        found
    }

    /// The rows of a level and its ancestors
    pub(super) fn lies_in_rows(&self, names: &Names, level: u32) -> Vec<(LiesIn, Span)> {
        let kind = names.kind(level) as u32;
        let paths = self.paths(level, Span::ALWAYS).into_iter();
        let rows = paths.flat_map(|(span, path)| {
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
        for (granted, (name, track)) in customs {
            for (span, roles) in stretches(track) {
                for (catalog, of) in self.in_force() {
                    let Some(span) = span.and(of) else { continue };
                    let table = self.definitions(catalog).table(names.kind(level));
                    let held = table.collection_gives(name, roles, names).into_iter();
                    let row = |held| CustomGives { level, held, granted: *granted };
                    rows.extend(held.map(|held| (row(held), span)));
                }
            }
        }
        joined(rows)
    }

    /// The stretches in which a running holding of that counts
    pub(super) fn countable(&mut self, kind: LevelKind, level: u32, granted: u32) -> Arc<[Span]> {
        if let Some(found) = self.countable.get(&(level, granted)) {
            return Arc::clone(found);
        }
        let custom = self.custom(level, granted).into_iter().flat_map(stretches);
        let has = |catalog| self.definitions(catalog).table(kind).gives.contains_key(&granted);
        let predefined = self.in_force().filter(|(catalog, _)| has(*catalog));
        let defined = custom.map(|(span, _)| span).chain(predefined.map(|(_, span)| span));
        let defined: Vec<Span> = defined.collect();
        let exists = self.levels.get(&level).into_iter().flat_map(|of| stretches(&of.parents));
        let both = exists.flat_map(|(span, _)| defined.iter().map(move |of| of.and(span)));
        let spans = joined(both.flatten().map(|span| ((), span)).collect());
        let found: Arc<[Span]> = spans.into_iter().map(|(_, span)| span).collect();
        self.countable.insert((level, granted), Arc::clone(&found));
        found
    }

    /// What counts at a level may have changed
    pub(super) fn forget(&mut self, level: u32, granted: u32) {
        self.countable.remove(&(level, granted));
    }
}
