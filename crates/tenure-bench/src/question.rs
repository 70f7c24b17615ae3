//! Which questions are asked?
//!
//! [`Asker`] draws questions about one history: of every kind, about people who hold something and levels that exist,
//! now, some time back, and as known years back.

use std::sync::Arc;

use tenure_core::{
    Abilities, Ability, AsOf, AssignmentFilter, EffectiveAt, Instant, Known, KnownAt, Level,
    LevelFilter, Life, Mention, Principal, Question, Reading,
};
use tenure_demo::dice::Dice;

use crate::landscape::{BEGINS_MICROS, DAY, Facts, Given, lawful};

const MONTH: i64 = 30 * DAY;
const YEAR: i64 = 365 * DAY;

/// Role collections that auditors ask about first, and an operation that one of them gives
const CRITICAL: [&str; 4] = [
    "role-collection:Cloud Connector Administrator",
    "role-collection:Subaccount Administrator",
    "role-collection:Subaccount Service Administrator",
    "cloud-connectors.connect",
];
/// What very many could
const WIDE: [&str; 2] = ["destinations.manage", "environments.view"];

macro_rules! classes {
    ($($(#[doc = $doc:literal])* $name:ident $text:literal $weight:literal;)*) => {
        /// A kind of question at one sort of coordinates: the questions that are measured together
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub(crate) enum Class {
            $($(#[doc = $doc])* $name,)*
        }

        impl Class {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in reports
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How many of a thousand questions of a mix are of it
            fn weight(self) -> u64 {
                match self { $(Self::$name => $weight,)* }
            }
        }
    };
}

classes! {
    /// Who could, on one level, now?
    WhoNow "who-now" 80;
    /// Who could, on one level, some time back?
    WhoThen "who-then" 60;
    /// Who could, on one level, as known years back?
    WhoKnown "who-known" 60;
    /// Who could anywhere? About a critical power, on every level of the landscape
    WhoUnder "who-under" 20;
    /// Who could anywhere? About what very many could
    WhoUnderWide "who-under-wide" 2;
    /// Who could at any time of a month, on one level?
    WhoDuring "who-during" 30;
    /// Who could, on one level, by a session of the last twelve hours? No part of a mix
    WhoSession "who-session" 0;
    /// Who could have given himself the power, on one level? No part of a mix
    WhoLatent "who-latent" 0;
    /// Could somebody, on one level, now?
    CheckNow "check-now" 250;
    /// Could somebody, on one level, some time back?
    CheckThen "check-then" 120;
    /// Could somebody, on one level, as known years back?
    CheckKnown "check-known" 60;
    /// What could somebody do on a level?
    What "what" 70;
    /// When could somebody?
    Timeline "timeline" 70;
    /// Where could somebody, in the whole landscape?
    Where "where" 40;
    /// What changed between two coordinates, for a person or a subaccount?
    Diff "diff" 30;
    /// Who holds what on a level, or what does somebody hold?
    Assignments "assignments" 40;
    /// Which levels exist?
    Levels "levels" 2;
    /// Which role collections exist at a subaccount?
    RoleCollections "role-collections" 16;
    /// Which entries name a person or a level?
    History "history" 40;
    /// What is in the log from some position on?
    Log "log" 10;
}

/// Draws questions about one history
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    facts: &'a Facts,
    dice: Dice,
}

fn effective(micros: i64) -> EffectiveAt {
    EffectiveAt::saturating_from_micros(micros)
}

fn as_of(micros: i64, known_at: Known) -> AsOf {
    AsOf { at: Some(effective(micros)), known_at }
}

fn known_by(micros: i64) -> Known {
    Instant::from_micros(micros).map_or(Known::Newest, Known::By)
}

impl<'a> Asker<'a> {
    /// Draws the same questions for the same facts and seed
    pub(crate) fn new(facts: &'a Facts, seed: u64) -> Self {
        Self { facts, dice: Dice::new(seed ^ 0x5eed_0f0f_ac75) }
    }

    /// So many questions of one class
    pub(crate) fn some(&mut self, class: Class, count: usize) -> Vec<Question> {
        (0..count).map(|_| self.of(class)).collect()
    }

    /// So many questions of all classes, as a company would ask them: checks most of all
    pub(crate) fn mix(&mut self, count: usize) -> Vec<Question> {
        let weights = Class::ALL.iter().map(|class| class.weight());
        let all = weights.sum();
        let draw = |_| {
            let mut roll = self.dice.below(all);
            let class = Class::ALL.iter().find(|class| {
                let falls = roll < class.weight();
                roll = roll.saturating_sub(class.weight());
                falls
            });
            self.of(class.copied().unwrap_or(Class::CheckNow))
        };
        (0..count).map(draw).collect()
    }

    /// A question of a class
    pub(crate) fn of(&mut self, class: Class) -> Question {
        match class {
            Class::WhoNow
            | Class::WhoThen
            | Class::WhoKnown
            | Class::WhoSession
            | Class::WhoLatent => {
                let as_of = self.coordinates(class);
                let (on, role_collection) = self.crowded();
                let can = self.ability(&role_collection);
                let reading = match class {
                    Class::WhoSession => Reading::Session(Life::default()),
                    Class::WhoLatent => Reading::Latent,
                    _ => Reading::Assigned,
                };
                Question::Who { can, on, as_of, reading, explain: false }
            }
            Class::WhoUnder | Class::WhoUnderWide => {
                let all: &[&str] = if class == Class::WhoUnder { &CRITICAL } else { &WIDE };
                let can =
                    lawful(Ability::parse(self.dice.pick(all).copied().unwrap_or_default())).into();
                let (under, as_of) = (self.facts.root.clone(), self.now_or_back());
                Question::WhoAnywhere {
                    can,
                    under,
                    as_of,
                    reading: Reading::Assigned,
                    explain: false,
                }
            }
            Class::WhoDuring => {
                let (on, role_collection) = self.crowded();
                let can = self.ability(&role_collection);
                let from = self.back();
                let (from, until) = (effective(from), Some(effective(from + MONTH)));
                Question::WhoDuring { can, on, from, until, known_at: Known::Newest, explain: true }
            }
            Class::CheckNow | Class::CheckThen | Class::CheckKnown => {
                let as_of = self.coordinates(class);
                let Given { level: on, role_collection, to, .. } = self.given();
                let can = self.ability(&role_collection);
                // Half of the time the question is about somebody else.
                let principal = if self.dice.percent(50) { to } else { self.user() };
                Question::Check { principal, can, on, as_of, reading: Reading::Assigned }
            }
            Class::What => {
                let as_of = self.now_or_back();
                let Given { level: on, to: principal, .. } = self.given();
                Question::What { principal, on, as_of }
            }
            Class::Timeline => self.timeline(),
            Class::Where => {
                let Given { to: principal, role_collection, .. } = self.given();
                let can = self.ability(&role_collection);
                let (under, as_of) = (self.facts.root.clone(), self.now_or_back());
                Question::Where {
                    principal,
                    can,
                    under,
                    kind: None,
                    as_of,
                    reading: Reading::Assigned,
                }
            }
            Class::Diff => self.diff(),
            Class::Assignments => {
                let (as_of, mut filter) = (self.now_or_back(), AssignmentFilter::default());
                if self.dice.percent(50) {
                    filter.principal = Some(self.given().to);
                } else {
                    filter.on = Some(self.subaccount());
                }
                Question::Assignments { filter, as_of }
            }
            Class::Levels => {
                let filter = LevelFilter::default();
                Question::Levels { filter, as_of: self.now_or_back() }
            }
            Class::RoleCollections => {
                let (as_of, on) = (self.now_or_back(), self.subaccount());
                Question::RoleCollections { on, as_of }
            }
            Class::History => {
                let mention = if self.dice.percent(60) {
                    Mention::Principal(self.given().to)
                } else {
                    Mention::Level(self.subaccount())
                };
                let (mentions, after) = (vec![mention], KnownAt(0));
                Question::History { mentions, outcome: None, after, limit: Some(100) }
            }
            Class::Log => {
                let after = KnownAt(self.dice.below(self.facts.counts.entries));
                Question::History { mentions: Vec::new(), outcome: None, after, limit: Some(100) }
            }
        }
    }

    /// The coordinates of who and check
    fn coordinates(&mut self, class: Class) -> AsOf {
        match class {
            Class::WhoThen | Class::CheckThen => as_of(self.back(), Known::Newest),
            Class::WhoKnown | Class::CheckKnown => {
                let known = self.years_back();
                as_of(known - self.dice.between(0, 2 * MONTH), known_by(known))
            }
            _ => as_of(self.facts.newest_micros, Known::Newest),
        }
    }

    /// A moment of the last two years, when the landscape is filled
    fn back(&mut self) -> i64 {
        let newest = self.facts.newest_micros;
        self.dice.between(BEGINS_MICROS + (newest - BEGINS_MICROS) / 3, newest)
    }

    fn now_or_back(&mut self) -> AsOf {
        let now = self.dice.percent(50);
        as_of(if now { self.facts.newest_micros } else { self.back() }, Known::Newest)
    }

    /// A moment one to two years before the newest
    fn years_back(&mut self) -> i64 {
        let newest = self.facts.newest_micros;
        let first = BEGINS_MICROS + (newest - BEGINS_MICROS) / 3;
        self.dice.between(first, (newest - YEAR).max(first + 1))
    }

    fn subaccount(&mut self) -> Level {
        self.dice.pick(&self.facts.subaccounts).unwrap_or(&self.facts.root).clone()
    }

    fn user(&mut self) -> Principal {
        let user = self.dice.pick(&self.facts.users).cloned();
        user.unwrap_or_else(|| lawful(Principal::everyone("corp")))
    }

    /// A level and a role collection that many hold there
    fn crowded(&mut self) -> (Level, Arc<str>) {
        let crowded = self.dice.pick(&self.facts.crowded).cloned();
        crowded.unwrap_or_else(|| (self.facts.root.clone(), "Global Account Administrator".into()))
    }

    /// A grant of something that many hold
    fn given(&mut self) -> Given {
        let given = self.dice.pick(&self.facts.grants).cloned();
        given.unwrap_or_else(|| {
            let ((level, role_collection), to) = (self.crowded(), self.user());
            Given { level, role_collection, to, effective_micros: self.facts.newest_micros }
        })
    }

    /// A role collection itself, or an operation that it gives
    fn ability(&mut self, role_collection: &str) -> Abilities {
        let operation = match role_collection {
            "Destination Administrator" => Some("destinations.manage"),
            "Subaccount Viewer" => Some("environments.view"),
            _ => None,
        };
        match operation.filter(|_| self.dice.percent(50)) {
            Some(operation) => lawful(Ability::parse(operation)),
            None => Ability::RoleCollection(role_collection.into()),
        }
        .into()
    }

    fn timeline(&mut self) -> Question {
        let given = self.given();
        let can = self.ability(&given.role_collection);
        let Given { level: on, to: principal, effective_micros, .. } = given;
        let whole = self.dice.percent(50);
        let from = if whole { BEGINS_MICROS } else { effective_micros - MONTH };
        let until = (!whole).then(|| effective(effective_micros + 2 * MONTH));
        let is_known = self.dice.percent(20);
        let known_at = if is_known { known_by(self.years_back()) } else { Known::Newest };
        Question::Timeline { principal, can, on, from: effective(from), until, known_at }
    }

    fn diff(&mut self) -> Question {
        let first = self.back() - MONTH;
        let second = first + self.dice.between(DAY, MONTH);
        let (mut from, mut until) = (as_of(first, Known::Newest), as_of(second, Known::Newest));
        if self.dice.percent(20) {
            // The same moment, as known twice.
            until = from;
            from.known_at = known_by(self.years_back().max(first));
        }
        let about_somebody = self.dice.percent(50);
        let principal = about_somebody.then(|| self.given().to);
        let under = (!about_somebody).then(|| self.subaccount());
        Question::Diff { from, until, under, principal }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ask::InProcess;
    use crate::landscape::{Plan, Size};

    #[test]
    fn every_question_has_an_answer_and_the_same_seed_asks_the_same() {
        for size in [Size::S, Size::M, Size::L, Size::Zone, Size::Steady] {
            let (ledger, facts) = Plan::new(size, 20_000, 3).fold().unwrap();
            let asked = InProcess::of(&ledger, None);
            for class in Class::ALL {
                let [one, same, other] =
                    [2, 2, 3].map(|seed| Asker::new(&facts, seed).some(*class, 4));
                assert!(one == same && one != other, "{size:?}: {one:?}");
                for question in one {
                    let answer = asked.ask(&question);
                    assert!(answer.is_ok(), "{size:?}: {question:?}: {answer:?}");
                }
            }
        }
    }

    #[test]
    fn about_a_hundred_hold_what_is_asked_about_however_long_history_is() {
        for changes in [10_000, 100_000] {
            let (ledger, facts) = Plan::new(Size::Steady, changes, 3).fold().unwrap();
            let asked = InProcess::of(&ledger, None);
            let mut asker = Asker::new(&facts, 4);
            for class in [Class::WhoNow, Class::WhoKnown] {
                let questions = asker.some(class, 40);
                let rows: usize = questions.iter().map(|one| asked.ask(one).unwrap()).sum();
                assert!((75..140).contains(&(rows / 40)), "{changes}, {class:?}: {rows}");
            }
        }
    }

    #[test]
    fn names_of_classes_differ_and_their_weights_are_a_thousand() {
        let names: BTreeSet<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
        assert_eq!(names.len(), Class::ALL.len());
        assert_eq!(Class::ALL.iter().map(|class| class.weight()).sum::<u64>(), 1_000);
    }
}
