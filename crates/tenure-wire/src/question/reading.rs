//! How is a question read from its parameters?

use std::sync::Arc;
use std::time::Duration;

use tenure_core::{
    ABILITIES_MAX, Abilities, Ability, AsOf, AssignmentFilter, EffectiveAt, EntryId, EntryName,
    FoundKind, Instant, Known, KnownAt, Level, LevelFilter, LevelKind, Life, Mention, OutcomeKind,
    Place, Principal, PrincipalFilter, PrincipalKind, Question, Reading as Sense, RoleText, Search,
    SourceFilter, plain_name, searched,
};
use uuid::Uuid;

use super::{
    LIMIT, LIMIT_MAX, MinPosition, Parameters, QuestionError, SEARCH_BYTES_MAX, SEARCH_LIMIT,
    SEARCH_LIMIT_MAX, WAIT_MS_MAX,
};

fn bad(name: &str, why: impl ToString) -> QuestionError {
    QuestionError::Bad(format!("`{name}`: {}", why.to_string()))
}

fn usage(why: &str) -> QuestionError {
    QuestionError::Bad(why.to_owned())
}

/// Reads the life of a session, such as `12h`
fn life(text: &str) -> Result<Life, QuestionError> {
    let wrong = || bad("life", "it is digits and `s`, `m`, `h` or `d`, from `1s` to `7d`");
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds: u32 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 24 * 3_600,
        _ => return Err(wrong()),
    };
    let number: u32 = Some(digits)
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(wrong)?;
    number.checked_mul(seconds).and_then(Life::of_seconds).ok_or_else(wrong)
}

const ON_OR_UNDER: &str = "say one of `on` (a level) and `under` (a subtree)";

/// Parameters that are being read
pub(super) struct Reading<'a> {
    pub(super) parameters: &'a Parameters,
    pub(super) default_origin: &'a str,
}

impl Reading<'_> {
    pub(super) fn question(&self, kind: &str) -> Result<Question, QuestionError> {
        Ok(match kind {
            "who" => return self.who(),
            "what" => Question::What {
                principal: self.principal("principal")?,
                on: self.level("on")?,
                as_of: self.as_of()?,
            },
            "check" => Question::Check {
                principal: self.principal("principal")?,
                can: self.can()?,
                on: self.level("on")?,
                as_of: self.as_of()?,
                reading: self.reading()?,
            },
            "timeline" => Question::Timeline {
                principal: self.principal("principal")?,
                can: self.can()?,
                on: self.level("on")?,
                from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
                until: self.instant("until")?,
                known_at: self.known("known_at")?,
            },
            "where" => Question::Where {
                principal: self.principal("principal")?,
                can: self.can()?,
                under: self.level("under")?,
                kind: self.level_kind()?,
                as_of: self.as_of()?,
                reading: self.reading()?,
            },
            "diff" => return self.diff(),
            "assignments" => {
                let filter = self.filter()?;
                Question::Assignments { filter, as_of: self.as_of()? }
            }
            "holdings" => Question::Holdings {
                filter: self.filter()?,
                from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
                until: self.instant("until")?,
                known_at: self.known("known_at")?,
            },
            "members" => {
                let set = self.principal("set")?;
                if !matches!(set.kind(), PrincipalKind::Group | PrincipalKind::Attribute) {
                    let why = format!("it is a group or an attribute, `{set}` is neither");
                    return Err(bad("set", why));
                }
                Question::Members { set, as_of: self.as_of()? }
            }
            "principals" => {
                let filter = PrincipalFilter {
                    kind: self.kind()?,
                    origin: self.origin()?,
                    holding: self.has("holding").then(|| self.truth("holding")).transpose()?,
                };
                Question::Principals { filter, as_of: self.as_of()? }
            }
            "search" => Question::Search { search: self.search()?, as_of: self.as_of()? },
            "sources" => Question::Sources { filter: self.sources()?, as_of: self.as_of()? },
            "levels" => {
                let filter =
                    LevelFilter { under: self.optional_level("under")?, kind: self.level_kind()? };
                Question::Levels { filter, as_of: self.as_of()? }
            }
            "role-collections" => {
                Question::RoleCollections { on: self.level("on")?, as_of: self.as_of()? }
            }
            "catalog" => Question::Catalog { as_of: self.as_of()? },
            "history" => self.history()?,
            "entry" => Question::Entry { entry: self.entry()? },
            _ => return Err(QuestionError::NoQuestion(kind.to_owned())),
        })
    }

    fn who(&self) -> Result<Question, QuestionError> {
        let can = self.can()?;
        let explain = self.explain()?;
        let over_time = self.has("from") || self.has("until");
        match (self.has("on"), self.has("under")) {
            (true, true) | (false, false) => {
                return Err(usage(ON_OR_UNDER));
            }
            _ => {}
        }
        if over_time && self.has("at") {
            return Err(usage(
                "`at` is a moment, `from` and `until` are a stretch of time: say one of the two",
            ));
        }
        let reading = self.reading()?;
        if over_time && reading != Sense::Assigned {
            return Err(usage("`reading` is asked at a moment, not over a stretch of time"));
        }
        if self.has("under") && over_time {
            return Ok(Question::WhoDuringAnywhere {
                can,
                under: self.level("under")?,
                from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
                until: self.instant("until")?,
                known_at: self.known("known_at")?,
                explain,
            });
        }
        if self.has("under") {
            let under = self.level("under")?;
            let as_of = self.as_of()?;
            return Ok(Question::WhoAnywhere { can, under, as_of, reading, explain });
        }
        let on = self.level("on")?;
        if !over_time {
            return Ok(Question::Who { can, on, as_of: self.as_of()?, reading, explain });
        }
        Ok(Question::WhoDuring {
            can,
            on,
            from: self.instant("from")?.unwrap_or(EffectiveAt::FIRST),
            until: self.instant("until")?,
            known_at: self.known("known_at")?,
            explain,
        })
    }

    /// In which sense it is asked
    fn reading(&self) -> Result<Sense, QuestionError> {
        let life = self.get("life").map(life).transpose()?;
        match (self.get("reading"), life) {
            (None | Some("assigned" | "latent"), Some(_)) => {
                Err(bad("life", "it is that of a session: say `reading=session` with it"))
            }
            (None | Some("assigned"), None) => Ok(Sense::Assigned),
            (Some("session"), life) => Ok(Sense::Session(life.unwrap_or_default())),
            (Some("latent"), None) => Ok(Sense::Latent),
            (Some(_), _) => Err(bad("reading", "it is `assigned`, `session` or `latent`")),
        }
    }

    fn diff(&self) -> Result<Question, QuestionError> {
        let from = AsOf { at: self.instant("from")?, known_at: self.known("known_from")? };
        let until = AsOf { at: self.instant("until")?, known_at: self.known("known_until")? };
        if !self.has("can") {
            if self.has("on") {
                return Err(usage("`on` goes with `can`: say `under`, or what one could do there"));
            }
            let under = self.optional_level("under")?;
            let principal = self.optional_principal("principal")?;
            return Ok(Question::Diff { from, until, under, principal });
        }
        if self.has("principal") {
            return Err(usage(
                "`can` asks who gained or lost a power, `principal` about the holdings of one: say one of the two",
            ));
        }
        let place = match (self.optional_level("on")?, self.optional_level("under")?) {
            (Some(on), None) => Place::On(on),
            (None, Some(under)) => Place::Under(under),
            _ => return Err(usage(ON_OR_UNDER)),
        };
        Ok(Question::PowerDiff { can: self.can()?, place, from, until })
    }

    fn history(&self) -> Result<Question, QuestionError> {
        let mut mentions = Vec::new();
        mentions.extend(self.optional_principal("principal")?.map(Mention::Principal));
        mentions.extend(self.optional_principal("actor")?.map(Mention::Actor));
        mentions.extend(self.optional_principal("submitter")?.map(Mention::Submitter));
        mentions.extend(self.optional_level("level")?.map(Mention::Level));
        mentions.extend(self.optional_name("role_collection")?.map(Mention::RoleCollection));
        Ok(Question::History {
            mentions,
            outcome: self.outcome()?,
            after: KnownAt(self.number("after")?.unwrap_or(0)),
            limit: Some(self.limit()?),
        })
    }

    fn search(&self) -> Result<Search, QuestionError> {
        let text = self.required("q")?;
        if text.len() > SEARCH_BYTES_MAX {
            let why = format!("it has {} bytes: at most {SEARCH_BYTES_MAX} are taken", text.len());
            return Err(bad("q", why));
        }
        if searched(text).is_empty() {
            return Err(bad("q", "it has no word: say a part of a name"));
        }
        let why = "it is a level's kind like `subaccount`, a principal's like `user`, \
                   `role-collection`, `role` or `operation`";
        let kind = |text| FoundKind::parse(text).ok_or_else(|| bad("kind", why));
        Ok(Search {
            text: text.into(),
            kind: self.get("kind").map(kind).transpose()?,
            limit: self.limit_of(SEARCH_LIMIT, SEARCH_LIMIT_MAX)?,
        })
    }

    fn sources(&self) -> Result<SourceFilter, QuestionError> {
        let place = match (self.optional_level("on")?, self.optional_level("under")?) {
            (Some(_), Some(_)) => {
                return Err(usage(
                    "`on` is a level, `under` a subtree: say at most one of the two",
                ));
            }
            (on, under) => on.map(Place::On).or(under.map(Place::Under)),
        };
        Ok(SourceFilter { place, source: self.optional_name("source")? })
    }

    fn entry(&self) -> Result<EntryName, QuestionError> {
        let text = self.required("entry")?;
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // Digits beyond what a position can be are the position of no entry.
            return Ok(EntryName::Position(text.parse().unwrap_or(0)));
        }
        (text.len() == 36)
            .then(|| Uuid::try_parse(text).ok())
            .flatten()
            .map(|id| EntryName::Id(EntryId(id)))
            .ok_or_else(|| bad("entry", "it is a position (digits alone) or an id (a UUID)"))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn required(&self, name: &str) -> Result<&str, QuestionError> {
        self.get(name)
            .ok_or_else(|| QuestionError::Bad(format!("the parameter `{name}` is missing")))
    }

    fn can(&self) -> Result<Abilities, QuestionError> {
        self.required("can")?;
        let texts = self.parameters.all("can");
        let read = |text: &String| Ability::parse(text).map_err(|error| bad("can", error));
        let too_many = || bad("can", format!("it stands at most {ABILITIES_MAX} times"));
        let few = Some(texts).filter(|texts| texts.len() <= ABILITIES_MAX).ok_or_else(too_many)?;
        let abilities = few.iter().map(read).collect::<Result<_, _>>()?;
        Abilities::any_of(abilities).ok_or_else(too_many)
    }

    fn level(&self, name: &str) -> Result<Level, QuestionError> {
        Level::parse(self.required(name)?).map_err(|error| bad(name, error))
    }

    fn optional_level(&self, name: &str) -> Result<Option<Level>, QuestionError> {
        self.has(name).then(|| self.level(name)).transpose()
    }

    fn principal(&self, name: &str) -> Result<Principal, QuestionError> {
        let text = self.required(name)?;
        Principal::parse_short(text, self.default_origin).map_err(|error| bad(name, error))
    }

    fn optional_principal(&self, name: &str) -> Result<Option<Principal>, QuestionError> {
        self.has(name).then(|| self.principal(name)).transpose()
    }

    fn optional_name(&self, name: &str) -> Result<Option<Arc<str>>, QuestionError> {
        let text = self.get(name);
        text.map(|text| plain_name("name", text).map_err(|error| bad(name, error))).transpose()
    }

    fn filter(&self) -> Result<AssignmentFilter, QuestionError> {
        let role = self.get("role").map(RoleText::parse).transpose();
        let filter = AssignmentFilter {
            on: self.optional_level("on")?,
            principal: self.optional_principal("principal")?,
            role_collection: self.optional_name("role_collection")?,
            role: role.map_err(|error| bad("role", error))?,
        };
        if filter == AssignmentFilter::default() {
            let why = "say at least one of `on`, `principal`, `role_collection` and `role`";
            return Err(usage(why));
        }
        Ok(filter)
    }

    fn kind(&self) -> Result<Option<PrincipalKind>, QuestionError> {
        let why = "it is `user`, `client`, `group`, `attribute` or `everyone`";
        let read = |text| PrincipalKind::parse(text).ok_or_else(|| bad("kind", why));
        self.get("kind").map(read).transpose()
    }

    fn level_kind(&self) -> Result<Option<LevelKind>, QuestionError> {
        let kinds = || LevelKind::ALL.map(|kind| format!("`{kind}`")).join(", ");
        let why = || bad("kind", format!("it is one of {}", kinds()));
        self.get("kind").map(|text| LevelKind::parse(text).ok_or_else(why)).transpose()
    }

    fn origin(&self) -> Result<Option<Arc<str>>, QuestionError> {
        let read = |text| Principal::everyone(text).map(|everyone| everyone.origin().into());
        let origin = self.get("origin").map(read).transpose();
        origin.map_err(|error| bad("origin", error))
    }

    pub(super) fn as_of(&self) -> Result<AsOf, QuestionError> {
        Ok(AsOf { at: self.instant("at")?, known_at: self.known("known_at")? })
    }

    fn instant(&self, name: &'static str) -> Result<Option<EffectiveAt>, QuestionError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let bad_time = |why: String| QuestionError::BadTime { name, why };
        let instant = Instant::parse_or_date(text).map_err(|error| bad_time(error.to_string()))?;
        EffectiveAt::try_from(instant).map(Some).map_err(|error| bad_time(error.to_string()))
    }

    fn known(&self, name: &'static str) -> Result<Known, QuestionError> {
        let Some(text) = self.get(name) else { return Ok(Known::Newest) };
        if text.is_empty() {
            let why = format!("`{name}` is empty: say a position or a recorded time");
            return Err(QuestionError::Bad(why));
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            // Digits beyond what a position can be are a position that does not exist yet.
            return Ok(Known::At(KnownAt(text.parse().unwrap_or(u64::MAX))));
        }
        Instant::parse_or_date(text).map(Known::By).map_err(|error| {
            let why = format!("{error}, nor a position");
            QuestionError::BadTime { name, why }
        })
    }

    fn truth(&self, name: &str) -> Result<bool, QuestionError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, "it is `true` or `false`")),
        }
    }

    /// Whether evidence is wanted
    pub(super) fn explain(&self) -> Result<bool, QuestionError> {
        match self.get("explain") {
            Some("full") => Ok(true),
            Some("true" | "false") | None => self.truth("explain"),
            Some(_) => Err(bad("explain", "it is `false`, `true` or `full`")),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, QuestionError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad(name, "it is a number, digits alone"));
        }
        Ok(Some(text.parse().unwrap_or(u64::MAX)))
    }

    pub(super) fn limit(&self) -> Result<usize, QuestionError> {
        self.limit_of(LIMIT, LIMIT_MAX)
    }

    fn limit_of(&self, absent: usize, most: usize) -> Result<usize, QuestionError> {
        let Some(number) = self.number("limit")? else { return Ok(absent) };
        usize::try_from(number)
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| bad("limit", format!("it is 1 to {most}")))
    }

    fn outcome(&self) -> Result<Option<OutcomeKind>, QuestionError> {
        let why = "it is `applied`, `refused` or `duplicate`";
        let read = |text| OutcomeKind::parse(text).ok_or_else(|| bad("outcome", why));
        self.get("outcome").map(read).transpose()
    }

    pub(super) fn min_position(&self) -> Result<Option<MinPosition>, QuestionError> {
        let Some(text) = self.get("min_position") else { return Ok(None) };
        let (ledger, digits) = match text.split_once('@') {
            Some((ledger, digits)) => (Some(ledger.to_owned()), digits),
            None => (None, text),
        };
        let position = digits.parse().map_err(|_| {
            let why = "`min_position` is a position or a revision of this ledger, `";
            QuestionError::Bad(format!("{why}{text}` is neither"))
        })?;
        Ok(Some(MinPosition { ledger, position }))
    }

    pub(super) fn wait(&self) -> Result<Option<Duration>, QuestionError> {
        let why = || {
            let why = format!("`wait` is a number of milliseconds, at most {WAIT_MS_MAX}");
            QuestionError::Bad(why)
        };
        let ms = self.number("wait").map_err(|_| why())?;
        match ms {
            Some(ms) if ms > WAIT_MS_MAX => Err(why()),
            ms => Ok(ms.map(Duration::from_millis)),
        }
    }
}
