//! When is a user a member of a group or an attribute?
//!
//! A user is a member from an addition on. The membership ends at a removal of the member, and when the
//! user or the set is removed as a principal. Adding a member again changes nothing.
//!
//! Rules: `docs/semantics.md#membership`.

use std::borrow::Cow;

use crate::history::edge::Edge;
use crate::history::order::{Bound, OrderKey, Track};
use crate::words::instant::EffectiveAt;
use crate::words::position::Position;
use crate::words::span::Span;

/// All changes of one membership, voided ones too
#[derive(Debug)]
pub(crate) struct MembershipHistory<'a> {
    pub(crate) changes: Cow<'a, Track<Edge>>,
}

/// A stretch of time in which a user is a member
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Membership {
    pub(crate) span: Span,
    /// The entry that added the user; a later one that adds it again changes nothing
    pub(crate) entry: Position,
    /// The entry that ended it, if it ended
    pub(crate) ended_by: Option<Position>,
}

impl MembershipHistory<'_> {
    /// The stretches of membership up to a moment, or all of them
    pub(crate) fn stretches<C: Fn(Position) -> bool>(
        &self,
        bound: Bound,
        removals: [Option<&Track<()>>; 2],
        counts: &C,
    ) -> Vec<Membership> {
        let mut stretches: Vec<Membership> = Vec::new();
        // From when on, by which entry, and the newest addition
        let mut since: Option<(EffectiveAt, Position, OrderKey)> = None;
        let membership = |from, entry, end: Option<OrderKey>| {
            let span = Span::new(from, end.map(|key| key.effective_at));
            span.map(|span| Membership { span, entry, ended_by: end.map(|key| key.position) })
        };
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
            if let Some((from, entry, started)) = since
                && let Some(end) = ended(started, Bound::Before(*key))
            {
                stretches.extend(membership(from, entry, Some(end)));
                since = None;
            }
            match change {
                // The first start stays. Only changes after the newest addition can end the
                // membership, because none before it did.
                Edge::Start { .. } => {
                    let (from, entry) = since
                        .map_or((key.effective_at, key.position), |(from, entry, _)| (from, entry));
                    since = Some((from, entry, *key));
                }
                Edge::Stop => {
                    if let Some((from, entry, _)) = since.take() {
                        stretches.extend(membership(from, entry, Some(*key)));
                    }
                }
            }
        }
        if let Some((from, entry, started)) = since {
            stretches.extend(membership(from, entry, ended(started, bound)));
        }
        stretches
    }

    /// The membership at a moment
    pub(crate) fn at<C: Fn(Position) -> bool>(
        &self,
        t: EffectiveAt,
        removals: [Option<&Track<()>>; 2],
        counts: &C,
    ) -> Option<Membership> {
        let stretches = self.stretches(Bound::Through(t), removals, counts);
        stretches.last().copied().filter(|last| last.span.until().is_none())
    }
}
