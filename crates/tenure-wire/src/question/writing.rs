//! How are the parameters of a question written?

use tenure_core::{
    Abilities, AsOf, AssignmentFilter, EffectiveAt, FoundKind, Known, Life, Mention, OutcomeKind,
    Place, PrincipalKind, Question, Reading, Search, SourceFilter,
};

use super::{Parameters, SEARCH_LIMIT};
use crate::api::life_text;

/// Parameters that are being written
#[derive(Default)]
pub(super) struct Writing {
    pub(super) parameters: Parameters,
}

impl Writing {
    pub(super) fn put(&mut self, name: &str, value: impl ToString) {
        self.parameters.set(name, value.to_string());
    }

    fn can(&mut self, can: &Abilities) {
        let texts = can.iter().map(ToString::to_string).collect();
        self.parameters.0.insert("can".to_owned(), texts);
    }

    pub(super) fn put_if(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn known(&mut self, name: &str, known: Known) {
        match known {
            Known::Newest => {}
            Known::At(known_at) => self.put(name, known_at.0),
            Known::By(time) => self.put(name, time),
        }
    }

    fn as_of(&mut self, as_of: AsOf) {
        self.put_if("at", as_of.at);
        self.known("known_at", as_of.known_at);
    }

    fn both(&mut self, from: AsOf, until: AsOf) {
        self.put_if("from", from.at);
        self.put_if("until", until.at);
        self.known("known_from", from.known_at);
        self.known("known_until", until.known_at);
    }

    fn reading(&mut self, reading: Reading) {
        self.put_if("reading", Some(reading.as_str()).filter(|_| reading != Reading::Assigned));
        if let Reading::Session(life) = reading
            && life != Life::default()
        {
            self.put("life", life_text(life));
        }
    }

    fn explain(&mut self, explain: bool) {
        self.put_if("explain", explain.then_some(true));
    }

    fn filter(&mut self, filter: &AssignmentFilter) {
        self.put_if("on", filter.on.as_ref());
        self.put_if("principal", filter.principal.as_ref());
        self.put_if("role_collection", filter.role_collection.as_ref());
        self.put_if("role", filter.role.as_ref());
    }

    fn place(&mut self, place: &Place) {
        match place {
            Place::On(on) => self.put("on", on),
            Place::Under(under) => self.put("under", under),
        }
    }

    /// Writes the question's own parameters
    pub(super) fn question(&mut self, question: &Question) {
        match question {
            Question::Who { can, on, as_of, reading, explain } => {
                self.can(can);
                self.put("on", on);
                self.as_of(*as_of);
                self.reading(*reading);
                self.explain(*explain);
            }
            Question::WhoAnywhere { can, under, as_of, reading, explain } => {
                self.can(can);
                self.put("under", under);
                self.as_of(*as_of);
                self.reading(*reading);
                self.explain(*explain);
            }
            Question::WhoDuring { can, on, from, until, known_at, explain } => {
                self.can(can);
                self.explain(*explain);
                self.put("on", on);
                // Without it the question would be about a moment.
                self.put("from", from);
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::WhoDuringAnywhere { can, under, from, until, known_at, explain } => {
                self.can(can);
                self.put("under", under);
                self.explain(*explain);
                self.put("from", from);
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::What { principal, on, as_of } => {
                self.put("principal", principal);
                self.put("on", on);
                self.as_of(*as_of);
            }
            Question::Check { principal, can, on, as_of, reading } => {
                self.put("principal", principal);
                self.can(can);
                self.put("on", on);
                self.as_of(*as_of);
                self.reading(*reading);
            }
            Question::Timeline { principal, can, on, from, until, known_at } => {
                self.put("principal", principal);
                self.can(can);
                self.put("on", on);
                self.put("from", from);
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::Where { principal, can, under, kind, as_of, reading } => {
                self.put("principal", principal);
                self.can(can);
                self.put("under", under);
                self.put_if("kind", *kind);
                self.as_of(*as_of);
                self.reading(*reading);
            }
            Question::Assignments { filter, as_of } => {
                self.filter(filter);
                self.as_of(*as_of);
            }
            Question::Holdings { filter, from, until, known_at } => {
                self.filter(filter);
                self.put_if("from", Some(from).filter(|from| **from > EffectiveAt::FIRST));
                self.put_if("until", *until);
                self.known("known_at", *known_at);
            }
            Question::Members { set, as_of } => {
                self.put("set", set);
                self.as_of(*as_of);
            }
            Question::Principals { filter, as_of } => {
                self.put_if("kind", filter.kind.map(PrincipalKind::as_str));
                self.put_if("origin", filter.origin.as_ref());
                self.put_if("holding", filter.holding);
                self.as_of(*as_of);
            }
            Question::Search { search, as_of } => {
                let Search { text, kind, limit } = search;
                self.put("q", text);
                self.put_if("kind", kind.map(FoundKind::as_str));
                self.put_if("limit", Some(limit).filter(|limit| **limit != SEARCH_LIMIT));
                self.as_of(*as_of);
            }
            Question::Diff { from, until, under, principal } => {
                self.both(*from, *until);
                self.put_if("under", under.as_ref());
                self.put_if("principal", principal.as_ref());
            }
            Question::PowerDiff { can, place, from, until } => {
                self.can(can);
                self.place(place);
                self.both(*from, *until);
            }
            Question::Sources { filter: SourceFilter { place, source }, as_of } => {
                if let Some(place) = place {
                    self.place(place);
                }
                self.put_if("source", source.as_ref());
                self.as_of(*as_of);
            }
            Question::Levels { filter, as_of } => {
                self.put_if("under", filter.under.as_ref());
                self.put_if("kind", filter.kind);
                self.as_of(*as_of);
            }
            Question::RoleCollections { on, as_of } => {
                self.put("on", on);
                self.as_of(*as_of);
            }
            Question::Catalog { as_of } => {
                self.as_of(*as_of);
            }
            Question::History { mentions, outcome, after, limit } => {
                for mention in mentions {
                    match mention {
                        Mention::Principal(principal) => self.put("principal", principal),
                        Mention::Actor(actor) => self.put("actor", actor),
                        Mention::Submitter(submitter) => self.put("submitter", submitter),
                        Mention::Level(level) => self.put("level", level),
                        Mention::RoleCollection(name) => self.put("role_collection", name),
                    }
                }
                self.put_if("outcome", outcome.map(OutcomeKind::as_str));
                self.put_if("after", (after.0 > 0).then_some(after.0));
                self.put_if("limit", *limit);
            }
            Question::Entry { entry } => {
                self.put("entry", entry);
            }
        }
    }
}
