//! Which known names contain a text?
//!
//! A person rarely knows a name whole. So a search takes parts of it, in any letter case and without accents, and
//! gives the names that other questions take. It looks at every name once: nothing is indexed for it.
//!
//! Rules: `docs/semantics.md#search`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ask::answer::{Found, Search as Answer};
use crate::ask::found_kind::FoundKind;
use crate::ledger::moment::Moment;
use crate::ledger::view::View;
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::name::searched;
use crate::words::symbol::{LevelRef, PrincipalRef, Symbol};

/// What is searched for
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// Words; a name must contain each of them
    pub text: Arc<str>,
    /// Only names of this kind
    pub kind: Option<FoundKind>,
    /// At most so many names
    pub limit: usize,
}

/// How well a name fits, the best first
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Rank {
    /// It is the text
    Equal,
    /// It begins with the text
    Prefix,
    /// The text stands in it, and neither a letter nor a digit stands beside the text
    Word,
    /// It contains every word
    Within,
}

/// A text that names are compared to
struct Text {
    whole: String,
    words: Vec<String>,
}

impl Text {
    fn new(text: &str) -> Self {
        let whole = searched(text);
        Self { words: whole.split(' ').map(str::to_owned).collect(), whole }
    }

    /// How well something fits that has one name or two
    fn rank(&self, names: [Option<&str>; 2]) -> Option<Rank> {
        let names = names.map(|name| name.map(searched));
        let contained = |word: &String| names.iter().flatten().any(|name| name.contains(&**word));
        let fits = !self.whole.is_empty() && self.words.iter().all(contained);
        fits.then(|| names.iter().flatten().map(|name| self.rank_of(name)).min()).flatten()
    }

    fn rank_of(&self, name: &str) -> Rank {
        let Some(rest) = name.strip_prefix(&*self.whole) else {
            return if self.is_word_of(name) { Rank::Word } else { Rank::Within };
        };
        if rest.is_empty() { Rank::Equal } else { Rank::Prefix }
    }

    fn is_word_of(&self, name: &str) -> bool {
        let within = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        name.match_indices(&*self.whole).any(|(place, found)| {
            let (before, rest) = name.split_at_checked(place).unwrap_or_default();
            let after = rest.strip_prefix(found).unwrap_or_default();
            !within(before.chars().next_back()) && !within(after.chars().next())
        })
    }
}

/// Something that fits
struct Hit<'a> {
    rank: Rank,
    kind: FoundKind,
    id: Cow<'a, str>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Level(LevelRef),
    Operation(Symbol),
    Other,
}

impl Hit<'_> {
    fn place(&self) -> (Rank, FoundKind, &str) {
        (self.rank, self.kind, &self.id)
    }
}

/// What levels define, each name once
#[derive(Default)]
struct Definitions {
    granted: BTreeSet<Grantable>,
    operations: BTreeSet<Symbol>,
    permissions: BTreeSet<Symbol>,
}

impl View<'_> {
    /// The names that contain every word of a text, the best first
    ///
    /// # Cost
    /// O(principals and levels that were ever named + custom roles and role collections + names in the catalogue).
    pub fn search(&self, asked: &Search, t: EffectiveAt) -> Answer {
        let now = Moment::new(self, t);
        let text = Text::new(&asked.text);
        let wanted = |kind| asked.kind.is_none_or(|one| one == kind);
        let mut hits = Vec::new();
        if asked.kind.is_none_or(|kind| matches!(kind, FoundKind::Level(_))) {
            now.levels_like(&text, wanted, &mut hits);
        }
        if asked.kind.is_none_or(|kind| matches!(kind, FoundKind::Principal(_))) {
            self.principals_like(&text, wanted, &mut hits);
        }
        if asked.kind.is_none_or(FoundKind::is_defined) {
            now.definitions_like(&text, wanted, &mut hits);
        }
        let more = hits.len() > asked.limit;
        if more {
            hits.select_nth_unstable_by(asked.limit, |a, b| a.place().cmp(&b.place()));
            hits.truncate(asked.limit);
        }
        hits.sort_unstable_by(|a, b| a.place().cmp(&b.place()));
        Answer { found: hits.into_iter().map(|hit| now.found(hit)).collect(), more }
    }

    fn principals_like<'a>(
        &'a self,
        text: &Text,
        wanted: impl Fn(FoundKind) -> bool,
        hits: &mut Vec<Hit<'a>>,
    ) {
        for (principal, number) in self.ledger.principals.iter().zip(0..) {
            let kind = FoundKind::Principal(principal.kind());
            if wanted(kind)
                // `everyone:` has no name within its origin: the origin is its name.
                && let Some(rank) = text.rank([principal.name().or(Some(principal.origin())), None])
                && self.knows(PrincipalRef { number, kind: principal.kind() })
            {
                let id = Cow::Borrowed(principal.as_str());
                hits.push(Hit { rank, kind, id, what: What::Other });
            }
        }
    }
}

impl<'v> Moment<'v> {
    fn levels_like(
        &self,
        text: &Text,
        wanted: impl Fn(FoundKind) -> bool,
        hits: &mut Vec<Hit<'v>>,
    ) {
        for (level, state) in self.land.levels() {
            let kind = FoundKind::Level(level.kind);
            let named = self.view.ledger.level_of(level);
            if wanted(kind)
                && let Some(rank) = text.rank([Some(named.id()), state.attributes.name.as_deref()])
            {
                let id = Cow::Borrowed(named.as_str());
                hits.push(Hit { rank, kind, id, what: What::Level(level) });
            }
        }
    }

    fn definitions_like(
        &self,
        text: &Text,
        wanted: impl Fn(FoundKind) -> bool,
        hits: &mut Vec<Hit<'v>>,
    ) {
        let symbols = &self.view.ledger.symbols;
        let Definitions { granted, operations, permissions } = self.definitions();
        for grantable in granted {
            let (kind, names) = match grantable {
                Grantable::RoleCollection(name) => {
                    (FoundKind::RoleCollection, [Some(&**symbols.text(name)), None])
                }
                Grantable::Role(role) => {
                    let names = [role.name, role.application].map(|part| symbols.text(part));
                    (FoundKind::Role, names.map(|name| Some(&**name)))
                }
            };
            if wanted(kind)
                && let Some(rank) = text.rank(names)
            {
                let id = match grantable {
                    Grantable::RoleCollection(name) => Cow::Borrowed(&**symbols.text(name)),
                    Grantable::Role(role) => Cow::Owned(role.text(symbols)),
                };
                hits.push(Hit { rank, kind, id, what: What::Other });
            }
        }
        for operation in operations {
            let id = &**symbols.text(operation);
            if wanted(FoundKind::Operation)
                && let Some(rank) =
                    text.rank([Some(id), self.title(operation).map(|title| &**title)])
            {
                let (kind, id) = (FoundKind::Operation, Cow::Borrowed(id));
                hits.push(Hit { rank, kind, id, what: What::Operation(operation) });
            }
        }
        for name in permissions.into_iter().filter(|_| wanted(FoundKind::Permission)) {
            let id = &**symbols.text(name);
            if let Some(rank) = text.rank([Some(id), None]) {
                let (kind, id) = (FoundKind::Permission, Cow::Borrowed(id));
                hits.push(Hit { rank, kind, id, what: What::Other });
            }
        }
    }

    /// All that some level defines
    fn definitions(&self) -> Definitions {
        let mut all = Definitions::default();
        let mut met = BTreeSet::new();
        for (level, _) in self.land.levels() {
            let Some(here) = self.here(level) else { continue };
            all.granted.extend(here.custom());
            all.permissions.extend(here.permissions().map(|(name, _)| name));
            // The catalogue defines the same at every level of one kind in one setting.
            if met.insert((level.kind, self.setting(level))) {
                all.granted.extend(here.predefined());
                all.operations.extend(here.operations().map(|(operation, _)| operation));
            }
        }
        all
    }

    fn title(&self, operation: Symbol) -> Option<&'v Arc<str>> {
        self.land.catalog()?.definitions.title(operation)
    }

    fn found(&self, hit: Hit<'_>) -> Found {
        let Hit { kind, id, what, rank: _ } = hit;
        let (title, path) = match what {
            What::Level(level) => {
                let name = self.land.level(level).and_then(|state| state.attributes.name.clone());
                (name, Some(self.path(level)))
            }
            What::Operation(operation) => (self.title(operation).cloned(), None),
            What::Other => (None, None),
        };
        Found { kind, id: id.into_owned(), title, path }
    }

    /// What a level lies in, from the root down, each by its name if it has one
    fn path(&self, level: LevelRef) -> Vec<Arc<str>> {
        let above = self.land.upwards(level).skip(1);
        let above = above.filter(|(level, _)| *level != LevelRef::LEDGER);
        let name = |(level, state): (LevelRef, &crate::history::landscape::LevelState)| {
            let own = || self.view.ledger.level_of(level).as_str().into();
            state.attributes.name.clone().unwrap_or_else(own)
        };
        let mut path: Vec<Arc<str>> = above.map(name).collect();
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_fit_comes_first() {
        let rank = |text: &str, names| Text::new(text).rank(names);
        for (text, name, expected) in [
            ("viewer", "Viewer", Some(Rank::Equal)),
            ("viewer", "Viewers", Some(Rank::Prefix)),
            ("viewer", "Subaccount Viewer", Some(Rank::Word)),
            ("viewer", "Subaccount Viewers", Some(Rank::Within)),
            ("viewer", "a-viewers viewer.b", Some(Rank::Word)),
            ("viewer  sub", "Subaccount Viewer", Some(Rank::Within)),
            ("zoe", "Zoë", Some(Rank::Equal)),
            ("admin", "Viewer", None),
            ("", "Viewer", None),
        ] {
            assert_eq!(rank(text, [Some(name), None]), expected, "{text} in {name}");
        }
        // Words may be spread over both names.
        assert_eq!(rank("prod eu10", [Some("eu10-a"), Some("Production")]), Some(Rank::Within));
        assert_eq!(rank("prod", [Some("x"), Some("Prod")]), Some(Rank::Equal));
    }
}
