//! A ledger from records of bytes

use std::sync::Arc;

use super::source::{Source, content};
use super::{IndexCheckpointError, IndexPiece};
use crate::history::edge::Edge;
use crate::history::landscape::{CustomRole, Permission, Published, RuleOf, Structural};
use crate::history::observations::Observation;
use crate::history::order::{OrderKey, Track};
use crate::index::Index;
use crate::index::mentions::Mentioned;
use crate::index::places::Trace;
use crate::index::timeline::{Of, Timeline};
use crate::ledger::Ledger;
use crate::words::catalog::Catalog;
use crate::words::change::EntryId;
use crate::words::definitions::Definitions;
use crate::words::grantable::{Grantable, RoleKey};
use crate::words::instant::{EffectiveAt, RecordedAt};
use crate::words::level::{Access, Attributes, Environment, FeatureSet, Level};
use crate::words::outcome::{Reason, Refusal};
use crate::words::position::Position;
use crate::words::principal::Principal;
use crate::words::requirement::Requirement;
use crate::words::rule::{RULE_DEPTH_MAX, Rule, RuleLeaf};
use crate::words::symbol::{LevelRef, PrincipalRef, Symbol};

/// Reads the parts of a ledger that is there as far as it was read
struct Reading<I> {
    source: Source<I>,
    ledger: Ledger,
}

type Read<T, E> = Result<T, IndexCheckpointError<E>>;

/// A ledger from the pieces that a source gives
pub(super) fn ledger<E, I: Iterator<Item = Result<IndexPiece, E>>>(
    name: &str,
    source: Source<I>,
    catalog_at: impl FnMut(Position) -> Result<Arc<Catalog>, E>,
) -> Read<Ledger, E> {
    let mut reading = Reading { source, ledger: Ledger::new(name) };
    reading.names()?;
    reading.places()?;
    reading.timelines()?;
    reading.structure(catalog_at)?;
    reading.rest()?;
    reading.observations()?;
    reading.source.end()?;
    reading.ledger.own_all();
    Ok(reading.ledger)
}

impl<E, I: Iterator<Item = Result<IndexPiece, E>>> Reading<I> {
    fn position(&mut self) -> Read<Position, E> {
        match Position::new(self.source.number()?) {
            Some(position) => Ok(position),
            None => content("a position that is none"),
        }
    }

    fn time(&mut self) -> Read<EffectiveAt, E> {
        match i64::try_from(self.source.number()?) {
            Ok(micros) if micros <= EffectiveAt::LAST.micros() => {
                Ok(EffectiveAt::saturating_from_micros(micros))
            }
            _ => content("a time that is none"),
        }
    }

    fn key(&mut self) -> Read<OrderKey, E> {
        let (effective_at, position) = (self.time()?, self.position()?);
        match u16::try_from(self.source.number()?) {
            Ok(index) => Ok(OrderKey { effective_at, position, index }),
            Err(_) => content("a change that is none"),
        }
    }

    fn maybe(&mut self) -> Read<Option<u64>, E> {
        Ok(self.source.number()?.checked_sub(1))
    }

    fn maybe_text(&mut self) -> Read<Option<Arc<str>>, E> {
        match self.source.number()? {
            0 => Ok(None),
            _ => Ok(Some(self.source.text()?.into())),
        }
    }

    fn symbol(&mut self) -> Read<Symbol, E> {
        let number = self.source.small()?;
        match self.ledger.symbols.numbered(number) {
            Some(symbol) => Ok(symbol),
            None => content("a name that is none"),
        }
    }

    fn role(&mut self) -> Read<RoleKey, E> {
        Ok(RoleKey { application: self.symbol()?, name: self.symbol()? })
    }

    fn level(&mut self) -> Read<LevelRef, E> {
        let number = self.source.number()?;
        let found = usize::try_from(number).ok().filter(|n| *n < self.ledger.levels.len());
        match found {
            Some(number) => {
                let number = crate::words::symbol::index(number);
                Ok(LevelRef { number, kind: self.ledger.levels.item(number).kind() })
            }
            None => content("a level that is none"),
        }
    }

    fn principal(&mut self) -> Read<PrincipalRef, E> {
        let number = self.source.small()?;
        if (number as usize) < self.ledger.principals.len() {
            Ok(self.ledger.numbered(number))
        } else {
            content("a principal that is none")
        }
    }

    fn names(&mut self) -> Read<(), E> {
        for number in 0..self.source.number()? {
            let text = self.source.text()?;
            if u64::from(self.ledger.symbols.intern(&text).number()) != number {
                return content("a name twice, or not the ledger's own names first");
            }
        }
        for number in 0..self.source.number()? {
            let Ok(level) = Level::parse(&self.source.text()?) else {
                return content("a level that is none");
            };
            if u64::from(self.ledger.levels.number_unranked(&level)) != number {
                return content("a level twice, or not the ledger's own level first");
            }
        }
        for number in 0..self.source.number()? {
            let Ok(principal) = Principal::parse(&self.source.text()?) else {
                return content("a principal that is none");
            };
            self.ledger.load_principal(&principal);
            if self.ledger.principals.len() as u64 != number + 1 {
                return content("a principal twice");
            }
        }
        self.ledger.levels.rank();
        self.ledger.principals.rank();
        Ok(())
    }

    fn places(&mut self) -> Read<(), E> {
        let mut micros = 0_i64;
        for _ in 0..self.source.number()? {
            let id = EntryId(uuid::Uuid::from_bytes(self.source.array()?));
            let trace = Trace::from_be_bytes(self.source.array()?);
            let more = i64::try_from(self.source.number()?).unwrap_or(i64::MAX);
            micros = micros.saturating_add(more);
            if micros > RecordedAt::LAST.micros() {
                return content("a time that is none");
            }
            self.ledger.places.load(id, RecordedAt::saturating_from_micros(micros), trace);
        }
        for _ in 0..self.source.number()? {
            let number = self.source.small()?;
            self.ledger.places.load_list(number);
        }
        Ok(())
    }

    fn timelines(&mut self) -> Read<(), E> {
        for _ in 0..self.source.number()? {
            let of = match self.source.number()? {
                0 => Of::Holding { level: self.level()?, grantable: self.grantable()? },
                1 => Of::Members { set: self.principal()? },
                _ => return content("a timeline of nothing"),
            };
            let custom = self.source.number()? != 0;
            let whole_apart = self.source.number()? != 0;
            let floor = self.source.small()?;
            let mut timeline = Timeline::new(of, custom, floor);
            let mut position = 0_u32;
            for _ in 0..self.source.number()? {
                let more = self.source.small()?;
                let Some(next) = position.checked_add(more) else {
                    return content("a position that is none");
                };
                position = next;
                let what = self.source.small()?;
                timeline.push_packed(position, what, custom);
            }
            for _ in 0..self.source.number()? {
                let principal = self.principal()?;
                let mut changes = Track::default();
                for _ in 0..self.source.number()? {
                    let key = self.key()?;
                    let edge = self.edge()?;
                    changes.insert(key, edge);
                }
                timeline.set_apart(principal.number, changes);
            }
            if whole_apart {
                timeline.set_all_apart();
            }
            let principals = crate::words::symbol::index(self.ledger.principals.len());
            if !Index::load(&mut self.ledger.index, timeline, principals) {
                return content("a change of nobody, or a timeline twice");
            }
        }
        Ok(())
    }

    fn grantable(&mut self) -> Read<Grantable, E> {
        match self.source.number()? {
            0 => Ok(Grantable::RoleCollection(self.symbol()?)),
            1 => Ok(Grantable::Role(self.role()?)),
            _ => content("something granted that is nothing"),
        }
    }

    fn edge(&mut self) -> Read<Edge, E> {
        let custom = match self.source.number()? {
            0 => return Ok(Edge::Stop),
            1 => false,
            2 => true,
            _ => return content("a change that is none"),
        };
        let until = match self.maybe()? {
            None => None,
            Some(micros) => match i64::try_from(micros) {
                Ok(micros) => Some(EffectiveAt::saturating_from_micros(micros)),
                Err(_) => return content("a time that is none"),
            },
        };
        Ok(Edge::Start { until, custom })
    }

    fn structure(
        &mut self,
        mut catalog_at: impl FnMut(Position) -> Result<Arc<Catalog>, E>,
    ) -> Read<(), E> {
        let mut changes = Vec::new();
        for _ in 0..self.source.number()? {
            let key = self.key()?;
            let change = self.change(key, &mut catalog_at)?;
            changes.push((key, Arc::new(change)));
        }
        let mut voids = Vec::new();
        for _ in 0..self.source.number()? {
            voids.push((self.position()?, self.position()?));
        }
        self.ledger.load_structure(changes, &voids);
        Ok(())
    }

    fn change(
        &mut self,
        key: OrderKey,
        catalog_at: &mut impl FnMut(Position) -> Result<Arc<Catalog>, E>,
    ) -> Read<Structural, E> {
        Ok(match self.source.number()? {
            0 => {
                let (level, parent) = (self.level()?, self.level()?);
                Structural::CreateLevel { level, parent, attributes: self.attributes()? }
            }
            1 => Structural::MoveLevel { level: self.level()?, parent: self.level()? },
            2 => Structural::SetLevel { level: self.level()?, attributes: self.attributes()? },
            3 => Structural::DeleteLevel { level: self.level()? },
            4 => {
                let (level, role, template) = (self.level()?, self.role()?, self.symbol()?);
                let scopes = match self.maybe()? {
                    None => None,
                    Some(count) => {
                        let mut scopes = Vec::new();
                        for _ in 0..count {
                            scopes.push(self.symbol()?);
                        }
                        Some(scopes.into())
                    }
                };
                let custom = Arc::new(CustomRole { template, scopes });
                Structural::CreateRole { level, role, custom }
            }
            5 => Structural::DeleteRole { level: self.level()?, role: self.role()? },
            6 => {
                let (level, name) = (self.level()?, self.symbol()?);
                Structural::CreateRoleCollection { level, name, roles: self.roles()? }
            }
            7 => {
                let (level, name) = (self.level()?, self.symbol()?);
                Structural::SetRoles { level, name, roles: self.roles()? }
            }
            8 => Structural::DeleteRoleCollection { level: self.level()?, name: self.symbol()? },
            9 => {
                let position = key.position;
                let catalog = catalog_at(position).map_err(IndexCheckpointError::Source)?;
                let definitions = Definitions::new(&catalog, &mut self.ledger.symbols);
                Structural::PublishCatalog(Arc::new(Published { definitions, position }))
            }
            10 => {
                let set = self.principal()?;
                let rule = match self.source.number()? {
                    0 => None,
                    _ => {
                        let origin = self.source.text()?.into();
                        let expression = self.expression(RULE_DEPTH_MAX)?;
                        let rule = Rule::new(expression).map(Arc::new);
                        let Ok(rule) = rule else { return content("a rule that is none") };
                        Some(Arc::new(RuleOf { origin, rule }))
                    }
                };
                Structural::SetRule { set, rule }
            }
            11 => {
                let (level, name) = (self.level()?, self.symbol()?);
                let (mut roles, mut paths) = (Vec::new(), Vec::new());
                for _ in 0..self.source.number()? {
                    roles.push(self.symbol()?);
                }
                for _ in 0..self.source.number()? {
                    paths.push(self.source.text()?.into());
                }
                let permission = Arc::new(Permission { roles, paths });
                Structural::SetPermission { level, name, permission }
            }
            12 => Structural::DeletePermission { level: self.level()?, name: self.symbol()? },
            _ => return content("a change that is none"),
        })
    }

    /// Reads an expression that is nested at most so deep
    fn expression(&mut self, depth: usize) -> Read<Requirement<RuleLeaf>, E> {
        let kind = self.source.number()?;
        if let 0 | 1 = kind {
            let Some(inner) = depth.checked_sub(1) else { return content("a rule too deep") };
            let mut parts = Vec::new();
            for _ in 0..self.source.number()? {
                parts.push(self.expression(inner)?);
            }
            return Ok(match kind {
                0 => Requirement::AnyOf(parts),
                _ => Requirement::AllOf(parts),
            });
        }
        let leaf = match kind {
            2 => RuleLeaf::equals(&self.source.text()?, &self.source.text()?),
            3 => RuleLeaf::matches(&self.source.text()?, &self.source.text()?),
            4 => Ok(RuleLeaf::Everyone),
            _ => return content("a leaf that is none"),
        };
        leaf.map_or_else(|_| content("a leaf that is none"), |leaf| Ok(Requirement::Leaf(leaf)))
    }

    fn roles(&mut self) -> Read<Arc<[RoleKey]>, E> {
        let mut roles = Vec::new();
        for _ in 0..self.source.number()? {
            roles.push(self.role()?);
        }
        Ok(roles.into())
    }

    fn attributes(&mut self) -> Read<Attributes, E> {
        Ok(Attributes {
            name: self.maybe_text()?,
            feature_set: self.maybe()?.map(|set| match set {
                0 => FeatureSet::A,
                _ => FeatureSet::B,
            }),
            authorizations: self.maybe()?.map(|manages| manages != 0),
            environment: self.maybe()?.map(|environment| match environment {
                0 => Environment::Multi,
                _ => Environment::Neo,
            }),
            region: self.maybe_text()?,
            identity_provider: self.maybe_text()?,
            role_provider: self.maybe_text()?,
            access: self.maybe()?.map(|access| match access {
                0 => Access::Open,
                _ => Access::Enforced,
            }),
        })
    }

    fn refusal(&mut self) -> Read<Refusal, E> {
        let change = self.maybe()?.and_then(|change| usize::try_from(change).ok());
        let name = self.source.text()?;
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        for _ in 0..self.source.number()? {
            numbers.push(self.source.number()?);
        }
        for _ in 0..self.source.number()? {
            texts.push(self.source.text()?.into());
        }
        match Reason::from_parts(&name, &numbers, &texts) {
            Some(reason) => Ok(Refusal { change, reason }),
            None => content("a reason that is none"),
        }
    }

    fn rest(&mut self) -> Read<(), E> {
        for _ in 0..self.source.number()? {
            let position = self.position()?;
            let refusal = self.refusal()?;
            self.ledger.load_refusal(position, refusal);
        }
        for _ in 0..self.source.number()? {
            let principal = self.principal()?;
            let mut removals = Track::default();
            for _ in 0..self.source.number()? {
                removals.insert(self.key()?, ());
            }
            self.ledger.index.load_removals(principal, removals);
        }
        for _ in 0..self.source.number()? {
            let position = self.position()?;
            for _ in 0..self.source.number()? {
                let principal = self.principal()?;
                self.ledger.index.note_removal(position, principal);
            }
        }
        for _ in 0..self.source.number()? {
            let mentioned = match self.source.number()? {
                0 => Mentioned::Principal(self.principal()?),
                1 => Mentioned::Actor(self.principal()?),
                2 => Mentioned::Level(self.level()?),
                3 => Mentioned::RoleCollection(self.symbol()?),
                4 => Mentioned::Submitter(self.principal()?),
                _ => return content("something named that is nothing"),
            };
            let mut position = 0_u64;
            for _ in 0..self.source.number()? {
                position = position.saturating_add(self.source.number()?);
                let Some(position) = Position::new(position) else {
                    return content("a position that is none");
                };
                self.ledger.mentions.add(mentioned, position);
            }
        }
        for _ in 0..self.source.number()? {
            let position = Position::new(self.source.number()?);
            self.ledger.load_named(position);
        }
        Ok(())
    }

    fn observations(&mut self) -> Read<(), E> {
        for _ in 0..self.source.number()? {
            let (level, subtree) = (self.level()?, self.source.number()? != 0);
            let (from, to, position) = (self.time()?, self.time()?, self.position()?);
            let observation = Observation { from, to, position, source: self.symbol()? };
            self.ledger.observations.add(level, subtree, observation);
        }
        for _ in 0..self.source.number()? {
            let (position, not_before) = (self.position()?, self.time()?);
            self.ledger.not_before.insert(position, not_before);
        }
        Ok(())
    }
}
