//! Why was an entry refused, and what may its author not have meant, in a sentence?
//!
//! A refusal is data ([`Reason`]), and so it is kept; a note is data too. This is the one place where they become
//! English: what was wrong, where, and what would be right. The names in a sentence come from the entry.

use tenure_core::{
    Attribute, Change, EffectiveAt, Entry, GrantableText, Instant, Later, LedgerOperation, Level,
    LevelKind, Noted, Reason, RecordedAt, Refusal, RoleText,
};

use crate::codec::decode_entry;
use crate::message::{CE_TYPE, Reading, parts};
use crate::v1;

/// Most malformed bytes that are read again to say what is wrong with them
///
/// As many as a NATS server takes in one message unless told otherwise.
pub const READ_AGAIN_BYTES_MAX: usize = 1_024 * 1_024;

/// What was submitted: with a refusal, all that its sentence needs
#[derive(Clone, Copy, Debug)]
pub enum Submitted<'a> {
    /// An entry
    Entry(&'a Entry),
    /// What cannot be decoded
    Malformed {
        /// The bytes as they came
        raw: &'a [u8],
        /// How they were read
        reading: Reading,
    },
}

impl<'a> Submitted<'a> {
    /// The entry, if it is one
    pub fn entry(self) -> Option<&'a Entry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Malformed { .. } => None,
        }
    }
}

/// The sentence of a refusal of what was submitted and recorded then
pub fn refusal(refusal: &Refusal, submitted: Submitted<'_>, recorded_at: RecordedAt) -> String {
    let entry = match submitted {
        Submitted::Malformed { raw, reading } => return malformed(raw, reading),
        Submitted::Entry(entry) => entry,
    };
    let found = match refusal.change {
        None => of_entry(&refusal.reason, entry, recorded_at),
        Some(n) => entry.changes().get(n).and_then(|change| {
            let t = entry.effective_at().unwrap_or(recorded_at.instant());
            of_change(&refusal.reason, change, t)
        }),
    };
    // A sound journal keeps no reason beside an entry that it cannot be of.
    found.unwrap_or_else(|| format!("the entry is refused as `{}`", refusal.code().as_str()))
}

/// What is wrong with bytes that are malformed: they are read again
///
/// # Cost
/// As reading them; those over [`READ_AGAIN_BYTES_MAX`] are not read.
pub fn malformed(raw: &[u8], reading: Reading) -> String {
    let problem = match reading {
        Reading::NoType => return format!("the message has no header `ce-type: {CE_TYPE}`"),
        Reading::OtherSpecVersion => {
            return "the message's `ce-specversion` is not 1.0".to_owned();
        }
        Reading::NewerRules => {
            let own = "only the ledger's own programs may publish those";
            return format!("the message needs newer rules, and {own}: write `ce-type: {CE_TYPE}`");
        }
        Reading::NoFormat => {
            let known = "`content-type: application/msgpack` or `application/json`";
            return format!("the message has no header {known}");
        }
        Reading::UnreadableHeaders => {
            return "the message's headers cannot be read: after the line `NATS/1.0` each is `name: value` in UTF-8"
                .to_owned();
        }
        Reading::NoSubmitter => {
            return "the token after `log.` in the message's subject is no name of a client"
                .to_owned();
        }
        Reading::NoCaller => {
            return "the message's header `Tenure-Caller` names no user and no client that a door may speak for"
                .to_owned();
        }
        Reading::Message(_) | Reading::Entry(_) if raw.len() > READ_AGAIN_BYTES_MAX => {
            return format!(
                "the {} bytes cannot be decoded, and only up to {READ_AGAIN_BYTES_MAX} are read again \
                 to say why: send smaller messages",
                raw.len()
            );
        }
        Reading::Message(format) => parts(format, raw).err(),
        Reading::Entry(format) => decode_entry(format, raw).err().map(|error| error.to_string()),
        Reading::Unknown => None,
    };
    problem.unwrap_or_else(|| "the bytes could not be decoded when they were recorded".to_owned())
}

fn of_entry(reason: &Reason, entry: &Entry, recorded_at: RecordedAt) -> Option<String> {
    Some(match reason {
        Reason::IdReused { owner } => format!(
            "the id `{}` came before, at position {owner}, with other content: a new attempt needs \
             a new id",
            entry.id()
        ),
        Reason::BadTime => match entry.effective_at().filter(|t| *t < Instant::EPOCH) {
            Some(effective_at) => bad_time("effective_at", effective_at),
            None => bad_time("not_before", entry.not_before()?),
        },
        Reason::EmptyInterval => {
            let t = entry.effective_at().unwrap_or(recorded_at.instant());
            format!("`not_before` is {}, which is after {t}, when it holds", entry.not_before()?)
        }
        _ => return None,
    })
}

fn of_change(reason: &Reason, change: &Change, t: Instant) -> Option<String> {
    Some(match reason {
        // These are of the entry as a whole.
        Reason::Malformed | Reason::IdReused { .. } => return None,
        Reason::BadTime => match change {
            Change::Observe { from, .. } => bad_time("from", (*from)?),
            _ => bad_time("until", until(change)?),
        },
        Reason::Forbidden { operation, at } => forbidden(*operation, at, change),
        Reason::UnknownEntry => {
            format!("the entry `{}` is not in the log: there is nothing to void", voided(change)?)
        }
        Reason::NotApplied { owner } => format!(
            "the entry `{}`, at position {owner}, was refused: there is nothing to void",
            voided(change)?
        ),
        Reason::AlreadyVoided { void } => format!(
            "the entry `{}` is already voided by the entry at position {void}: void that one to \
             make it count again",
            voided(change)?
        ),
        Reason::UnknownLevel => {
            format!("the level `{}` does not exist at {t}", change.level()?)
        }
        Reason::UnknownParent => {
            format!("the parent `{}` does not exist at {t}", change.parent()?)
        }
        Reason::LevelExists => format!("the level `{}` already exists at {t}", change.level()?),
        Reason::UnfitParent => unfit_parent(change.level()?, change.parent()),
        Reason::ParentWithin => {
            let (level, parent) = (change.level()?, change.parent()?);
            format!("`{level}` would lie in itself: `{parent}` is that level or lies in it")
        }
        Reason::UnknownRole { nth } => {
            let (role, level) = (change.roles().get(*nth)?, change.level()?);
            format!("there is no role `{role}` at `{level}` at {t}")
        }
        Reason::AmbiguousRole { nth, applications, more } => {
            let (role, level) = (change.roles().get(*nth)?, change.level()?);
            let candidates = applications.iter().map(|application| {
                let application = Some(application.clone());
                format!("`{}`", RoleText { application, name: role.name.clone() })
            });
            let more = (*more > 0).then(|| format!("one of {more} more"));
            let candidates: Vec<String> = candidates.chain(more).collect();
            format!(
                "several applications have a role `{role}` at `{level}` at {t}: write {}",
                candidates.join(" or ")
            )
        }
        Reason::RoleExists => {
            let Change::CreateRole { level, role, application, .. } = change else { return None };
            format!("the role `{application}/{role}` already exists at `{level}` at {t}")
        }
        Reason::UnknownRoleCollection => {
            let (name, level) = (change.role_collection()?, change.level()?);
            format!("there is no role collection `{name}` at `{level}` at {t}")
        }
        Reason::RoleCollectionExists => {
            let (name, level) = (change.role_collection()?, change.level()?);
            format!(
                "the role collection `{name}` already exists at `{level}` at {t}: `set_roles` changes \
                 a custom one"
            )
        }
        Reason::Predefined => {
            let what = match change {
                Change::DeleteRole { role, .. } => GrantableText::Role(role.clone()),
                _ => GrantableText::RoleCollection(change.role_collection()?.clone()),
            };
            let level = change.level()?;
            if matches!(&what, GrantableText::Role(role) if role.is_own()) {
                return Some(format!("the {what} is the ledger's own: nothing changes it"));
            }
            format!("the {what} is predefined at `{level}` at {t}: only a catalogue changes it")
        }
        Reason::ForeignAttribute { attribute } => foreign_attribute(change.level()?, *attribute),
        Reason::AccessWithTime => {
            "`access` takes effect from the next position on: leave `effective_at` out".to_owned()
        }
        Reason::NoAdministrator => format!(
            "nobody could govern `{}` any more: grant the role `tenure/Administrator` there, without \
             `until`, to a user or to a client that signs in, before access is enforced",
            change.level()?
        ),
        Reason::LedgerStays => {
            format!("`{}` is the ledger's own level: it cannot be deleted", change.level()?)
        }
        Reason::NoCustomRoles => match change.level()?.kind() {
            LevelKind::Ledger => format!(
                "`{}` is the ledger's own level: no custom role is created there",
                change.level()?
            ),
            LevelKind::Application => format!(
                "`{}` is not in Neo at {t}: there a custom role is created at the subaccount",
                change.level()?
            ),
            kind => format!(
                "{} takes no custom roles: create it at a global account, a directory or a subaccount",
                a(kind)
            ),
        },
        Reason::NoPermissions => format!(
            "`{}` is no application, and only an application has permissions",
            change.level()?
        ),
        Reason::UnknownPermission => {
            let Change::DeletePermission { level, permission } = change else { return None };
            format!("`{level}` has no permission `{permission}` at {t}")
        }
        Reason::OwnApplication => {
            "roles of the application `tenure` are the ledger's own: a custom role is of another \
             application"
                .to_owned()
        }
        Reason::OwnRoleInCollection { nth } => format!(
            "the role `{}` is granted by itself, never through a role collection",
            change.roles().get(*nth)?
        ),
        Reason::NoCustomRoleCollections => match change.level()?.kind() {
            LevelKind::Subaccount => format!(
                "`{}` is in Neo at {t}, where there are no role collections: grant its roles directly",
                change.level()?
            ),
            LevelKind::Application => format!(
                "`{}` is an application, and an application takes no custom role collections",
                change.level()?
            ),
            kind => format!(
                "{} takes no custom role collections under the catalogue in force at {t}",
                a(kind)
            ),
        },
        Reason::NotGrantedAlone => format!(
            "the role `{}` cannot be granted by itself: grant a role collection that contains it",
            change.roles().first()?
        ),
        Reason::NoAuthorizations => format!(
            "`{}` does not manage authorizations at {t}: set its `authorizations` before anything is \
             granted there",
            change.level()?
        ),
        Reason::OwnRoleToSet => format!(
            "the role `{}` is granted to users and clients, and `{}` is a set",
            change.roles().first()?,
            change.principals().next()?
        ),
        Reason::UnknownPrincipal => format!(
            "no entry that counts names `{}`: there is nothing to remove",
            change.principals().next()?
        ),
        Reason::EmptyInterval => match change {
            Change::Observe { from, .. } => {
                format!("`from` is {}, which is not before {t}, when it was observed", (*from)?)
            }
            _ => format!("`until` is {}, which is not after the start {t}", until(change)?),
        },
        Reason::NotHeld => match change {
            Change::Revoke { level, grantable, from, .. } => {
                format!("`{from}` does not hold the {grantable} at `{level}` at {t}")
            }
            Change::RemoveMember { set, member, .. } => {
                format!("`{member}` is no member of `{set}` at {t}")
            }
            _ => return None,
        },
        Reason::AlreadyHeld => {
            let Change::Grant { level, grantable, to, .. } = change else { return None };
            format!(
                "`{to}` already holds the {grantable} at `{level}` at {t}: a grant without `expect` \
                 gives it new terms"
            )
        }
    })
}

/// What the submitter lacks; whoever voids an entry of its own may do so without it
fn forbidden(operation: LedgerOperation, at: &Level, change: &Change) -> String {
    let lacks = format!("the submitter may not: it needs `{}` at `{at}`", operation.as_str());
    match change {
        Change::Void { .. } => {
            format!(
                "{lacks}, or to have handed that entry in and to be allowed each of its changes"
            )
        }
        _ => lacks,
    }
}

/// The sentence of a note on a change that takes effect then
pub fn note(noted: &Noted, change: &Change, t: Instant) -> String {
    match noted {
        Noted::TermsChanged { from, to } => {
            let ends = |end: &Option<EffectiveAt>| match end {
                Some(end) => format!("until {end}"),
                None => "without an end".to_owned(),
            };
            format!("{} at {t}: it ran {}, and runs {} now", runs(change), ends(from), ends(to))
        }
        Noted::Repeated => repeated(change, t),
        Noted::Scheduled(later) => format!("{} again: {}", starts(change), entries(later)),
        Noted::LastAdministrator => {
            "nobody who signs in administers the ledger any more: only whoever can open its data folder can \
             give rights"
                .to_owned()
        }
    }
}

/// What ends the sentence of a refused revoke whose holding later entries start
pub(crate) fn hint(later: &Later) -> String {
    format!("; it is granted later: {}", entries(later))
}

/// What runs already before a change starts it
fn runs(change: &Change) -> String {
    match change {
        Change::Grant { level, grantable, to, .. } => {
            format!("`{to}` already holds the {grantable} at `{level}`")
        }
        Change::AddMember { set, member } => format!("`{member}` is already a member of `{set}`"),
        _ => "it already runs".to_owned(),
    }
}

fn repeated(change: &Change, t: Instant) -> String {
    match change {
        Change::Revoke { level, grantable, from, .. } => {
            format!("`{from}` does not hold the {grantable} at `{level}` at {t}: nothing ends")
        }
        Change::RemoveMember { set, member, .. } => {
            format!("`{member}` is no member of `{set}` at {t}: nothing ends")
        }
        Change::RemovePrincipal { principal } => {
            format!("`{principal}` has neither a holding nor a membership at {t}: nothing ends")
        }
        Change::Grant { .. } => {
            format!("{} at {t}, with the same end: this entry answers for it now", runs(change))
        }
        _ => format!("{} at {t}", runs(change)),
    }
}

/// What later entries start after a change ended it
fn starts(change: &Change) -> String {
    match change {
        Change::Revoke { level, grantable, from, .. } => {
            format!("later entries give `{from}` the {grantable} at `{level}`")
        }
        Change::RemoveMember { set, member, .. } => {
            format!("later entries make `{member}` a member of `{set}`")
        }
        Change::RemovePrincipal { principal } => {
            format!("later entries start a holding or a membership of `{principal}`")
        }
        _ => "later entries start it".to_owned(),
    }
}

/// Entries by their positions, with when each takes effect
fn entries(later: &Later) -> String {
    let named = later.entries.iter().map(|(at, position)| format!("position {position} at {at}"));
    let more = (later.more > 0).then(|| format!("and {} more", later.more));
    named.chain(more).collect::<Vec<_>>().join(", ")
}

fn bad_time(field: &str, instant: Instant) -> String {
    let (first, last) = (Instant::EPOCH, Instant::LAST);
    format!("`{field}` is {instant}, which is not within {first} to {last}")
}

fn until(change: &Change) -> Option<Instant> {
    match change {
        Change::Grant { until, .. } => *until,
        _ => None,
    }
}

/// The id of the entry that is to be voided
fn voided(change: &Change) -> Option<tenure_core::EntryId> {
    match change {
        Change::Void { entry, .. } => Some(*entry),
        _ => None,
    }
}

fn unfit_parent(level: &Level, parent: Option<&Level>) -> String {
    let fits = |parent: &LevelKind| level.kind().fits_in(Some(*parent));
    let kinds: Vec<&str> = LevelKind::ALL.into_iter().filter(fits).map(LevelKind::as_str).collect();
    let kinds = kinds.join(" or ");
    match parent {
        _ if level.kind() == LevelKind::Ledger => {
            format!("`{level}` is the ledger's own level: it lies in nothing")
        }
        Some(parent) if kinds.is_empty() => {
            format!("`{level}` is a global account and has no parent: it cannot lie in `{parent}`")
        }
        Some(parent) => format!("`{level}` can only lie in a {kinds}, not in `{parent}`"),
        None => format!("`{level}` can only lie in a {kinds}, and no parent is stated"),
    }
}

fn foreign_attribute(level: &Level, attribute: Attribute) -> String {
    let kind = level.kind();
    let own = Attribute::ALL.into_iter().filter(|one| kind.has(*one));
    let own: Vec<String> = own.map(|one| format!("`{}`", one.as_str())).collect();
    let a = a(kind);
    format!("{a} has no attribute `{}`: it has {}", attribute.as_str(), own.join(", "))
}

/// A kind with its article
fn a(kind: LevelKind) -> String {
    format!("{} {kind}", if kind == LevelKind::Application { "an" } else { "a" })
}

/// The rule of a group in a line
pub fn rule(rule: &v1::Rule) -> String {
    let list = |parts: &[v1::Rule], word: &str| {
        let parts: Vec<String> = parts.iter().map(self::rule).collect();
        if parts.len() == 1 { parts.join("") } else { format!("({})", parts.join(word)) }
    };
    match rule {
        v1::Rule { any_of: Some(parts), .. } => list(parts, " or "),
        v1::Rule { all_of: Some(parts), .. } => list(parts, " and "),
        v1::Rule { attribute: Some(attribute), equals: Some(value), .. } => {
            format!("{attribute} = {value}")
        }
        v1::Rule { attribute: Some(attribute), matches: Some(pattern), .. } => {
            format!("{attribute} matches {pattern}")
        }
        _ => "everyone".to_owned(),
    }
}

/// A requirement in a line
pub fn requirement(expr: &v1::Expr) -> String {
    let list = |parts: &[v1::Expr], word: &str| {
        let parts: Vec<String> = parts.iter().map(requirement).collect();
        if parts.len() == 1 { parts.join("") } else { format!("({})", parts.join(word)) }
    };
    if let Some(parts) = &expr.any_of {
        return list(parts, " or ");
    }
    if let Some(parts) = &expr.all_of {
        return list(parts, " and ");
    }
    let what = match (&expr.role, &expr.scope, &expr.role_collection) {
        (Some(role), _, _) => {
            let application = expr.application.as_ref().map(|a| format!("{a}/"));
            format!("role `{}{role}`", application.unwrap_or_default())
        }
        (_, Some(scope), _) => format!("scope `{scope}`"),
        (_, _, Some(name)) => format!("role collection `{name}`"),
        _ => String::new(),
    };
    let place = match (&expr.at, &expr.below) {
        (Some(kinds), _) => format!(" at the {}", kinds.join(" or ")),
        (_, Some(kinds)) => format!(" at a {} below", kinds.join(" or ")),
        _ => String::new(),
    };
    format!("{what}{place}")
}
