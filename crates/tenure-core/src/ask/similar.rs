//! Is a name known, and which known names are nearly the same?
//!
//! An auditor who misspells a name must not read "no". So every answer about one principal says whether the principal is
//! known, and every error about a name lists known names that are like it.
//!
//! Rules: `docs/semantics.md#unknown-is-not-nobody`.

use std::sync::Arc;

use crate::ask::answer::{AskError, Gone, Hint, NameKnown};
use crate::ask::question::Question;
use crate::index::mentions::Mention;
use crate::ledger::Ledger;
use crate::ledger::view::View;
use crate::words::definitions::Defined;
use crate::words::grantable::RoleText;
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
use crate::words::position::KnownAt;
use crate::words::principal::Principal;
use crate::words::symbol::{PrincipalRef, Symbol};
use crate::words::tenure;

/// Most principals of other origins that an answer lists
const ELSEWHERE_MAX: usize = 20;
/// Most similar names that an answer lists
const SIMILAR_MAX: usize = 5;
/// Most edits between similar names
const EDITS_MAX: usize = 2;
/// Shorter names are similar to nothing: too many others would be
const LETTERS_MIN: usize = 4;

/// A name to which others are compared
struct Near {
    name: Vec<char>,
    letters: u64,
}

/// A set of letters, each as one of 64 bits
fn letters(name: &str) -> u64 {
    name.chars().fold(0, |set, c| set | 1 << (c as u32 % 64))
}

impl Near {
    /// `None` for a name to which nothing is similar
    fn new(name: &str) -> Option<Self> {
        let letters = letters(name);
        let name: Vec<char> = name.chars().collect();
        (name.len() >= LETTERS_MIN).then_some(Self { name, letters })
    }

    /// How many edits lead from the name to another, if there are one or two
    ///
    /// # Cost
    /// O(1) for nearly every name that is not similar, O(length²) for the others.
    fn edits(&self, other: &str) -> Option<usize> {
        // An edit changes the length by one at most, and puts one letter for another.
        if other.len() > 4 * (self.name.len() + EDITS_MAX)
            || (letters(other) ^ self.letters).count_ones() as usize > 2 * EDITS_MAX
        {
            return None;
        }
        let other: Vec<char> = other.chars().collect();
        if other.len() < LETTERS_MIN || other.len().abs_diff(self.name.len()) > EDITS_MAX {
            return None;
        }
        let edits = strsim::generic_levenshtein(&self.name, &other);
        (1..=EDITS_MAX).contains(&edits).then_some(edits)
    }
}

/// The names that are nearest, each with what it stands for
struct Nearest<T> {
    near: Near,
    found: Vec<(usize, T)>,
}

impl<T: Ord> Nearest<T> {
    fn to(name: &str) -> Option<Self> {
        Some(Self { near: Near::new(name)?, found: Vec::new() })
    }

    fn consider(&mut self, name: &str, of: impl FnOnce() -> Option<T>) {
        if let Some(edits) = self.near.edits(name)
            && let Some(of) = of()
        {
            self.found.push((edits, of));
        }
    }

    /// The nearest first, then in byte order
    fn best(mut self) -> Vec<T> {
        self.found.sort();
        self.found.dedup();
        self.found.into_iter().take(SIMILAR_MAX).map(|(_, of)| of).collect()
    }
}

impl Ledger {
    /// Whether a principal is known, as known then, and who else could be meant
    ///
    /// # Cost
    /// O(principals of that name) for one that is known, O(principals) for one that is not.
    pub(super) fn name_known(&self, principal: &Principal, known_at: KnownAt) -> NameKnown {
        let found = self.name_known_at_once(principal, known_at);
        found.unwrap_or_else(|elsewhere| NameKnown {
            named: false,
            elsewhere,
            similar: self.similar_principals(principal, known_at),
        })
    }

    /// The same where no similar names need be looked for; else those of other origins alone
    pub(super) fn name_known_at_once(
        &self,
        principal: &Principal,
        known_at: KnownAt,
    ) -> Result<NameKnown, Vec<Principal>> {
        let own = self.find_principal(principal);
        let named = own.is_some_and(|own| self.knows(own, known_at));
        let Some(name) = principal.name() else {
            return Ok(NameKnown { named, ..NameKnown::default() });
        };
        let others = self.of_name(principal.kind(), name).filter(|other| Some(*other) != own);
        let known = others.filter(|other| self.knows(*other, known_at));
        let mut elsewhere: Vec<Principal> =
            known.map(|other| self.principal_of(other).clone()).collect();
        elsewhere.sort_unstable();
        elsewhere.truncate(ELSEWHERE_MAX);
        if named { Ok(NameKnown { named, elsewhere, similar: Vec::new() }) } else { Err(elsewhere) }
    }

    fn similar_principals(&self, principal: &Principal, known_at: KnownAt) -> Vec<Principal> {
        let nearest = principal.name().and_then(Nearest::to);
        let Some(mut nearest) = nearest else { return Vec::new() };
        let kind = principal.kind();
        for (other, number) in self.principals.iter().zip(0..) {
            if other.kind() == kind
                && let Some(name) = other.name()
            {
                let known = || self.knows(PrincipalRef { number, kind }, known_at);
                nearest.consider(name, || known().then(|| other.clone()));
            }
        }
        nearest.best()
    }
}

impl View<'_> {
    /// What helps whoever asked something that has no answer
    ///
    /// # Cost
    /// O(names of that kind).
    pub(super) fn hint(&self, error: &AskError, t: EffectiveAt) -> Hint {
        let similar = match error {
            AskError::UnknownLevel(level) => self.similar_levels(level, t),
            AskError::UnknownRoleCollection(name) => {
                self.similar_defined(name, |what| match what {
                    Defined::RoleCollection(name) => Some(name),
                    _ => None,
                })
            }
            AskError::UnknownScope(name) => self.similar_defined(name, |what| match what {
                Defined::Scope(name) => Some(name),
                _ => None,
            }),
            AskError::UnknownRole(text) => self.similar_roles(text),
            AskError::UnknownOperation(id) => self.similar_operations(id, t),
            AskError::UnknownPermission(text) => {
                let name = text.strip_prefix("permission:");
                name.map_or_else(Vec::new, |name| {
                    self.similar_defined(name, |what| match what {
                        Defined::Permission(_, name) => Some(name),
                        _ => None,
                    })
                })
            }
            AskError::DecidedElsewhere(_)
            | AskError::NotYet { .. }
            | AskError::UnknownEntry(_)
            | AskError::EmptyInterval => Vec::new(),
        };
        let gone = match error {
            AskError::UnknownLevel(level) => self.gone(level, t),
            _ => None,
        };
        Hint { similar, gone }
    }

    /// Since when a level is gone that was there before a moment
    fn gone(&self, level: &Level, t: EffectiveAt) -> Option<Gone> {
        let land = self.land(t);
        let states = &land.landscape.track(self.ledger.find_level(level)?)?.states;
        if states.at(land.cut).is_some_and(Option::is_some) {
            return None;
        }
        let key = states.last_where(land.cut, Option::is_none)?;
        Some(Gone { since: key.effective_at, by: key.position })
    }

    fn similar_levels(&self, level: &Level, t: EffectiveAt) -> Vec<String> {
        let Some(mut nearest) = Nearest::to(level.id()) else { return Vec::new() };
        for (there, _) in self.land(t).levels().filter(|(there, _)| there.kind == level.kind()) {
            let there = self.ledger.level_of(there);
            nearest.consider(there.id(), || Some(there.to_string()));
        }
        nearest.best()
    }

    fn similar_defined(
        &self,
        name: &str,
        symbol: impl Fn(Defined) -> Option<Symbol>,
    ) -> Vec<String> {
        let Some(mut nearest) = Nearest::to(name) else { return Vec::new() };
        for what in self.ledger.ever_defined() {
            let Some(symbol) = symbol(what) else { continue };
            let text = self.ledger.symbols.text(symbol);
            let defined =
                || self.ledger.was_defined(what, self.known_at()).then(|| text.to_string());
            nearest.consider(text, defined);
        }
        nearest.best()
    }

    fn similar_roles(&self, text: &str) -> Vec<String> {
        let Ok(asked) = RoleText::parse(text) else { return Vec::new() };
        if asked.application.is_none() {
            let names = self.similar_defined(&asked.name, |what| match what {
                Defined::RoleName(name) => Some(name),
                _ => None,
            });
            let text = |name: String| RoleText { application: None, name: name.into() }.to_string();
            return names.into_iter().map(text).collect();
        }
        let Some(mut nearest) = Nearest::to(text) else { return Vec::new() };
        for what in self.ledger.ever_defined() {
            let Defined::Role(role) = what else { continue };
            let text = role.text(&self.ledger.symbols);
            let defined = || self.ledger.was_defined(what, self.known_at()).then(|| text.clone());
            nearest.consider(&text, defined);
        }
        nearest.best()
    }

    fn similar_operations(&self, id: &Arc<str>, t: EffectiveAt) -> Vec<String> {
        let Some(mut nearest) = Nearest::to(id) else { return Vec::new() };
        let published = self.land(t).catalog().into_iter();
        let own = tenure::operations().iter().map(|(id, _)| *id);
        for operation in published.flat_map(|p| p.definitions.operation_ids()).chain(own) {
            let text = self.ledger.symbols.text(operation);
            nearest.consider(text, || Some(text.to_string()));
        }
        nearest.best()
    }
}

impl Question {
    /// The first moment of the stretch of time that it is about, if it is about one
    pub(super) fn begins(&self) -> Option<EffectiveAt> {
        match self {
            Self::WhoDuring { from, .. }
            | Self::WhoDuringAnywhere { from, .. }
            | Self::Timeline { from, .. }
            | Self::Holdings { from, .. } => Some(*from),
            _ => None,
        }
    }

    /// The one principal that it is about, if it is about one
    pub(super) fn about(&self) -> Option<&Principal> {
        match self {
            Self::What { principal, .. }
            | Self::Check { principal, .. }
            | Self::Timeline { principal, .. }
            | Self::Where { principal, .. } => Some(principal),
            Self::Assignments { filter, .. } | Self::Holdings { filter, .. } => {
                filter.principal.as_ref()
            }
            Self::Members { set, .. } => Some(set),
            Self::History { mentions, .. } => mentions.iter().find_map(|mention| match mention {
                Mention::Principal(principal) => Some(principal),
                _ => None,
            }),
            _ => None,
        }
    }
}
