//! Which logs are tried?
//!
//! A scenario is a short log over the names of [`crate::world`]: a landscape and a catalogue first, then
//! steps of every kind, mostly lawful. Effective times lie on a coarse grid, so that equal instants are
//! common. How many of them are late, scheduled or expiring is a parameter.
//!
//! Steps are drawn as drafts (`draft`) that name earlier ones by number, so a scenario can be shrunk by
//! leaving steps out; `build` makes a log of them.

mod build;
mod crowd;
mod draft;
mod neo;
mod stories;

use std::collections::BTreeSet;
use std::fmt;

use tenure_core::{
    Change, EffectiveAt, Entry, GrantableText, Level, Principal, Recorded, RoleText, RuleLeaf,
    Submission,
};

pub use crowd::{Shares, busy, crowds};
pub use draft::{arrivals, mixed, of_neo, scenarios};

/// The grid of effective times
pub const TICK_MICROS: i64 = 3_600_000_000;
/// When the world begins, 2020-01-01T00:00:00Z
pub const ORIGIN_MICROS: i64 = 1_577_836_800_000_000;
/// The first entry is recorded so many ticks after the world begins
const FIRST_RECORDED_TICKS: i64 = 12;

/// A log, shown as one reads it aloud
#[derive(Clone)]
pub struct Scenario {
    /// What the log holds, in order
    pub log: Vec<Recorded>,
    /// How many entries make the landscape that it starts with
    pub beginning: usize,
}

/// A grant of a scenario, applied or not
#[derive(Clone, Debug)]
pub struct Granted {
    /// Where
    pub level: Level,
    /// What
    pub grantable: GrantableText,
    /// To whom
    pub to: Principal,
    /// When it takes effect
    pub since: EffectiveAt,
    /// The number of its entry
    pub position: u64,
}

impl Scenario {
    /// The entries that can be decoded, in order
    pub fn entries(&self) -> impl Iterator<Item = (&Recorded, &Entry)> {
        self.log.iter().filter_map(|recorded| match &recorded.submission {
            Submission::Entry(entry, _) => Some((recorded, entry)),
            Submission::Malformed => None,
        })
    }

    /// Every moment at which something takes effect or expires, in order
    pub fn moments(&self) -> Vec<EffectiveAt> {
        let mut moments = BTreeSet::new();
        for (recorded, entry) in self.entries() {
            let stated = entry.effective_at();
            moments.insert(stated.unwrap_or(recorded.recorded_at.instant()).micros());
            for change in entry.changes() {
                match change {
                    Change::Grant { until: Some(moment), .. }
                    | Change::Observe { from: Some(moment), .. } => {
                        moments.insert(moment.micros());
                    }
                    _ => {}
                }
            }
        }
        moments.into_iter().map(EffectiveAt::saturating_from_micros).collect()
    }

    /// Its grants, in order
    pub fn grants(&self) -> Vec<Granted> {
        let mut grants = Vec::new();
        for (position, recorded) in (1..).zip(&self.log) {
            let Submission::Entry(entry, _) = &recorded.submission else {
                continue;
            };
            let since = entry.effective_at().unwrap_or(recorded.recorded_at.instant());
            for change in entry.changes() {
                if let Change::Grant { level, grantable, to, .. } = change {
                    grants.push(Granted {
                        level: level.clone(),
                        grantable: grantable.clone(),
                        to: to.clone(),
                        since: EffectiveAt::saturating_from_micros(since.micros()),
                        position,
                    });
                }
            }
        }
        grants
    }

    /// The positions of voids
    pub fn voids(&self) -> Vec<u64> {
        let is_void = |recorded: &Recorded| match &recorded.submission {
            Submission::Entry(entry, _) => matches!(entry.changes(), [Change::Void { .. }]),
            Submission::Malformed => false,
        };
        let numbered = (1..).zip(&self.log);
        numbered.filter(|(_, recorded)| is_void(recorded)).map(|(number, _)| number).collect()
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a log of {} entries", self.log.len())?;
        for (number, recorded) in (1..).zip(&self.log) {
            let recorded_at = clock(recorded.recorded_at.micros());
            write!(f, "  #{number} recorded {recorded_at} from {}", recorded.submitter)?;
            match &recorded.submission {
                Submission::Malformed => writeln!(f, ": malformed")?,
                Submission::Entry(entry, _) => {
                    let id = entry.id().0.as_u128();
                    write!(f, ", id {id}")?;
                    if let Some(effective_at) = entry.effective_at() {
                        write!(f, ", effective {}", clock(effective_at.micros()))?;
                    }
                    if let Some(reason) = entry.reason() {
                        write!(f, ", reason {reason:?}")?;
                    }
                    writeln!(f)?;
                    for change in entry.changes() {
                        writeln!(f, "     {}", Shown(change))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Hours since the world begins
pub fn clock(micros: i64) -> String {
    let since = micros - ORIGIN_MICROS;
    let (ticks, beside) = (since.div_euclid(TICK_MICROS), since.rem_euclid(TICK_MICROS));
    if beside == 0 { format!("{ticks}h") } else { format!("{ticks}h+{beside}us") }
}

struct Shown<'a>(&'a Change);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |roles: &[RoleText]| {
            roles.iter().map(RoleText::to_string).collect::<Vec<_>>().join(", ")
        };
        match self.0 {
            Change::Grant { level, grantable, to, until, expect } => {
                write!(f, "grant {to} {grantable} at {level}")?;
                if let Some(until) = until {
                    write!(f, " until {}", clock(until.micros()))?;
                }
                expect.map_or(Ok(()), |expect| write!(f, ", expecting {expect:?}"))
            }
            Change::Revoke { level, grantable, from, expect } => {
                write!(f, "revoke {from} {grantable} at {level}")?;
                expect.map_or(Ok(()), |expect| write!(f, ", expecting {expect:?}"))
            }
            Change::CreateRoleCollection { level, role_collection, roles, .. } => {
                let roles = texts(roles);
                write!(f, "create role collection `{role_collection}` at {level} of [{roles}]")
            }
            Change::SetRoles { level, role_collection, roles } => {
                write!(f, "set roles of `{role_collection}` at {level} to [{}]", texts(roles))
            }
            Change::PublishCatalog { catalog } => {
                write!(f, "publish catalog `{}`", catalog.version())
            }
            Change::SetRule { set, rule: Some(rule), origin } => {
                let mut shown = |leaf: &RuleLeaf| match leaf {
                    RuleLeaf::Equals { attribute, value } => format!("{attribute} = {value}"),
                    RuleLeaf::Matches { attribute, pattern } => {
                        format!("{attribute} matches {}", pattern.as_str())
                    }
                    RuleLeaf::Everyone => "everyone".into(),
                };
                let rule = rule.expression().map(&mut shown);
                write!(f, "set rule of {set} for {origin} to {rule:?}")
            }
            Change::Void { entry, .. } => write!(f, "void id {}", entry.0.as_u128()),
            other => write!(f, "{other:?}"),
        }
    }
}
