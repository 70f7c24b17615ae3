//! Where does something decide on roles that the ledger does not see?
//!
//! Rules: `docs/semantics.md#role-provider`.

use std::collections::BTreeSet;

use tenure_core::answer::Elsewhere;
use tenure_core::{Abilities, Ability, EffectiveAt, KnownAt, Level, Place, Question, Span};

use super::Oracle;
use super::ask::Moment;
use super::diff::Coordinates;
use super::need::is_of_ledger;
use super::state::State;

fn all_of_ledger(can: &Abilities) -> bool {
    can.iter().all(is_of_ledger)
}

fn levels_of(state: &State, place: &Place) -> Vec<Level> {
    match place {
        Place::On(on) => vec![on.clone()],
        Place::Under(under) => state.subtree(under),
    }
}

impl Oracle {
    /// The levels of a place where something else decides at one of two coordinates
    pub(super) fn elsewhere_at_both(
        &self,
        ability: &Ability,
        place: &Place,
        both: [Coordinates; 2],
    ) -> BTreeSet<Level> {
        if is_of_ledger(ability) {
            return BTreeSet::new();
        }
        let at = both.map(|(t, s)| {
            let state = self.state(t, s);
            let mut levels = levels_of(&state, place);
            levels.retain(|level| state.is_elsewhere(level));
            levels
        });
        at.into_iter().flatten().collect()
    }

    fn elsewhere_at(&self, place: &Place, t: EffectiveAt, s: KnownAt) -> Vec<Elsewhere> {
        let state = self.state(t, s);
        let mut levels = levels_of(&state, place);
        levels.retain(|level| state.is_elsewhere(level));
        levels.sort();
        levels.into_iter().map(|level| Elsewhere { level, span: None }).collect()
    }

    fn elsewhere_over(&self, place: &Place, span: Span, s: KnownAt) -> Vec<Elsewhere> {
        let stretches = self.stretches(span, s);
        let is_there = |moment: &Moment<'_>, level: &Level| {
            moment.state.exists(level) && levels_of(&moment.state, place).contains(level)
        };
        let all = stretches.iter().flat_map(|(_, _, moment)| levels_of(&moment.state, place));
        let mut found: Vec<Elsewhere> = Vec::new();
        for level in all.collect::<BTreeSet<Level>>() {
            let mut spans: Vec<(EffectiveAt, Option<EffectiveAt>)> = Vec::new();
            for (from, until, moment) in &stretches {
                if !is_there(moment, &level) || !moment.state.is_elsewhere(&level) {
                    continue;
                }
                match spans.last_mut() {
                    Some((_, end)) if *end == Some(*from) => *end = *until,
                    _ => spans.push((*from, *until)),
                }
            }
            found.extend(spans.into_iter().map(|(from, until)| Elsewhere {
                level: level.clone(),
                span: Span::new(from, until),
            }));
        }
        found
    }

    /// The levels that an answer passed over because something else decides there
    pub fn elsewhere(
        &self,
        question: &Question,
        t: Option<EffectiveAt>,
        s: KnownAt,
    ) -> Vec<Elsewhere> {
        let (can, place) = match question.clone() {
            Question::WhoAnywhere { can, under, .. }
            | Question::WhoDuringAnywhere { can, under, .. }
            | Question::Where { can, under, .. } => (Some(can), Place::Under(under)),
            Question::WhoDuring { can, on, .. } | Question::Timeline { can, on, .. } => {
                (Some(can), Place::On(on))
            }
            Question::What { on, .. } => (None, Place::On(on)),
            Question::PowerDiff { can, place: Place::Under(under), until, .. } => {
                let place = Place::Under(under);
                if all_of_ledger(&can) {
                    return Vec::new();
                }
                let (tenure_core::Known::At(known), Some(at)) = (until.known_at, until.at) else {
                    panic!("these tests name positions and moments");
                };
                let mut both = self.elsewhere_at(&place, t.unwrap(), s);
                both.extend(self.elsewhere_at(&place, at, known));
                both.sort();
                both.dedup();
                return both;
            }
            _ => return Vec::new(),
        };
        if can.is_some_and(|can| all_of_ledger(&can)) {
            return Vec::new();
        }
        match (t, question) {
            (Some(t), _) => self.elsewhere_at(&place, t, s),
            (
                None,
                Question::WhoDuring { from, until, .. }
                | Question::WhoDuringAnywhere { from, until, .. }
                | Question::Timeline { from, until, .. },
            ) => self.elsewhere_over(&place, Span::new(*from, *until).unwrap(), s),
            _ => Vec::new(),
        }
    }
}
