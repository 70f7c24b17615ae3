//! A ledger as records of bytes, in the order in which they are read again

use std::iter::once;

use crate::history::edge::Edge;
use crate::history::landscape::{Permission, Structural};
use crate::history::order::OrderKey;
use crate::index::places::Trace;
use crate::index::timeline::{Of, Timeline};
use crate::ledger::Ledger;
use crate::words::change::EntryId;
use crate::words::grantable::{Grantable, RoleKey};
use crate::words::level::{Access, Attributes, Environment, FeatureSet};
use crate::words::outcome::Refusal;
use crate::words::requirement::Requirement;
use crate::words::rule::RuleLeaf;
use crate::words::symbol::{LevelRef, Symbol};

/// Places in a record
const PLACES: usize = 1_024;

/// All records of a ledger
pub(super) fn records(ledger: &Ledger) -> impl Iterator<Item = Vec<u8>> + '_ {
    names(ledger)
        .chain(places(ledger))
        .chain(timelines(ledger))
        .chain(structure(ledger))
        .chain(rest(ledger))
        .chain(observations(ledger))
}

/// Bytes to which things are added
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn number(mut self, mut number: u64) -> Self {
        loop {
            let low = u8::try_from(number & 0x7f).unwrap_or(0);
            number >>= 7;
            if number == 0 {
                self.0.push(low);
                return self;
            }
            self.0.push(low | 0x80);
        }
    }

    fn text(self, text: &str) -> Self {
        let mut record = self.number(text.len() as u64);
        record.0.extend_from_slice(text.as_bytes());
        record
    }

    fn symbol(self, symbol: Symbol) -> Self {
        self.number(u64::from(symbol.number()))
    }

    fn role(self, role: RoleKey) -> Self {
        self.symbol(role.application).symbol(role.name)
    }

    fn level(self, level: LevelRef) -> Self {
        self.number(u64::from(level.number))
    }

    /// One more than it is, 0 if there is none
    fn maybe(self, number: Option<u64>) -> Self {
        self.number(number.map_or(0, |number| number + 1))
    }

    fn maybe_text(self, text: Option<&str>) -> Self {
        match text {
            None => self.number(0),
            Some(text) => self.number(1).text(text),
        }
    }

    fn time(self, micros: i64) -> Self {
        // Both clocks begin in 1970.
        self.number(u64::try_from(micros).unwrap_or(0))
    }

    fn key(self, key: OrderKey) -> Self {
        self.time(key.effective_at.micros()).number(key.position.get()).number(u64::from(key.index))
    }

    fn grantable(self, grantable: Grantable) -> Self {
        match grantable {
            Grantable::RoleCollection(name) => self.number(0).symbol(name),
            Grantable::Role(role) => self.number(1).role(role),
        }
    }

    fn attributes(self, attributes: &Attributes) -> Self {
        let feature_set = attributes.feature_set.map(|set| match set {
            FeatureSet::A => 0,
            FeatureSet::B => 1,
        });
        let environment = attributes.environment.map(|environment| match environment {
            Environment::Multi => 0,
            Environment::Neo => 1,
        });
        self.maybe_text(attributes.name.as_deref())
            .maybe(feature_set)
            .maybe(attributes.authorizations.map(u64::from))
            .maybe(environment)
            .maybe_text(attributes.region.as_deref())
            .maybe_text(attributes.identity_provider.as_deref())
            .maybe_text(attributes.role_provider.as_deref())
            .maybe(attributes.access.map(|access| u64::from(access == Access::Enforced)))
    }

    fn expression(self, expression: &Requirement<RuleLeaf>) -> Self {
        let all = |record: Self, parts: &[Requirement<RuleLeaf>]| {
            parts.iter().fold(record.number(parts.len() as u64), Self::expression)
        };
        match expression {
            Requirement::AnyOf(parts) => all(self.number(0), parts),
            Requirement::AllOf(parts) => all(self.number(1), parts),
            Requirement::Leaf(RuleLeaf::Equals { attribute, value }) => {
                self.number(2).text(attribute).text(value)
            }
            Requirement::Leaf(RuleLeaf::Matches { attribute, pattern }) => {
                self.number(3).text(attribute).text(pattern.as_str())
            }
            Requirement::Leaf(RuleLeaf::Everyone) => self.number(4),
        }
    }

    fn roles(self, roles: &[RoleKey]) -> Self {
        roles.iter().fold(self.number(roles.len() as u64), |record, role| record.role(*role))
    }
}

fn count(length: usize) -> impl Iterator<Item = Vec<u8>> {
    once(Record::default().number(length as u64).0)
}

fn names(ledger: &Ledger) -> impl Iterator<Item = Vec<u8>> + '_ {
    let text = |text: &str| Record::default().text(text).0;
    count(ledger.symbols.len())
        .chain(ledger.symbols.iter().map(text))
        .chain(count(ledger.levels.len()))
        .chain(ledger.levels.iter().map(move |level| text(level.as_str())))
        .chain(count(ledger.principals.len()))
        .chain(ledger.principals.iter().map(move |principal| text(principal.as_str())))
}

fn places(ledger: &Ledger) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut all = ledger.places.iter();
    let mut before = 0;
    let chunks = std::iter::from_fn(move || {
        let mut record = Record::default();
        for (EntryId(id), time, trace) in all.by_ref().take(PLACES) {
            record.0.extend_from_slice(id.as_bytes());
            record.0.extend_from_slice(&Trace::to_be_bytes(trace));
            record = record.time(time.micros() - before);
            before = time.micros();
        }
        (!record.0.is_empty()).then_some(record.0)
    });
    let lists = ledger.places.lists();
    count(usize::try_from(ledger.places.len()).unwrap_or(usize::MAX))
        .chain(chunks)
        .chain(count(lists.len()))
        .chain(lists.iter().map(|number| Record::default().number(u64::from(*number)).0))
}

fn timelines(ledger: &Ledger) -> impl Iterator<Item = Vec<u8>> + '_ {
    let all = ledger.index.timelines().map(|(_, timeline)| of_timeline(timeline));
    count(ledger.index.timelines_len()).chain(all)
}

fn of_timeline(timeline: &Timeline) -> Vec<u8> {
    let record = match timeline.of {
        Of::Holding { level, grantable } => {
            Record::default().number(0).level(level).grantable(grantable)
        }
        Of::Members { set } => Record::default().number(1).number(u64::from(set.number)),
    };
    let (custom, whole_apart, floor) = timeline.terms();
    let mut record = record
        .number(u64::from(custom))
        .number(u64::from(whole_apart))
        .number(u64::from(floor))
        .number(timeline.events_len() as u64);
    let mut before = 0;
    for (position, what) in timeline.packed() {
        record = record.number(u64::from(position - before)).number(u64::from(what));
        before = position;
    }
    record = record.number(timeline.all_apart().count() as u64);
    for (number, changes) in timeline.all_apart() {
        record = record.number(u64::from(number)).number(changes.iter().count() as u64);
        for (key, edge) in changes.iter() {
            record = record.key(*key);
            record = match edge {
                Edge::Stop => record.number(0),
                Edge::Start { until, custom } => {
                    let until = until.map(|until| u64::try_from(until.micros()).unwrap_or(0));
                    record.number(1 + u64::from(*custom)).maybe(until)
                }
            };
        }
    }
    record.0
}

fn structure(ledger: &Ledger) -> impl Iterator<Item = Vec<u8>> + '_ {
    let changes = ledger.structure.changes();
    let voids = ledger.voids.all();
    let of_void =
        |(void, target): (crate::words::position::Position, crate::words::position::Position)| {
            Record::default().number(void.get()).number(target.get()).0
        };
    count(changes.len())
        .chain(changes.iter().map(|(key, change)| of_change(*key, change)))
        .chain(count(voids.len()))
        .chain(voids.into_iter().map(of_void))
}

fn of_change(key: OrderKey, change: &Structural) -> Vec<u8> {
    let record = Record::default().key(key);
    let record = match change {
        Structural::CreateLevel { level, parent, attributes } => {
            record.number(0).level(*level).level(*parent).attributes(attributes)
        }
        Structural::MoveLevel { level, parent } => record.number(1).level(*level).level(*parent),
        Structural::SetLevel { level, attributes } => {
            record.number(2).level(*level).attributes(attributes)
        }
        Structural::DeleteLevel { level } => record.number(3).level(*level),
        Structural::CreateRole { level, role, custom } => {
            let record = record.number(4).level(*level).role(*role).symbol(custom.template);
            match &custom.scopes {
                None => record.number(0),
                Some(scopes) => scopes
                    .iter()
                    .fold(record.number(scopes.len() as u64 + 1), |record, s| record.symbol(*s)),
            }
        }
        Structural::DeleteRole { level, role } => record.number(5).level(*level).role(*role),
        Structural::CreateRoleCollection { level, name, roles } => {
            record.number(6).level(*level).symbol(*name).roles(roles)
        }
        Structural::SetRoles { level, name, roles } => {
            record.number(7).level(*level).symbol(*name).roles(roles)
        }
        Structural::DeleteRoleCollection { level, name } => {
            record.number(8).level(*level).symbol(*name)
        }
        // Its entry has it.
        Structural::PublishCatalog(_) => record.number(9),
        Structural::SetRule { set, rule } => {
            let record = record.number(10).number(u64::from(set.number));
            match rule {
                None => record.number(0),
                Some(rule) => {
                    record.number(1).text(&rule.origin).expression(rule.rule.expression())
                }
            }
        }
        Structural::SetPermission { level, name, permission } => {
            let Permission { roles, paths } = &**permission;
            let record = record.number(11).level(*level).symbol(*name).number(roles.len() as u64);
            let record = roles.iter().fold(record, |record, role| record.symbol(*role));
            let record = record.number(paths.len() as u64);
            paths.iter().fold(record, |record, path| record.text(path))
        }
        Structural::DeletePermission { level, name } => {
            record.number(12).level(*level).symbol(*name)
        }
    };
    record.0
}

fn rest(ledger: &Ledger) -> impl Iterator<Item = Vec<u8>> + '_ {
    let refusals = &ledger.refusals;
    let refused =
        |(position, refusal): (&crate::words::position::Position, &std::sync::Arc<Refusal>)| {
            let (name, numbers, texts) = refusal.reason.parts();
            let record = Record::default()
                .number(position.get())
                .maybe(refusal.change.map(|change| change as u64))
                .text(name)
                .number(numbers.len() as u64);
            let record = numbers.iter().fold(record, |record, number| record.number(*number));
            let record = record.number(texts.len() as u64);
            texts.iter().fold(record, |record, text| record.text(text)).0
        };
    let removals = ledger.index.all_removals();
    let removed = |(principal, track): (
        &crate::words::symbol::PrincipalRef,
        &std::sync::Arc<crate::history::order::Track<()>>,
    )| {
        let record = Record::default()
            .number(u64::from(principal.number))
            .number(track.iter().count() as u64);
        track.iter().fold(record, |record, (key, ())| record.key(*key)).0
    };
    let removed_at = ledger.index.all_removed_at();
    let at = |(position, principals): (
        &crate::words::position::Position,
        &std::sync::Arc<Vec<crate::words::symbol::PrincipalRef>>,
    )| {
        let record = Record::default().number(position.get()).number(principals.len() as u64);
        principals.iter().fold(record, |record, one| record.number(u64::from(one.number))).0
    };
    let mentions = ledger.mentions.all();
    let named = ledger.named();
    count(refusals.len())
        .chain(refusals.iter().map(refused))
        .chain(count(removals.len()))
        .chain(removals.iter().map(removed))
        .chain(count(removed_at.len()))
        .chain(removed_at.iter().map(at))
        .chain(count(mentions.clone().count()))
        .chain(mentions.map(|(kind, number, positions)| {
            let record = Record::default().number(u64::from(kind)).number(number as u64);
            let mut record = record.number(positions.after(0).count() as u64);
            let mut before = 0;
            for position in positions.after(0) {
                record = record.number(position.get() - before);
                before = position.get();
            }
            record.0
        }))
        .chain(count(named.len()))
        .chain(named.iter().map(|position| {
            Record::default().number(position.map_or(0, crate::words::position::Position::get)).0
        }))
}

fn observations(ledger: &Ledger) -> impl Iterator<Item = Vec<u8>> + '_ {
    let observations = ledger.observations.all();
    let not_before = &ledger.not_before;
    count(observations.len())
        .chain(observations.into_iter().map(|(level, subtree, one)| {
            let record = Record::default().level(level).number(u64::from(subtree));
            let record = record.time(one.from.micros()).time(one.to.micros());
            record.number(one.position.get()).symbol(one.source).0
        }))
        .chain(count(not_before.len()))
        .chain(not_before.iter().map(|(position, not_before)| {
            Record::default().number(position.get()).time(not_before.micros()).0
        }))
}
