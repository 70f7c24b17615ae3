//! When could a principal do X, and who could during a stretch of time?
//!
//! Between two changes around the level, structure and definitions stay the same. Within such a segment only
//! holdings and memberships start and end, so it is swept once.
//!
//! Rules: `docs/semantics.md#over-intervals`.

use crate::history::landscape_at::Land;
use std::collections::{BTreeMap, BTreeSet};

use roaring::{MultiOps, RoaringBitmap};

use crate::ask::answer::{AskError, Interval, LevelDuring, Subject, Who};
use crate::ask::detail::Detail;
use crate::ask::moment::evidence;
use crate::ask::plan::{Asked, Plan};
use crate::history::holding::Held;
use crate::history::order::Cut;
use crate::index::mentions::Mention;
use crate::index::timeline::TimelineId;
use crate::ledger::moment::Moment;
use crate::ledger::view::{Evidence, Joined, View};
use crate::words::ability::Abilities;
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
use crate::words::outcome::OutcomeKind;
use crate::words::position::{KnownAt, Position};
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::span::Span;
use crate::words::symbol::{LevelRef, PrincipalRef};

/// A stretch of time with one plan
pub(super) struct Segment {
    span: Span,
    plan: Plan,
}

/// A stretch of time in which a leaf is supported, by a holding unless it is open to all
struct Supported {
    leaf: usize,
    span: Span,
    evidence: Option<Evidence>,
}

/// A holding that a principal has by itself or through a set
struct Had<'m> {
    timeline: TimelineId,
    /// When the principal is matched by the holder, and through which membership
    spans: &'m [(Span, Option<Joined>)],
    held: Vec<(Span, Evidence)>,
}

/// A holder that matches the principal, and when
struct Match {
    holder: PrincipalRef,
    spans: Vec<(Span, Option<Joined>)>,
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
        can: &Abilities,
        on: &Level,
        span: Span,
    ) -> Result<Vec<Interval>, AskError> {
        Ok(self.timeline_of(principal, &self.segments(can, on, span)?))
    }

    /// Every principal whose timeline is not empty, with its intervals
    ///
    /// # Errors
    /// As [`View::timeline`].
    /// # Cost
    /// O(changes of structure around the level + the changes of every principal that held something asked for at
    /// the beginning of the stretch, or started to within it).
    pub fn who_during(
        &self,
        can: &Abilities,
        on: &Level,
        span: Span,
        explain: Option<&Detail>,
    ) -> Result<Who<Vec<Interval>>, AskError> {
        let segments = self.segments(can, on, span)?;
        let mut who = self.during(&segments, span);
        if let Some(detail) = explain {
            for (principal, intervals) in detail.shown(&mut who) {
                *intervals = self.timeline_of(principal, &segments);
            }
        }
        Ok(who)
    }

    /// The intervals of one principal, each with the holdings behind it
    pub(super) fn timeline_of(&self, principal: &Principal, segments: &[Segment]) -> Vec<Interval> {
        let index = &self.ledger.index;
        let has = |timeline: TimelineId, holder: PrincipalRef| index.is_in(timeline, holder);
        self.intervals(principal, segments, &looked_at(segments), &has, true)
    }

    /// Every principal that could on some level of a subtree at some time of a stretch, each level with its intervals
    ///
    /// A level counts only while it lies in the subtree.
    ///
    /// # Errors
    /// The root or an operation is unknown only if there is none at any moment of the stretch, at any level.
    /// # Cost
    /// That of [`View::who_during`] for every level that was ever below the root.
    pub fn who_during_anywhere(
        &self,
        can: &Abilities,
        under: &Level,
        span: Span,
        explain: Option<&Detail>,
    ) -> Result<Who<Vec<LevelDuring>>, AskError> {
        let unknown = || AskError::UnknownLevel(under.clone());
        let root = self.ledger.find_level(under).ok_or_else(unknown)?;
        let (landscape, _) = self.landscape(span.until());
        if self.existing(root, root, span).is_empty() {
            return Err(unknown());
        }
        let mut levels: Vec<LevelRef> = landscape.ever_below(root).into_iter().collect();
        let asked = self.asked_where(can, |asked| {
            let mut parts = levels.iter().map(|level| (*level, self.existing(*level, root, span)));
            parts.any(|(level, parts)| {
                self.defined_in(asked, level, &parts)
                    || self.ever_asks(asked) && self.elsewhere_in(asked, level, &parts)
            })
        })?;
        levels.sort_unstable_by(|a, b| self.ledger.levels.compare(a.number, b.number));
        let mut of: BTreeMap<Principal, Vec<LevelDuring>> = BTreeMap::new();
        let mut asked_on: BTreeMap<Level, Vec<Segment>> = BTreeMap::new();
        for level in levels {
            let segments = self.segments_of(&asked, level, self.existing(level, root, span));
            let name = self.ledger.level_of(level);
            let Who { subjects, sets } = self.during(&segments, span);
            for subject in subjects.into_iter().chain(sets) {
                let level = name.clone();
                of.entry(subject.principal)
                    .or_default()
                    .push(LevelDuring { level, intervals: subject.detail });
            }
            asked_on.extend(explain.map(|_| (name.clone(), segments)));
        }
        let mut who = Who { subjects: Vec::new(), sets: Vec::new() };
        for (principal, detail) in of {
            let list = if principal.kind().is_set() { &mut who.sets } else { &mut who.subjects };
            list.push(Subject { principal, assigned: None, detail });
        }
        if let Some(detail) = explain {
            for (principal, levels) in detail.shown(&mut who) {
                for there in levels {
                    let segments = asked_on.get(&there.level).map_or(&[][..], Vec::as_slice);
                    there.intervals = self.timeline_of(principal, segments);
                }
            }
        }
        Ok(who)
    }

    /// Every principal with an interval in these segments, without the holdings behind it
    pub(super) fn during(&self, segments: &[Segment], span: Span) -> Who<Vec<Interval>> {
        let looked_at = looked_at(segments);
        let within: BTreeMap<TimelineId, RoaringBitmap> =
            looked_at.iter().map(|timeline| (*timeline, self.within(*timeline, span))).collect();
        let has = |timeline: TimelineId, holder: PrincipalRef| {
            within.get(&timeline).is_some_and(|within| within.contains(holder.number))
        };
        let holders: RoaringBitmap = within.values().union();
        let mut candidates = self.candidates(&holders, span);
        let leaves = || segments.iter().flat_map(|segment| &segment.plan.leaves);
        let open: BTreeSet<&str> = leaves().filter_map(|leaf| leaf.open_to.as_deref()).collect();
        for origin in open {
            let users = self.ledger.users_of_origin(origin).filter(|user| self.knows(*user));
            candidates.extend(users.map(|user| user.number));
            candidates.extend(self.ledger.find_everyone(origin).map(|everyone| everyone.number));
        }
        let of =
            |principal: &Principal| self.intervals(principal, segments, &looked_at, &has, false);
        let mut found = self.by_name(candidates.iter().collect(), |number| {
            of(self.ledger.principal_of(self.ledger.numbered(number)))
        });
        let unnamed: BTreeSet<Principal> =
            segments.iter().flat_map(|segment| segment.plan.unnamed(self)).collect();
        found.add_sets(unnamed.into_iter().collect(), of);
        for list in [&mut found.subjects, &mut found.sets] {
            list.retain(|subject| !subject.detail.is_empty());
        }
        found
    }

    /// The error of a question over a stretch of time that has no moment: the level first, then what is asked, then
    /// the stretch
    ///
    /// No level exists in a stretch without a moment. So a level is unknown here if no applied entry ever
    /// named it.
    pub fn empty_interval(&self, can: &Abilities, on: &Level) -> AskError {
        let mut mentions = self.ledger.mentions(&Mention::Level(on.clone()), KnownAt(0));
        let applied = |position: Position| {
            self.known_at().reaches(position)
                && self.ledger.outcome(position) == Some(OutcomeKind::Applied)
        };
        if !self.ledger.is_own_level(on) && !mentions.any(applied) {
            return AskError::UnknownLevel(on.clone());
        }
        self.asked_where(can, |_| true).err().unwrap_or(AskError::EmptyInterval)
    }

    fn segments(&self, can: &Abilities, on: &Level, span: Span) -> Result<Vec<Segment>, AskError> {
        let unknown_level = || AskError::UnknownLevel(on.clone());
        let level = self.ledger.find_level(on).ok_or_else(unknown_level)?;
        let existing = self.existing(level, level, span);
        if existing.is_empty() {
            return Err(unknown_level());
        }
        let mut asked = Vec::new();
        for ability in can.iter() {
            if !ability.is_own() && self.elsewhere_throughout(level, &existing) {
                return Err(AskError::DecidedElsewhere(on.clone()));
            }
            asked.push(self.asked_if(ability, |asked| {
                let operation = matches!(asked, Asked::Operation(_)) && self.ever_asks(asked);
                self.defined_in(asked, level, &existing)
                    || operation && self.elsewhere_in(asked, level, &existing)
            })?);
        }
        Ok(self.segments_of(&asked, level, existing))
    }

    /// Whether it is defined on a level at some moment of these parts, and not decided elsewhere then
    fn defined_in(&self, asked: &Asked, level: LevelRef, parts: &[Span]) -> bool {
        parts.iter().any(|span| {
            let now = Moment::new(self, span.from());
            now.defines(asked, level) && !now.is_elsewhere(asked, level)
        })
    }

    /// Whether it is decided elsewhere on a level at some moment of these parts
    fn elsewhere_in(&self, asked: &Asked, level: LevelRef, parts: &[Span]) -> bool {
        parts.iter().any(|span| Moment::new(self, span.from()).is_elsewhere(asked, level))
    }

    fn elsewhere_throughout(&self, level: LevelRef, parts: &[Span]) -> bool {
        parts.iter().all(|span| self.land(span.from()).is_decided_elsewhere(level))
    }

    /// The parts of a stretch between changes around a level, in which the level lies in a subtree
    pub(super) fn existing(&self, level: LevelRef, root: LevelRef, span: Span) -> Vec<Span> {
        let (landscape, clamp) = self.landscape(span.until());
        let mut moments = vec![span.from()];
        moments.extend(landscape.moments_around(level, span.from(), span.until(), clamp));
        let lies_there = |from: &Span| {
            let land = Land::of(landscape, Cut::through(from.from()).min(clamp));
            land.upwards(level).any(|(one, _)| one == root)
        };
        let ends = moments.iter().copied().skip(1).map(Some).chain([span.until()]);
        let spans = moments.iter().zip(ends).filter_map(|(from, until)| Span::new(*from, until));
        spans.filter(lies_there).collect()
    }

    /// The parts with a plan; those that follow one another with the same plan are one
    pub(super) fn segments_of(
        &self,
        asked: &[Asked],
        level: LevelRef,
        parts: Vec<Span>,
    ) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        for span in parts {
            let Span { from, until } = span;
            let Some(plan) = Moment::new(self, from).plan(asked, level) else { continue };
            match segments.last_mut() {
                // Most changes around a level leave the plan as it is.
                Some(last) if last.span.until == Some(from) && last.plan == plan => {
                    last.span.until = until;
                }
                _ => segments.push(Segment { span, plan }),
            }
        }
        segments
    }

    /// The known principals that may have an interval: possible holders, and possible members of these
    fn candidates(&self, holders: &RoaringBitmap, span: Span) -> RoaringBitmap {
        let ledger = self.ledger;
        let mut candidates = holders.clone();
        for set in holders.iter().map(|number| ledger.numbered(number)) {
            if set.kind == PrincipalKind::Everyone {
                let origin = ledger.principal_of(set).origin();
                candidates.extend(ledger.users_of_origin(origin).map(|user| user.number));
            } else {
                let added = ledger.index.members(set).map(|members| self.within(members, span));
                candidates |= added.unwrap_or_default() | self.ever_made_members(set, span);
            }
        }
        candidates.iter().filter(|number| self.knows(ledger.numbered(*number))).collect()
    }

    /// The intervals of one principal, with the holdings behind each if they are asked for; `has` says whether a holder may
    /// be in a timeline
    fn intervals(
        &self,
        principal: &Principal,
        segments: &[Segment],
        looked_at: &BTreeSet<TimelineId>,
        has: &impl Fn(TimelineId, PrincipalRef) -> bool,
        explain: bool,
    ) -> Vec<Interval> {
        let has_any = |holder| looked_at.iter().any(|timeline| has(*timeline, holder));
        let matches = self.matches(principal, &has_any);
        let end = segments.last().and_then(|segment| segment.span.until());
        let had: Vec<Had<'_>> = matches
            .iter()
            .flat_map(|one| {
                let own = looked_at.iter().filter(|timeline| has(**timeline, one.holder));
                own.map(move |timeline| (one, *timeline))
            })
            .filter_map(|(one, timeline)| {
                let history = self.history(timeline, one.holder)?;
                let key = history.key;
                let evidence =
                    |held: Held| (held.span, Evidence { key, terms: held.terms, joined: None });
                let held = self.stretches(&history, end).into_iter().map(evidence).collect();
                Some(Had { timeline, spans: &one.spans, held })
            })
            .collect();
        let mut intervals: Vec<(Span, BTreeSet<Evidence>)> = Vec::new();
        for segment in segments {
            let mut supported = Vec::new();
            for (leaf, plan) in segment.plan.leaves.iter().enumerate() {
                if plan.is_open_to(principal) {
                    supported.push(Supported { leaf, span: segment.span, evidence: None });
                }
                for one in &had {
                    let Some(given) = plan.given_by(one.timeline) else { continue };
                    for (held, evidence) in &one.held {
                        let Some(span) = held
                            .within(segment.span)
                            .filter(|_| evidence.terms.custom == given.custom)
                        else {
                            continue;
                        };
                        let spans = one.spans.iter().filter_map(|(matched, joined)| {
                            let evidence = Some(Evidence { joined: *joined, ..*evidence });
                            Some(Supported { leaf, span: span.within(*matched)?, evidence })
                        });
                        supported.extend(spans);
                    }
                }
            }
            sweep(segment, &supported, &mut intervals);
        }
        let because = |evidence: BTreeSet<Evidence>| {
            let evidence: Vec<Evidence> = evidence.into_iter().filter(|_| explain).collect();
            self.holdings(principal, &evidence)
        };
        let told = intervals.into_iter();
        told.map(|(span, evidence)| Interval { span, because: because(evidence) }).collect()
    }

    /// The holders that match a principal at some time, with the stretches in which they do
    ///
    /// Sets for which `has_any` is false are left out.
    fn matches(
        &self,
        principal: &Principal,
        has_any: &impl Fn(PrincipalRef) -> bool,
    ) -> Vec<Match> {
        let always = || (Span { from: EffectiveAt::FIRST, until: None }, None);
        let own = self.ledger.find_principal(principal);
        let mut matches: Vec<Match> =
            own.into_iter().map(|holder| Match { holder, spans: vec![always()] }).collect();
        if principal.kind() == PrincipalKind::User {
            let user = self.user(principal);
            matches.extend(self.sets_of(user).into_iter().filter(|set| has_any(*set)).map(|set| {
                let pieces = self.belonging(set, user).pieces.into_iter();
                Match { holder: set, spans: pieces.map(|(span, by)| (span, Some(by))).collect() }
            }));
            let everyone = self.ledger.find_everyone(principal.origin());
            matches.extend(everyone.map(|holder| Match { holder, spans: vec![always()] }));
        }
        matches
    }
}

/// The timelines that some segment looks at
fn looked_at(segments: &[Segment]) -> BTreeSet<TimelineId> {
    segments
        .iter()
        .flat_map(|segment| &segment.plan.leaves)
        .flat_map(|leaf| leaf.given.iter().map(|given| given.timeline))
        .collect()
}

/// Adds the stretches of a segment in which its plan is satisfied, and joins adjacent ones
fn sweep(
    segment: &Segment,
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
        let support: Vec<(usize, Option<Evidence>)> =
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
