//! When is a user a member of a group or an attribute?
//!
//! A user is a member from an addition on. The membership ends at a removal of the member, and when the
//! user or the set is removed as a principal. Adding a member again changes nothing.
//!
//! Rules: `docs/semantics.md#membership`.

use std::borrow::Cow;

use crate::history::edge::Edge;
use crate::history::order::{Bound, Track};
use crate::words::instant::EffectiveAt;
use crate::words::position::Position;
use crate::words::span::Span;

/// All changes of one membership, voided ones too
#[derive(Debug)]
pub(crate) struct MembershipHistory<'a> {
    pub(crate) changes: Cow<'a, Track<Edge>>,
}

impl MembershipHistory<'_> {
    /// The stretches of membership up to a moment, or all of them
    pub(crate) fn stretches<C: Fn(Position) -> bool>(
        &self,
        bound: Bound,
        removals: [Option<&Track<()>>; 2],
        counts: &C,
    ) -> Vec<Span> {
        let mut stretches: Vec<Span> = Vec::new();
        let mut since = None;
        let ended = |started, bound| {
            removals
                .into_iter()
                .flatten()
                .filter_map(|track| {
                    crate::history::holding::first_counted(track, started, bound, counts)
                })
                .min()
        };
        let counted = self
            .changes
            .iter()
            .take_while(|(key, _)| bound.includes(key))
            .filter(|(key, _)| counts(key.position));
        for (key, change) in counted {
            if let Some((from, started)) = since
                && let Some(end) = ended(started, Bound::Before(*key))
            {
                stretches.extend(Span::new(from, Some(end.effective_at)));
                since = None;
            }
            match change {
                // The first start stays. Only changes after the newest addition can end the
                // membership, because none before it did.
                Edge::Start { .. } => {
                    since = Some((since.map_or(key.effective_at, |(from, _)| from), *key));
                }
                Edge::Stop => {
                    if let Some((from, _)) = since.take() {
                        stretches.extend(Span::new(from, Some(key.effective_at)));
                    }
                }
            }
        }
        if let Some((from, started)) = since {
            let end = ended(started, bound).map(|key| key.effective_at);
            stretches.extend(Span::new(from, end));
        }
        stretches
    }

    pub(crate) fn holds<C: Fn(Position) -> bool>(
        &self,
        t: EffectiveAt,
        removals: [Option<&Track<()>>; 2],
        counts: &C,
    ) -> bool {
        let stretches = self.stretches(Bound::Through(t), removals, counts);
        stretches.last().is_some_and(|last| last.until().is_none())
    }
}
