//! What is asked, and what is an answer?
//!
//! The same question for every engine, and an answer that can be compared: the rows that any of them
//! gives, in one order. Errors and "nobody" are both nothing.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, bail};
use tenure_core::{Ability, Instant, Level, Principal, PrincipalKind};
use tenure_wire::question::{Parameters, Question as Asked};

use crate::sql::Statement;

/// A moment of valid time in microseconds, and a position
pub(crate) type Coordinates = (i64, u64);

/// A question with its coordinates
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Question {
    Who {
        can: Ability,
        on: Level,
        at: Coordinates,
    },
    WhoUnder {
        can: Ability,
        under: Level,
        at: Coordinates,
    },
    WhoDuring {
        can: Ability,
        on: Level,
        from: i64,
        until: Option<i64>,
        known: u64,
    },
    Check {
        principal: Principal,
        can: Ability,
        on: Level,
        at: Coordinates,
    },
    Timeline {
        principal: Principal,
        can: Ability,
        on: Level,
        from: i64,
        until: Option<i64>,
        known: u64,
    },
    Where {
        principal: Principal,
        can: Ability,
        under: Level,
        at: Coordinates,
    },
    AssignmentsOn {
        on: Level,
        at: Coordinates,
    },
    AssignmentsOf {
        principal: Principal,
        at: Coordinates,
    },
    DiffUnder {
        under: Level,
        from: Coordinates,
        until: Coordinates,
    },
    DiffOf {
        principal: Principal,
        from: Coordinates,
        until: Coordinates,
    },
}

/// A holding as a row
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Held {
    /// Who holds it: for what a set gives, the set
    pub(crate) holder: String,
    pub(crate) level: String,
    pub(crate) granted: String,
    pub(crate) since: i64,
    /// [`i64::MAX`]: for ever
    pub(crate) until: i64,
    pub(crate) entry: u64,
}

/// A stretch of time; [`i64::MAX`] is for ever
pub(crate) type Stretch = (i64, i64);

/// An answer as rows
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Principals, or levels
    Names(Vec<String>),
    /// Principals with their levels
    Places(Vec<(String, Vec<String>)>),
    Stretches(Vec<Stretch>),
    /// Principals with their stretches
    During(Vec<(String, Vec<Stretch>)>),
    Holdings(Vec<Held>),
    /// Before and after
    Changes(Vec<(Option<Held>, Option<Held>)>),
}

impl Answer {
    /// In one order, so that it can be compared
    #[must_use]
    pub(crate) fn sorted(mut self) -> Self {
        match &mut self {
            Self::Names(names) => names.sort_unstable(),
            Self::Places(places) => {
                places.iter_mut().for_each(|(_, levels)| levels.sort_unstable());
                places.sort_unstable();
            }
            Self::Stretches(stretches) => stretches.sort_unstable(),
            Self::During(during) => {
                let mut all: BTreeMap<String, Vec<Stretch>> = BTreeMap::new();
                for (principal, stretches) in std::mem::take(during) {
                    all.entry(principal).or_default().extend(stretches);
                }
                all.values_mut().for_each(|stretches| stretches.sort_unstable());
                during.extend(all);
            }
            Self::Holdings(holdings) => holdings.sort_unstable(),
            Self::Changes(changes) => changes.sort_unstable(),
        }
        self
    }

    /// Adds a stretch to a principal, whose stretches come one after the other
    pub(crate) fn add_stretch(&mut self, principal: String, stretch: Stretch) {
        let Self::During(during) = self else { return };
        match during.last_mut() {
            Some((last, stretches)) if *last == principal => stretches.push(stretch),
            _ => during.push((principal, vec![stretch])),
        }
    }

    /// How many rows it has
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Names(names) => names.len(),
            Self::Places(places) => places.len(),
            Self::Stretches(stretches) => stretches.len(),
            Self::During(during) => during.len(),
            Self::Holdings(holdings) => holdings.len(),
            Self::Changes(changes) => changes.len(),
        }
    }
}

/// A parameter of a statement
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Parameter {
    Text(String),
    Time(i64),
    /// `None`: no end
    End(Option<i64>),
    Position(u64),
}

fn ability(can: &Ability) -> (String, bool) {
    let operation = matches!(can, Ability::Operation(_));
    (can.to_string(), operation)
}

/// The set of everybody of a user's origin; nothing for others
fn everyone(principal: &Principal) -> String {
    if principal.kind() == PrincipalKind::User {
        Principal::everyone(principal.origin()).to_string()
    } else {
        String::new()
    }
}

impl Question {
    /// The statement that asks it, and its parameters
    pub(crate) fn statement(&self) -> (Statement, Vec<Parameter>) {
        use Parameter::{End, Position, Text, Time};
        let text = |text: &dyn fmt::Display| Text(text.to_string());
        let about = |level: &Level, can: &Ability, t: i64, known: u64| {
            let (can, operation) = ability(can);
            (vec![text(level), Text(can), Position(known), Time(t)], operation)
        };
        let one = |principal: &Principal| [text(principal), Text(everyone(principal))];
        match self {
            Self::Who { can, on, at } => {
                let (parameters, operation) = about(on, can, at.0, at.1);
                (Statement::Who { operation }, parameters)
            }
            Self::WhoUnder { can, under, at } => {
                let (parameters, operation) = about(under, can, at.0, at.1);
                (Statement::WhoUnder { operation }, parameters)
            }
            Self::WhoDuring { can, on, from, until, known } => {
                let (mut parameters, operation) = about(on, can, *from, *known);
                parameters.push(End(*until));
                (Statement::WhoDuring { operation }, parameters)
            }
            Self::Check { principal, can, on, at } => {
                let (mut parameters, operation) = about(on, can, at.0, at.1);
                parameters.extend(one(principal));
                (Statement::Check { operation }, parameters)
            }
            Self::Timeline { principal, can, on, from, until, known } => {
                let (mut parameters, operation) = about(on, can, *from, *known);
                parameters.extend(one(principal));
                parameters.push(End(*until));
                (Statement::Timeline { operation }, parameters)
            }
            Self::Where { principal, can, under, at } => {
                let (mut parameters, operation) = about(under, can, at.0, at.1);
                parameters.extend(one(principal));
                (Statement::Where { operation }, parameters)
            }
            Self::AssignmentsOn { on, at } => {
                (Statement::AssignmentsOn, vec![text(on), Position(at.1), Time(at.0)])
            }
            Self::AssignmentsOf { principal, at } => {
                (Statement::AssignmentsOf, vec![text(principal), Position(at.1), Time(at.0)])
            }
            Self::DiffUnder { under, from, until } => {
                (Statement::DiffUnder, diff_parameters(text(under), *from, *until))
            }
            Self::DiffOf { principal, from, until } => {
                (Statement::DiffOf, diff_parameters(text(principal), *from, *until))
            }
        }
    }

    /// The answer without a row
    pub(crate) fn nothing(&self) -> Answer {
        match self {
            Self::Who { .. } | Self::Where { .. } => Answer::Names(Vec::new()),
            Self::WhoUnder { .. } => Answer::Places(Vec::new()),
            Self::WhoDuring { .. } => Answer::During(Vec::new()),
            Self::Timeline { .. } => Answer::Stretches(Vec::new()),
            Self::Check { .. } | Self::AssignmentsOn { .. } | Self::AssignmentsOf { .. } => {
                Answer::Holdings(Vec::new())
            }
            Self::DiffUnder { .. } | Self::DiffOf { .. } => Answer::Changes(Vec::new()),
        }
    }

    /// Reads a question of the doors; `position` is what a recorded time stands for
    ///
    /// `None`: one that is not put in SQL here.
    ///
    /// # Errors
    /// A parameter that is missing or cannot be read.
    pub(crate) fn read(
        asked: &Asked,
        position: &impl Fn(i64) -> u64,
        newest: u64,
    ) -> anyhow::Result<Option<Self>> {
        let reader = Reader { parameters: asked.parameters(), position, newest };
        Ok(Some(match asked {
            Asked::Who(q) if q.from.is_some() || q.until.is_some() => Self::WhoDuring {
                can: reader.can()?,
                on: reader.level("on")?,
                from: reader.time("from")?,
                until: reader.end()?,
                known: reader.known("known_at")?,
            },
            Asked::Who(q) if q.under.is_some() => Self::WhoUnder {
                can: reader.can()?,
                under: reader.level("under")?,
                at: reader.at()?,
            },
            Asked::Who(_) => {
                Self::Who { can: reader.can()?, on: reader.level("on")?, at: reader.at()? }
            }
            Asked::Check(_) => Self::Check {
                principal: reader.principal()?,
                can: reader.can()?,
                on: reader.level("on")?,
                at: reader.at()?,
            },
            Asked::Timeline(_) => Self::Timeline {
                principal: reader.principal()?,
                can: reader.can()?,
                on: reader.level("on")?,
                from: reader.time("from")?,
                until: reader.end()?,
                known: reader.known("known_at")?,
            },
            Asked::Where(_) => Self::Where {
                principal: reader.principal()?,
                can: reader.can()?,
                under: reader.level("under")?,
                at: reader.at()?,
            },
            Asked::Assignments(q) if q.role_collection.is_none() => match &q.principal {
                Some(_) if q.on.is_none() => {
                    Self::AssignmentsOf { principal: reader.principal()?, at: reader.at()? }
                }
                None => Self::AssignmentsOn { on: reader.level("on")?, at: reader.at()? },
                Some(_) => return Ok(None),
            },
            Asked::Diff(q) => {
                let from = (reader.time("from")?, reader.known("known_from")?);
                let until = (reader.time("until")?, reader.known("known_until")?);
                match (&q.under, &q.principal) {
                    (Some(_), None) => {
                        Self::DiffUnder { under: reader.level("under")?, from, until }
                    }
                    (None, Some(_)) => Self::DiffOf { principal: reader.principal()?, from, until },
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        }))
    }
}

fn diff_parameters(whose: Parameter, from: Coordinates, until: Coordinates) -> Vec<Parameter> {
    let mut parameters = vec![whose];
    for (t, s) in [from, until] {
        parameters.extend([Parameter::Time(t), Parameter::Position(s)]);
    }
    parameters
}

struct Reader<'a, P> {
    parameters: Parameters,
    position: &'a P,
    newest: u64,
}

impl<P: Fn(i64) -> u64> Reader<'_, P> {
    fn text(&self, name: &str) -> anyhow::Result<&str> {
        let text = self.parameters.get(name).map(String::as_str);
        text.with_context(|| format!("a question without `{name}`"))
    }

    fn can(&self) -> anyhow::Result<Ability> {
        Ok(Ability::parse(self.text("can")?)?)
    }

    fn level(&self, name: &str) -> anyhow::Result<Level> {
        Ok(Level::parse(self.text(name)?)?)
    }

    fn principal(&self) -> anyhow::Result<Principal> {
        Ok(Principal::parse(self.text("principal")?)?)
    }

    fn time(&self, name: &str) -> anyhow::Result<i64> {
        Ok(Instant::parse_or_date(self.text(name)?)?.micros())
    }

    fn end(&self) -> anyhow::Result<Option<i64>> {
        self.parameters.get("until").map(|_| self.time("until")).transpose()
    }

    fn known(&self, name: &str) -> anyhow::Result<u64> {
        let Some(text) = self.parameters.get(name) else { return Ok(self.newest) };
        if text.is_empty() {
            bail!("an empty `{name}`");
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(text.parse()?);
        }
        Ok((self.position)(self.time(name)?))
    }

    fn at(&self) -> anyhow::Result<Coordinates> {
        Ok((self.time("at")?, self.known("known_at")?))
    }
}
