//! Which questions are asked?
//!
//! [`Asker`] draws them from what is remembered of a history: of every kind, about people who hold
//! something and levels that exist, now, some time back, and as known years back. Each is data, the same
//! parameters that every door takes, so that another engine can be asked the same.

use std::fmt;
use std::sync::Arc;

use tenure_core::{Instant, Level};
use tenure_demo::dice::Dice;
use tenure_wire::question::{self as ask, Question as Asked};

use crate::landscape::{BEGINS_MICROS, Facts, Given};

const DAY: i64 = 86_400_000_000;
const MONTH: i64 = 30 * DAY;
const YEAR: i64 = 365 * DAY;

/// Role collections that auditors ask about first, and the operation that each of them gives
const CRITICAL: [&str; 4] = [
    "role-collection:Cloud Connector Administrator",
    "role-collection:Subaccount Administrator",
    "role-collection:Subaccount Service Administrator",
    "cloud-connectors.connect",
];
/// What very many could
const WIDE: [&str; 2] = ["destinations.manage", "environments.view"];

macro_rules! classes {
    ($($name:ident $text:literal $weight:literal $doc:literal;)*) => {
        /// A kind of question at one sort of coordinates: what is measured together
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Class {
            $(#[doc = $doc] $name,)*
        }

        impl Class {
            /// Every class
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in reports
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What is asked, in words
            pub fn described(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }

            /// How many of a thousand questions of a mix are of it
            fn weight(self) -> u64 {
                match self { $(Self::$name => $weight,)* }
            }
        }
    };
}

classes! {
    WhoNow "who-now" 80 "Who could, on one level, now";
    WhoThen "who-then" 60 "Who could, on one level, some time back";
    WhoKnown "who-known" 60 "Who could, on one level, as known years back";
    WhoUnder "who-under" 20 "Who could anywhere: a critical power, on every level of the landscape";
    WhoUnderWide "who-under-wide" 2 "Who could anywhere: what very many could";
    WhoDuring "who-during" 30 "Who could at any time of a month, on one level";
    CheckNow "check-now" 250 "Could somebody, on one level, now";
    CheckThen "check-then" 120 "Could somebody, on one level, some time back";
    CheckKnown "check-known" 60 "Could somebody, on one level, as known years back";
    What "what" 70 "What could somebody do on a level";
    Timeline "timeline" 70 "When could somebody";
    Where "where" 40 "Where could somebody, in the whole landscape";
    Diff "diff" 30 "What changed between two coordinates, for a person or a subaccount";
    Assignments "assignments" 40 "Who holds what on a level, or what somebody holds";
    Levels "levels" 2 "Which levels exist";
    RoleCollections "role-collections" 16 "Which role collections exist at a subaccount";
    History "history" 40 "Which entries name a person or a level";
    Log "log" 10 "The log from some position on";
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A question that is asked
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// What it is measured with
    pub class: Class,
    /// The question with its parameters
    pub asked: Asked,
}

/// Draws questions about one history
#[derive(Debug)]
pub struct Asker<'a> {
    facts: &'a Facts,
    dice: Dice,
}

fn text(micros: i64) -> Option<String> {
    Instant::from_micros(micros).map(|instant| instant.to_string())
}

fn some(text: impl ToString) -> Option<String> {
    Some(text.to_string())
}

impl<'a> Asker<'a> {
    /// Draws the same questions for the same facts and seed
    pub fn new(facts: &'a Facts, seed: u64) -> Self {
        Self { facts, dice: Dice::new(seed ^ 0x5eed_0f0f_ac75) }
    }

    /// So many questions of every class, class by class
    ///
    /// # Cost
    /// O(questions).
    pub fn of_each(&mut self, count: usize) -> Vec<Question> {
        let classes = Class::ALL.iter().copied();
        classes.flat_map(|class| std::iter::repeat_n(class, count)).map(|c| self.of(c)).collect()
    }

    /// So many questions of all classes, as a company would ask them: checks most of all
    pub fn mix(&mut self, count: usize) -> Vec<Question> {
        (0..count)
            .map(|_| {
                let mut roll = self.dice.below(Class::ALL.iter().map(|class| class.weight()).sum());
                let class = Class::ALL.iter().copied().find(|class| {
                    let falls = roll < class.weight();
                    roll = roll.saturating_sub(class.weight());
                    falls
                });
                self.of(class.unwrap_or(Class::CheckNow))
            })
            .collect()
    }

    /// A question of a class
    pub fn of(&mut self, class: Class) -> Question {
        let asked = match class {
            Class::WhoNow => self.who(Some(self.facts.newest_micros), None),
            Class::WhoThen => {
                let at = self.back();
                self.who(Some(at), None)
            }
            Class::WhoKnown => {
                let known = self.years_back();
                let at = known - self.dice.between(0, 2 * MONTH);
                self.who(Some(at), Some(known))
            }
            Class::WhoUnder => self.who_under(&CRITICAL),
            Class::WhoUnderWide => self.who_under(&WIDE),
            Class::WhoDuring => self.who_during(),
            Class::CheckNow => self.check(self.facts.newest_micros, None),
            Class::CheckThen => {
                let at = self.back();
                self.check(at, None)
            }
            Class::CheckKnown => {
                let known = self.years_back();
                let at = known - self.dice.between(0, 2 * MONTH);
                self.check(at, Some(known))
            }
            Class::What => self.what(),
            Class::Timeline => self.timeline(),
            Class::Where => self.where_could(),
            Class::Diff => self.diff(),
            Class::Assignments => self.assignments(),
            Class::Levels => {
                let at = self.now_or_back();
                Asked::Levels(ask::Levels { at: text(at), ..ask::Levels::default() })
            }
            Class::RoleCollections => {
                let (at, on) = (self.now_or_back(), self.subaccount());
                let (on, at) = (some(on), text(at));
                Asked::RoleCollections(ask::RoleCollections { on, at, ..Default::default() })
            }
            Class::History => self.history(),
            Class::Log => {
                let after = self.dice.below(self.facts.counts.entries);
                let (after, limit) = (some(after), some(100));
                Asked::History(ask::History { after, limit, ..ask::History::default() })
            }
        };
        Question { class, asked }
    }

    /// A moment of the last two years, when the landscape is filled
    fn back(&mut self) -> i64 {
        let newest = self.facts.newest_micros;
        let first = BEGINS_MICROS + (newest - BEGINS_MICROS) / 3;
        self.dice.between(first, newest)
    }

    fn now_or_back(&mut self) -> i64 {
        if self.dice.percent(50) { self.facts.newest_micros } else { self.back() }
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

    fn user(&mut self) -> String {
        self.dice.pick(&self.facts.users).map_or_else(String::new, ToString::to_string)
    }

    /// A level and a role collection that many hold there
    fn crowded(&mut self) -> (Level, Arc<str>) {
        let crowded = self.dice.pick(&self.facts.crowded).cloned();
        crowded.unwrap_or_else(|| (self.facts.root.clone(), "Global Account Administrator".into()))
    }

    /// Somebody who was given what many hold
    fn given(&mut self) -> Option<Given> {
        self.dice.pick(&self.facts.crowded_grants).cloned()
    }

    /// A role collection itself, or an operation that it gives
    fn ability(&mut self, role_collection: &str) -> String {
        let operation = match role_collection {
            "Destination Administrator" => Some("destinations.manage"),
            "Subaccount Viewer" => Some("environments.view"),
            _ => None,
        };
        match operation.filter(|_| self.dice.percent(50)) {
            Some(operation) => operation.to_owned(),
            None => format!("role-collection:{role_collection}"),
        }
    }

    fn who(&mut self, at: Option<i64>, known: Option<i64>) -> Asked {
        let (on, role_collection) = self.crowded();
        let can = Some(self.ability(&role_collection));
        let known_at = known.and_then(text);
        let at = at.and_then(text);
        Asked::Who(ask::Who { can, on: some(on), at, known_at, ..ask::Who::default() })
    }

    fn who_under(&mut self, abilities: &[&str]) -> Asked {
        let can = self.dice.pick(abilities).copied().and_then(some);
        let under = some(&self.facts.root);
        let at = text(self.now_or_back());
        Asked::Who(ask::Who { can, under, at, ..ask::Who::default() })
    }

    fn who_during(&mut self) -> Asked {
        let (on, role_collection) = self.crowded();
        let can = Some(self.ability(&role_collection));
        let from = self.back();
        let (from, until) = (text(from), text(from + MONTH));
        Asked::Who(ask::Who { can, on: some(on), from, until, ..ask::Who::default() })
    }

    /// Who was given something, and half of the time somebody else
    fn check(&mut self, at: i64, known: Option<i64>) -> Asked {
        let given = self.given();
        let (on, role_collection) = given
            .as_ref()
            .map_or_else(|| self.crowded(), |g| (g.level.clone(), g.role_collection.clone()));
        let can = Some(self.ability(&role_collection));
        let holder = given.filter(|_| self.dice.percent(50));
        let principal = Some(holder.map_or_else(|| self.user(), |given| given.to.to_string()));
        let known_at = known.and_then(text);
        let (on, at) = (some(on), text(at));
        Asked::Check(ask::Check { principal, can, on, at, known_at, ..ask::Check::default() })
    }

    fn what(&mut self) -> Asked {
        let at = self.now_or_back();
        let given = self.given();
        let principal = given.as_ref().map(|given| given.to.to_string());
        let principal = principal.or_else(|| Some(self.user()));
        let on = some(given.map_or_else(|| self.subaccount(), |given| given.level));
        Asked::What(ask::What { principal, on, at: text(at), ..ask::What::default() })
    }

    fn timeline(&mut self) -> Asked {
        let Some(given) = self.given() else { return self.what() };
        let can = Some(self.ability(&given.role_collection));
        let whole = self.dice.percent(50);
        let from = if whole { BEGINS_MICROS } else { given.effective_micros - MONTH };
        let until = if whole { None } else { text(given.effective_micros + 2 * MONTH) };
        let known = self.dice.percent(20).then(|| self.years_back());
        Asked::Timeline(ask::Timeline {
            principal: some(given.to),
            can,
            on: some(given.level),
            from: text(from),
            until,
            known_at: known.and_then(text),
            ..ask::Timeline::default()
        })
    }

    fn where_could(&mut self) -> Asked {
        let given = self.given();
        let principal = given.as_ref().map(|given| given.to.to_string());
        let principal = principal.or_else(|| Some(self.user()));
        let name = given.map_or_else(|| "Subaccount Viewer".into(), |given| given.role_collection);
        let can = Some(self.ability(&name));
        let under = some(&self.facts.root);
        let at = text(self.now_or_back());
        Asked::Where(ask::Where { principal, can, under, at, ..ask::Where::default() })
    }

    fn diff(&mut self) -> Asked {
        let from = self.back() - MONTH;
        let until = from + self.dice.between(DAY, MONTH);
        let mut diff = ask::Diff { from: text(from), until: text(until), ..ask::Diff::default() };
        if self.dice.percent(20) {
            // The same moment, as known twice.
            let known = self.years_back();
            diff.until = diff.from.clone();
            diff.known_from = text(known.max(from));
        }
        match self.given().filter(|_| self.dice.percent(50)) {
            Some(given) => diff.principal = some(given.to),
            None => diff.under = some(self.subaccount()),
        }
        Asked::Diff(diff)
    }

    fn assignments(&mut self) -> Asked {
        let at = text(self.now_or_back());
        let given = self.given();
        let mut assignments = ask::Assignments { at, ..ask::Assignments::default() };
        match given.filter(|_| self.dice.percent(50)) {
            Some(given) => assignments.principal = some(given.to),
            None => assignments.on = some(self.subaccount()),
        }
        Asked::Assignments(assignments)
    }

    fn history(&mut self) -> Asked {
        let mut history = ask::History { limit: some(100), ..ask::History::default() };
        match self.given().filter(|_| self.dice.percent(60)) {
            Some(given) => history.principal = some(given.to),
            None => history.level = some(self.subaccount()),
        }
        Asked::History(history)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tenure_core::LedgerInMemory;
    use tenure_wire::codec::Encoded;

    use super::*;
    use crate::in_process;
    use crate::landscape::{Plan, Shape, Size};

    /// The history folded, and what is remembered of it
    fn folded(size: Size, changes: u64) -> (LedgerInMemory, Facts) {
        let mut messages = Plan::new(Shape::new(size, changes).unwrap(), 3).messages().unwrap();
        let mut ledger = LedgerInMemory::new();
        for message in messages.by_ref() {
            for made in message.entries {
                let entry = Encoded::new(made.entry).unwrap();
                in_process::apply(&mut ledger, message.recorded_at, entry);
            }
        }
        (ledger, messages.facts())
    }

    fn facts(size: Size) -> Facts {
        folded(size, 20_000).1
    }

    #[test]
    fn every_question_has_an_answer() {
        for size in Size::ALL {
            let (ledger, facts) = folded(size, 8_000);
            for question in Asker::new(&facts, 2).of_each(4) {
                let prepared = in_process::Prepared::new(&question).unwrap();
                let answer = prepared.ask(&ledger, None);
                assert!(answer.is_ok(), "{size}: {question:?}: {answer:?}");
            }
        }
    }

    #[test]
    fn about_a_hundred_hold_what_is_asked_about_however_long_history_is() {
        for changes in [10_000, 100_000] {
            let (ledger, facts) = folded(Size::Steady, changes);
            let mut asker = Asker::new(&facts, 4);
            for class in [Class::WhoNow, Class::WhoKnown] {
                let mut rows = |_| {
                    let prepared = in_process::Prepared::new(&asker.of(class)).unwrap();
                    prepared.ask(&ledger, None).unwrap()
                };
                let average = (0..40).map(&mut rows).sum::<usize>() / 40;
                assert!((75..140).contains(&average), "{changes}, {class}: {average}");
            }
        }
    }

    #[test]
    fn the_same_seed_asks_the_same_and_another_does_not() {
        let facts = facts(Size::L);
        let of = |seed| Asker::new(&facts, seed).of_each(5);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_eq!(of(1).len(), 5 * Class::ALL.len());
    }

    #[test]
    fn a_mix_has_of_every_class_and_names_of_classes_differ() {
        let facts = facts(Size::Steady);
        let mix = Asker::new(&facts, 1).mix(5_000);
        let classes: BTreeSet<Class> = mix.iter().map(|question| question.class).collect();
        assert_eq!(classes.len(), Class::ALL.len());
        let names: BTreeSet<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
        assert_eq!(names.len(), Class::ALL.len());
        assert_eq!(Class::ALL.iter().map(|class| class.weight()).sum::<u64>(), 1_000);
    }
}
