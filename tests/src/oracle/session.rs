//! Who still could, because a session keeps the rights of its logon?
//!
//! Rules: `docs/semantics.md#readings`.

use std::collections::BTreeSet;

use tenure_core::answer::Holding;
use tenure_core::{Abilities, EffectiveAt, KnownAt, Level, Life, Principal, Span};

use super::Oracle;
use super::ask::Moment;
use super::need::Asker;

/// The moments of a session's life, the latest first, each with the last moment at which nothing has changed since
pub(super) struct Session<'a>(Vec<(EffectiveAt, Moment<'a>)>);

impl Oracle {
    pub(super) fn session(&self, life: Life, t: EffectiveAt, s: KnownAt) -> Session<'_> {
        let begun = t.micros() - i64::from(life.seconds()) * 1_000_000;
        let from = EffectiveAt::saturating_from_micros(begun.max(0));
        let after = EffectiveAt::saturating_from_micros(t.micros() + 1);
        let until = (after > t).then_some(after);
        let stretches = self.stretches(Span::new(from, until).unwrap(), s).into_iter();
        let last = |until: Option<EffectiveAt>| match until {
            None => EffectiveAt::LAST,
            Some(until) => EffectiveAt::saturating_from_micros(until.micros() - 1),
        };
        Session(stretches.rev().map(|(_, until, moment)| (last(until), moment)).collect())
    }
}

impl Session<'_> {
    /// The last moment of the session at which it was true, with the holdings behind it
    ///
    /// Earlier moments at which the level was not there, or nothing of what is asked, are passed over.
    pub(super) fn verdict(
        &self,
        can: &Abilities,
        on: &Level,
        p: &Principal,
    ) -> Option<(EffectiveAt, BTreeSet<Holding>)> {
        self.0.iter().find_map(|(last, moment)| {
            let need = moment.state.exists(on).then(|| moment.need_any(can, on)).flatten()?;
            Some((*last, moment.verdict(&need, &Asker::of(p))?))
        })
    }
}
