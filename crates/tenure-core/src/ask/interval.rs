//! Since when and until when could one, and who could during a stretch of time
//!
//! Structure and definitions are constant between the moments at which something around the level
//! changes. Within such a segment only holdings and memberships start and end, so it is swept once.

use std::collections::BTreeSet;

use crate::ability::Ability;
use crate::answer::{AskError, Holding, Interval, Subject, Who};
use crate::grantable::Grantable;
use crate::holding::{Piece, counts};
use crate::instant::EffectiveAt;
use crate::level::Level;
use crate::mentions::Mention;
use crate::outcome::{OutcomeKind, Position};
use crate::principal::{Principal, PrincipalKind};
use crate::symbol::{LevelRef, PrincipalRef};
use crate::view::{Evidence, View};

use super::Span;
use super::moment::{evidence, sorted};
use super::plan::{Plan, unknown_operation};

/// A stretch of time in which what must be held does not change
struct Segment<'v> {
    span: Span,
    plan: Plan<'v>,
}

/// A stretch of time in which a holding supports a leaf
struct Supported {
    leaf: usize,
    span: Span,
    evidence: Evidence,
}

/// A holding that a principal has, itself or through a set
struct Had<'m> {
    grantable: Grantable,
    level: LevelRef,
    /// When it has what the holder has
    spans: &'m [Span],
    pieces: Vec<(Piece, Evidence)>,
}

/// A principal whose holdings another has, and when
struct Match {
    holder: PrincipalRef,
    spans: Vec<Span>,
}

impl View<'_> {
    /// The maximal intervals in which a principal could, clipped to a stretch of time
    ///
    /// # Errors
    /// A level or an operation is unknown only if there is none at any moment of it.
    /// # Cost
    /// O(changes of structure around the level × changes of what the principal ever held).
    pub fn timeline(
        &self,
        principal: &Principal,
        ability: &Ability,
        on: &Level,
        span: Span,
    ) -> Result<Vec<Interval>, AskError> {
        let segments = self.segments(ability, on, span)?;
        Ok(self.intervals(principal, &segments))
    }

    /// Everybody whose timeline is not empty, with the intervals
    ///
    /// # Errors
    /// As [`View::timeline`].
    pub fn who_during(
        &self,
        ability: &Ability,
        on: &Level,
        span: Span,
    ) -> Result<Who<Vec<Interval>>, AskError> {
        let segments = self.segments(ability, on, span)?;
        let found = self.candidates(&segments).into_iter().filter_map(|candidate| {
            let principal = self.ledger.principal_of(candidate).clone();
            let detail = self.intervals(&principal, &segments);
            (!detail.is_empty()).then_some((candidate, Subject { principal, detail }))
        });
        Ok(sorted(found))
    }

    /// What is wrong with a question over a stretch of time without a moment in it: the level first, then
    /// what is asked, then the stretch
    ///
    /// Where there is no moment, no level exists: unknown is one that no applied entry ever named.
    pub fn empty_interval(&self, ability: &Ability, on: &Level) -> AskError {
        let mentions = self.ledger.mentions(&Mention::Level(on.clone()));
        let applied = |position: &Position| {
            self.known_at().reaches(*position)
                && self.ledger.outcome(*position) == Some(OutcomeKind::Applied)
        };
        if !mentions.iter().any(applied) {
            return AskError::UnknownLevel(on.clone());
        }
        self.asked(ability).err().unwrap_or(AskError::EmptyInterval)
    }

    fn segments(
        &self,
        ability: &Ability,
        on: &Level,
        span: Span,
    ) -> Result<Vec<Segment<'_>>, AskError> {
        let unknown_level = || AskError::UnknownLevel(on.clone());
        let level = self.ledger.find_level(on).ok_or_else(unknown_level)?;
        let landscape = self.landscape();
        let mut moments = vec![span.from()];
        moments.extend(landscape.moments_around(level, span.from(), span.until()));
        let existing: Vec<(EffectiveAt, Option<EffectiveAt>)> = moments
            .iter()
            .enumerate()
            .map(|(n, from)| (*from, moments.get(n + 1).copied().or(span.until())))
            .filter(|(from, _)| landscape.level(level, *from).is_some())
            .collect();
        if existing.is_empty() {
            return Err(unknown_level());
        }
        let asked = self.asked(ability)?;
        let segments: Vec<Segment<'_>> = existing
            .into_iter()
            .filter_map(|(from, until)| {
                let plan = self.plan(asked, level, from)?;
                Some(Segment { span: Span::new(from, until)?, plan })
            })
            .collect();
        if segments.is_empty() { Err(unknown_operation(ability)) } else { Ok(segments) }
    }

    /// The known principals that may have an interval: whoever ever held something that is asked for
    /// where it is asked for, and whoever was ever a member
    fn candidates(&self, segments: &[Segment<'_>]) -> BTreeSet<PrincipalRef> {
        let levels: BTreeSet<LevelRef> = segments
            .iter()
            .flat_map(|segment| &segment.plan.leaves)
            .flat_map(|leaf| leaf.levels.iter().map(|(level, _)| *level))
            .collect();
        let holders: BTreeSet<PrincipalRef> = levels
            .into_iter()
            .flat_map(|level| self.ledger.index.at_level(level))
            .flat_map(|(_, holdings)| holdings.map(|history| history.key.principal))
            .collect();
        let mut candidates = holders.clone();
        for set in holders.into_iter().filter(|holder| holder.kind.is_set()) {
            if set.kind == PrincipalKind::Everyone {
                let origin = self.ledger.principal_of(set).origin();
                candidates.extend(self.ledger.users_of_origin(origin));
            } else {
                let memberships = self.ledger.index.of_set(set);
                candidates.extend(memberships.map(|membership| membership.member));
            }
        }
        candidates.retain(|candidate| self.knows(*candidate));
        candidates
    }

    fn intervals(&self, principal: &Principal, segments: &[Segment<'_>]) -> Vec<Interval> {
        let matches = self.matches(principal);
        let had: Vec<Had<'_>> = matches
            .iter()
            .flat_map(|one| {
                self.ledger.index.of_principal(one.holder).map(move |history| (one, history))
            })
            .filter(|(_, history)| {
                let level = history.key.level;
                segments.iter().any(|segment| segment.looks_at(level))
            })
            .map(|(one, history)| {
                let key = history.key;
                let evidence = |piece: Piece| (piece, Evidence { key, run: piece.run });
                Had {
                    grantable: key.grantable,
                    level: key.level,
                    spans: &one.spans,
                    pieces: self.pieces(history).into_iter().map(evidence).collect(),
                }
            })
            .collect();
        let mut intervals: Vec<(Span, BTreeSet<Evidence>)> = Vec::new();
        for segment in segments {
            let mut supported = Vec::new();
            for (leaf, plan) in segment.plan.leaves.iter().enumerate() {
                for one in &had {
                    let found = plan.levels.iter().find(|(level, _)| *level == one.level);
                    let Some((_, here)) = found else { continue };
                    if !here.gives(one.grantable, plan.leaf.held) {
                        continue;
                    }
                    for (piece, evidence) in &one.pieces {
                        let Some(span) = Span::new(piece.from, piece.until)
                            .and_then(|span| span.within(segment.span))
                            .filter(|_| counts(&piece.run, one.grantable, here))
                        else {
                            continue;
                        };
                        let spans = one.spans.iter().filter_map(|matched| span.within(*matched));
                        supported.extend(spans.map(|span| Supported {
                            leaf,
                            span,
                            evidence: *evidence,
                        }));
                    }
                }
            }
            sweep(segment, &supported, &mut intervals);
        }
        intervals
            .into_iter()
            .map(|(span, evidence)| Interval {
                from: span.from(),
                until: span.until(),
                because: self.because(principal, &evidence),
            })
            .collect()
    }

    fn because(&self, principal: &Principal, evidence: &BTreeSet<Evidence>) -> Vec<Holding> {
        self.holdings(principal, &evidence.iter().copied().collect::<Vec<_>>())
    }

    /// The principals whose holdings a principal has at some time, with the stretches in which it has
    /// them
    fn matches(&self, principal: &Principal) -> Vec<Match> {
        let always = || Span { from: EffectiveAt::FIRST, until: None };
        let own = self.ledger.find_principal(principal);
        let mut matches: Vec<Match> =
            own.into_iter().map(|holder| Match { holder, spans: vec![always()] }).collect();
        if principal.kind() == PrincipalKind::User {
            let memberships = own.into_iter().flat_map(|own| self.ledger.index.of_member(own));
            matches.extend(memberships.map(|membership| {
                Match {
                    holder: membership.set,
                    spans: self
                        .membership_stretches(membership)
                        .into_iter()
                        .filter_map(|(from, until)| Span::new(from, until))
                        .collect(),
                }
            }));
            let everyone = Principal::everyone(principal.origin());
            let everyone = self.ledger.find_principal(&everyone);
            matches.extend(everyone.map(|holder| Match { holder, spans: vec![always()] }));
        }
        matches
    }
}

impl Segment<'_> {
    fn looks_at(&self, level: LevelRef) -> bool {
        self.plan.leaves.iter().any(|leaf| leaf.levels.iter().any(|(one, _)| *one == level))
    }
}

/// Adds the stretches of a segment in which its plan is satisfied, joining what is adjacent
fn sweep(
    segment: &Segment<'_>,
    supported: &[Supported],
    intervals: &mut Vec<(Span, BTreeSet<Evidence>)>,
) {
    let mut starts: Vec<usize> = (0..supported.len()).collect();
    starts.sort_by_key(|n| supported.get(*n).map(|one| one.span.from()));
    let mut starts = starts.into_iter().filter_map(|n| supported.get(n)).peekable();
    let edges: BTreeSet<EffectiveAt> = supported
        .iter()
        .flat_map(|one| [Some(one.span.from()), one.span.until()])
        .flatten()
        .filter(|edge| segment.span.until().is_none_or(|until| *edge < until))
        .collect();
    let mut edges = edges.into_iter().peekable();
    let mut active: Vec<&Supported> = Vec::new();
    while let Some(from) = edges.next() {
        active.retain(|one| one.span.until().is_none_or(|until| from < until));
        while let Some(one) = starts.next_if(|one| one.span.from() <= from) {
            active.push(one);
        }
        let support: Vec<(usize, Evidence)> =
            active.iter().map(|one| (one.leaf, one.evidence)).collect();
        let Some(found) = evidence(&segment.plan, &support) else { continue };
        let until = edges.peek().copied().or(segment.span.until());
        let Some(span) = Span::new(from, until) else { continue };
        match intervals.last_mut() {
            Some((last, because)) if last.until == Some(from) => {
                last.until = span.until;
                because.extend(found);
            }
            _ => intervals.push((span, found.into_iter().collect())),
        }
    }
}
