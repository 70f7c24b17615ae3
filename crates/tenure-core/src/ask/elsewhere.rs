//! Where does something decide on roles that the ledger does not see?
//!
//! An answer that passes such a level over says so: it is not "nobody".
//!
//! Rules: `docs/semantics.md#role-provider`.

use crate::ask::answer::Elsewhere;
use crate::ask::observed::PlaceRef;
use crate::ledger::view::View;
use crate::words::ability::{Abilities, Ability};
use crate::words::instant::EffectiveAt;
use crate::words::level::LevelKind;
use crate::words::span::Span;
use crate::words::symbol::LevelRef;

impl View<'_> {
    /// The levels at which X is decided elsewhere at a moment, in byte order
    ///
    /// # Cost
    /// O(levels of the subtree).
    pub(super) fn elsewhere_at(
        &self,
        can: Option<&Abilities>,
        place: PlaceRef<'_>,
        t: EffectiveAt,
    ) -> Vec<Elsewhere> {
        let land = self.land(t);
        if can.is_some_and(|can| can.iter().all(Ability::is_own)) {
            return Vec::new();
        }
        let (PlaceRef::On(level) | PlaceRef::Under(level)) = place;
        let levels = self.ledger.find_level(level).map(|level| match place {
            PlaceRef::On(_) => vec![level],
            PlaceRef::Under(_) => land.subtree(level),
        });
        let levels = levels.into_iter().flatten();
        let mut found: Vec<Elsewhere> = levels
            .filter(|level| land.is_decided_elsewhere(*level))
            .map(|level| Elsewhere { level: self.ledger.level_of(level).clone(), span: None })
            .collect();
        found.sort();
        found
    }

    /// The same over a stretch of time, each with its longest stretches
    ///
    /// # Cost
    /// O(changes of structure around the applications that were ever below).
    pub(super) fn elsewhere_over(
        &self,
        can: &Abilities,
        place: PlaceRef<'_>,
        span: Span,
    ) -> Vec<Elsewhere> {
        if can.iter().all(Ability::is_own) {
            return Vec::new();
        }
        let (landscape, _) = self.landscape(span.until());
        let (PlaceRef::On(root) | PlaceRef::Under(root)) = place;
        let Some(root) = self.ledger.find_level(root) else { return Vec::new() };
        let levels: Vec<LevelRef> = match place {
            PlaceRef::On(_) => vec![root],
            PlaceRef::Under(_) => landscape.ever_below(root).into_iter().collect(),
        };
        let mut found: Vec<Elsewhere> = Vec::new();
        for level in levels.into_iter().filter(|level| level.kind == LevelKind::Application) {
            let parts = self.existing(level, root, span).into_iter();
            let elsewhere = parts.filter(|part| self.land(part.from()).is_decided_elsewhere(level));
            let mut stretches: Vec<Span> = Vec::new();
            for part in elsewhere {
                match stretches.last_mut() {
                    Some(last) if last.until() == Some(part.from()) => last.until = part.until(),
                    _ => stretches.push(part),
                }
            }
            let level = self.ledger.level_of(level);
            found.extend(
                stretches
                    .into_iter()
                    .map(|span| Elsewhere { level: level.clone(), span: Some(span) }),
            );
        }
        found.sort();
        found
    }
}
