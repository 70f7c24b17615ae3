//! How does what the core answers become what doors answer?

use tenure_core::{
    Attributes, EffectiveAt, Entry, KnownAt, Level, Life, Note as CoreNote, Noted, Outcome,
    Position, Principal, Reading, RecordedAt, Refusal as CoreRefusal, Span, answer,
};

use super::{
    AppendResult, AsOf, Changed, DefinedAt, DefinitionRow, Elsewhere, Ended, EntryResult,
    Environments, FeatureSets, Found, Gap, Given, Held, Holding, HoldingRow, Interval, JoinedBy,
    Known, LevelAttributes, LevelChanged, LevelMoved, LevelRow, Member, Membership, Note, Observed,
    Original, PowerDiffRow, PrincipalRow, Refusal, RoleCollectionRow, SourceRow, Step,
};
use crate::convert::{access_from_core, environment_from_core, feature_set_from_core};
use crate::sentence::{self, Submitted};

impl Refusal {
    fn new(refusal: &CoreRefusal, of: Submitted<'_>, recorded_at: RecordedAt) -> Self {
        Self {
            code: refusal.code().as_str().to_owned(),
            message: sentence::refusal(refusal, of, recorded_at),
            change: refusal.change,
        }
    }
}

impl EntryResult {
    /// What became of what was submitted at a position
    pub fn new(
        position: Position,
        recorded_at: RecordedAt,
        outcome: &Outcome,
        submitted: Submitted<'_>,
    ) -> Self {
        let (refusal, original) = match outcome {
            Outcome::Applied => (None, None),
            Outcome::Refused(refusal) => {
                (Some(Refusal::new(refusal, submitted, recorded_at)), None)
            }
            Outcome::Duplicate(original) => {
                // The content is the same, and the original took effect in its own time.
                let refusal = original.refusal.as_ref();
                let refusal =
                    refusal.map(|refusal| Refusal::new(refusal, submitted, original.recorded_at));
                let outcome = if refusal.is_some() { "refused" } else { "applied" };
                let position = original.position.get();
                (None, Some(Original { position, outcome: outcome.to_owned(), refusal }))
            }
        };
        Self {
            id: submitted.entry().map(|entry| entry.id().to_string()),
            position: position.get(),
            recorded_at: recorded_at.to_string(),
            outcome: outcome.kind().as_str().to_owned(),
            refusal,
            original,
        }
    }
}

impl From<EntryResult> for AppendResult {
    /// What became of an entry, without notes
    fn from(result: EntryResult) -> Self {
        let EntryResult { id, position, recorded_at, outcome, refusal, original } = result;
        let (position, recorded_at) = (Some(position), Some(recorded_at));
        Self { id, position, recorded_at, outcome, refusal, original, notes: Vec::new() }
    }
}

impl AppendResult {
    /// The same with the notes on an entry that was recorded then
    ///
    /// A note on an entry that is refused ends the sentence of its refusal.
    #[must_use]
    pub fn with_notes(
        mut self,
        notes: &[CoreNote],
        entry: &Entry,
        recorded_at: RecordedAt,
    ) -> Self {
        let t = entry.effective_at().unwrap_or(recorded_at.instant());
        for note in notes {
            match (&mut self.refusal, &note.what) {
                (Some(refusal), Noted::Scheduled(later)) => {
                    refusal.message.push_str(&sentence::hint(later));
                }
                (Some(_), _) => {}
                (None, what) => self.notes.extend(entry.changes().get(note.change).map(|change| {
                    let message = sentence::note(what, change, t);
                    Note { code: what.code().to_owned(), change: note.change, message }
                })),
            }
        }
        self
    }

    /// The same of an entry that nobody handed in yet: it has no place in the log
    #[must_use]
    pub fn of_dry_run(self) -> Self {
        Self { position: None, recorded_at: None, ..self }
    }
}

impl AsOf {
    /// The coordinates of an answer of the ledger with that name
    pub fn new(computed: &answer::ComputedAt, ledger: &str) -> Self {
        let catalog = computed.catalog.as_deref().map(str::to_owned);
        Self {
            at: computed.at.map(|at| at.to_string()),
            known_at: computed.known_at.0,
            recorded_at: computed.recorded_at.map(|at| at.to_string()),
            catalog: computed.at.map(|_| catalog),
            reading: match computed.reading {
                Reading::Assigned => None,
                reading => Some(reading.as_str().to_owned()),
            },
            life: match computed.reading {
                Reading::Session(life) => Some(life_text(life)),
                Reading::Assigned | Reading::Latent => None,
            },
            revision: revision(ledger, computed.known_at),
        }
    }
}

/// The life of a session as it is asked, in the largest unit that says it whole
pub(crate) fn life_text(life: Life) -> String {
    let units = [(24 * 3_600, 'd'), (3_600, 'h'), (60, 'm')];
    let whole = units.into_iter().find(|(unit, _)| life.seconds().is_multiple_of(*unit));
    let (unit, letter) = whole.unwrap_or((1, 's'));
    format!("{}{letter}", life.seconds() / unit)
}

/// What to pass as `min_position` to see at least this
pub fn revision(ledger: &str, known_at: KnownAt) -> String {
    format!("{ledger}@{}", known_at.0)
}

impl From<&answer::HoldingThen> for HoldingRow {
    fn from(then: &answer::HoldingThen) -> Self {
        let Holding { held, until, ended: _ } = Holding::from(&then.holding);
        Self {
            held,
            granted_until: until,
            from: then.span.from().to_string(),
            until: then.span.until().map(|until| until.to_string()),
            ended: then.ended.map(|ended| Ended::new(ended, None)),
        }
    }
}

impl Ended {
    fn new(ended: tenure_core::Ended, at: Option<EffectiveAt>) -> Self {
        Self {
            how: ended.how.as_str().to_owned(),
            at: at.map(|at| at.to_string()),
            entry: ended.entry.map(Position::get),
            by: None,
        }
    }
}

impl From<&answer::Member> for Member {
    fn from(member: &answer::Member) -> Self {
        Self {
            principal: member.principal.to_string(),
            since: member.since.to_string(),
            by: member.by.into(),
        }
    }
}

impl From<tenure_core::JoinedBy> for JoinedBy {
    fn from(by: tenure_core::JoinedBy) -> Self {
        match by {
            tenure_core::JoinedBy::Entry(entry) => Self::Entry { entry: entry.get() },
            tenure_core::JoinedBy::Rule(rule) => Self::Rule { rule: rule.get() },
        }
    }
}

impl From<&answer::Elsewhere> for Elsewhere {
    fn from(elsewhere: &answer::Elsewhere) -> Self {
        let span = elsewhere.span;
        Self {
            level: elsewhere.level.to_string(),
            from: span.map(|span| span.from().to_string()),
            until: span.map(|span| span.until().map(|until| until.to_string())),
        }
    }
}

impl From<&answer::Step> for Step {
    fn from(step: &answer::Step) -> Self {
        let (role_collection, role) = named(&step.gives);
        Self {
            operation: step.operation.to_string(),
            level: step.level.to_string(),
            gives: Given { role_collection, role, at: step.at.to_string() },
        }
    }
}

/// The name of a role collection, or of a role
fn named(granted: &answer::GrantedName) -> (Option<String>, Option<String>) {
    match granted {
        answer::GrantedName::RoleCollection(name) => (Some(name.to_string()), None),
        answer::GrantedName::Role(role) => (None, Some(role.to_string())),
    }
}

impl From<&answer::PrincipalThen> for PrincipalRow {
    fn from(then: &answer::PrincipalThen) -> Self {
        Self {
            principal: then.principal.to_string(),
            holdings: then.holdings,
            last_held: then.last_held.map(|at| at.to_string()),
        }
    }
}

impl From<&answer::Found> for Found {
    fn from(found: &answer::Found) -> Self {
        let path = found.path.as_ref();
        Self {
            kind: found.kind.as_str().to_owned(),
            id: found.id.clone(),
            title: found.title.as_deref().map(str::to_owned),
            path: path.map(|path| path.iter().map(ToString::to_string).collect()),
        }
    }
}

impl From<&answer::Holding> for Holding {
    fn from(holding: &answer::Holding) -> Self {
        let (role_collection, role) = named(&holding.granted);
        let held = Held {
            entry: holding.entry.get(),
            id: holding.id.to_string(),
            principal: holding.principal.to_string(),
            role_collection,
            role,
            level: holding.level.to_string(),
            since: holding.since.to_string(),
            not_before: holding.not_before.map(|at| at.to_string()),
            via: holding.via.as_ref().map(ToString::to_string),
            membership: holding.membership.as_ref().map(|membership| Membership {
                since: membership.since.to_string(),
                joined_by: membership.by.into(),
                entries: membership.entries.iter().map(|entry| entry.get()).collect(),
                by: None,
            }),
            by: None,
        };
        Self {
            held,
            until: holding.until.map(|until| until.to_string()),
            ended: holding.ends.map(|end| Ended::new(end.ended, Some(end.at))),
        }
    }
}

/// Holdings as they are answered
pub fn holdings(holdings: &[answer::Holding]) -> Vec<Holding> {
    holdings.iter().map(Holding::from).collect()
}

impl Interval {
    /// An interval as it is answered, with the holdings behind it if they were asked for
    pub fn new(interval: &answer::Interval, explained: bool) -> Self {
        Self {
            from: interval.span.from().to_string(),
            until: interval.span.until().map(|until| until.to_string()),
            because: explained.then(|| holdings(&interval.because)),
        }
    }
}

impl From<&answer::LevelThen> for LevelRow {
    fn from(row: &answer::LevelThen) -> Self {
        Self {
            level: row.level.to_string(),
            parent: row.parent.as_ref().map(ToString::to_string),
            attributes: (&row.attributes).into(),
        }
    }
}

impl From<&Attributes> for LevelAttributes {
    fn from(attributes: &Attributes) -> Self {
        Self {
            name: attributes.name.as_deref().map(str::to_owned),
            feature_set: attributes.feature_set.map(feature_set_from_core),
            authorizations: attributes.authorizations,
            environment: attributes.environment.map(environment_from_core),
            region: attributes.region.as_deref().map(str::to_owned),
            identity_provider: attributes.identity_provider.as_deref().map(str::to_owned),
            role_provider: attributes.role_provider.as_deref().map(str::to_owned),
            access: attributes.access.map(access_from_core),
        }
    }
}

impl From<&(answer::Holding, answer::Holding)> for Changed {
    fn from((before, after): &(answer::Holding, answer::Holding)) -> Self {
        Self { before: before.into(), after: after.into() }
    }
}

impl From<&answer::LevelMoved> for LevelMoved {
    fn from(moved: &answer::LevelMoved) -> Self {
        Self {
            level: moved.level.to_string(),
            from: moved.from.to_string(),
            until: moved.until.to_string(),
        }
    }
}

impl From<&answer::LevelChanged> for LevelChanged {
    fn from(changed: &answer::LevelChanged) -> Self {
        let answer::LevelChanged { level, attributes, feature_set, environment } = changed;
        Self {
            level: level.to_string(),
            before: (&attributes.0).into(),
            after: (&attributes.1).into(),
            feature_set: FeatureSets {
                before: feature_set_from_core(feature_set.0),
                after: feature_set_from_core(feature_set.1),
            },
            environment: Environments {
                before: environment_from_core(environment.0),
                after: environment_from_core(environment.1),
            },
        }
    }
}

impl From<&answer::DefinitionChanged> for DefinitionRow {
    fn from(changed: &answer::DefinitionChanged) -> Self {
        let at = match &changed.at {
            answer::DefinedAt::Level(level) => DefinedAt::Level { level: level.to_string() },
            answer::DefinedAt::Catalog { kind, feature_set, environment, levels } => {
                DefinedAt::Catalog {
                    kind: kind.to_string(),
                    feature_set: feature_set_from_core(*feature_set),
                    environment: environment_from_core(*environment),
                    levels: *levels,
                }
            }
        };
        Self {
            at,
            role_collection: changed.role_collection.to_string(),
            gained: changed.gained.clone(),
            lost: changed.lost.clone(),
        }
    }
}

impl From<&answer::Subject<Vec<Level>>> for PowerDiffRow {
    fn from(subject: &answer::Subject<Vec<Level>>) -> Self {
        Self {
            principal: subject.principal.to_string(),
            levels: subject.detail.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&answer::RoleCollectionThen> for RoleCollectionRow {
    fn from(row: &answer::RoleCollectionThen) -> Self {
        Self {
            role_collection: row.role_collection.to_string(),
            predefined: row.predefined,
            roles: row.roles.clone(),
        }
    }
}

impl From<&answer::Observed> for Observed {
    fn from(observed: &answer::Observed) -> Self {
        match observed {
            answer::Observed::At { first, before, after } => Self::At {
                first: first.to_string(),
                before: before.map(|at| at.to_string()),
                after: after.map(|at| at.to_string()),
            },
            answer::Observed::Over { first, gaps, gap_count } => Self::Over {
                first: first.to_string(),
                gaps: gaps.iter().map(Gap::from).collect(),
                gap_count: *gap_count,
            },
            answer::Observed::Under { not_observed, levels } => Self::Under {
                not_observed: *not_observed,
                levels: levels.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

impl From<&Span> for Gap {
    fn from(gap: &Span) -> Self {
        Self { from: gap.from().to_string(), until: gap.until().map(|until| until.to_string()) }
    }
}

impl SourceRow {
    /// A row as it is answered; `None` for one that is not shown
    pub fn new(then: &answer::SourceThen) -> Option<Self> {
        let covered = then.covered.as_ref()?;
        let gaps = covered.gaps.as_ref();
        Some(Self {
            source: then.source.to_string(),
            level: then.level.to_string(),
            subtree: covered.subtree,
            level_exists: covered.level_exists,
            first: covered.first.to_string(),
            last: covered.last.to_string(),
            listed: covered.listed.map(|at| at.to_string()),
            moments: covered.moments,
            gaps: gaps.map(|gaps| gaps.first.iter().map(Gap::from).collect()),
            gap_count: gaps.map(|gaps| gaps.count),
        })
    }
}

impl From<&answer::NameKnown> for Known {
    fn from(known: &answer::NameKnown) -> Self {
        let texts = |list: &[Principal]| list.iter().map(ToString::to_string).collect();
        Self {
            named: known.named,
            elsewhere: texts(&known.elsewhere),
            similar: texts(&known.similar),
        }
    }
}
