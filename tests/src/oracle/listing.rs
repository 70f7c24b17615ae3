//! Which levels, role collections, holdings and principals are there?
//!
//! Rules: `docs/semantics.md#questions`.

use std::collections::BTreeSet;

use tenure_core::answer::{
    AskError, GrantedName, Holding, LevelThen, Member, PrincipalThen, RoleCollectionThen,
};
use tenure_core::{
    Ability, AssignmentFilter, EffectiveAt, KnownAt, Level, LevelFilter, Mention, Position,
    Principal, PrincipalFilter, RoleText, Span,
};

use super::Oracle;
use super::access::ledger;
use super::ask::Moment;
use super::names::matching;
use super::state::{Key, RoleName};

impl Oracle {
    /// The counting holdings
    pub fn assignments(
        &self,
        filter: &AssignmentFilter,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<Holding>, AskError> {
        let moment = Moment::new(self, t, s);
        if let Some(on) = &filter.on {
            moment.must_exist(on)?;
        }
        self.must_know(filter, s)?;
        let at = |level: &Level| filter.on.as_ref().is_none_or(|on| on == level);
        let found: BTreeSet<Holding> = match &filter.principal {
            None => moment.holdings(at, None).into_iter().collect(),
            // Its own, and those of every set that matches it.
            Some(p) => {
                let counting = moment.counting.iter();
                counting
                    .filter(|(key, _)| at(&key.level) && moment.matches(&key.principal, p))
                    .map(|(key, terms)| moment.holding(p, key, terms))
                    .collect()
            }
        };
        Ok(found
            .into_iter()
            .filter(|holding| {
                filter
                    .role_collection
                    .as_ref()
                    .is_none_or(|name| holding.granted == GrantedName::RoleCollection(name.clone()))
                    && filter.role.as_ref().is_none_or(|text| match &holding.granted {
                        GrantedName::Role(role) => {
                            let role = RoleText::parse(role).unwrap();
                            let application = role.application.unwrap();
                            let role = RoleName { application, name: role.name };
                            !matching(text, [role].into_iter()).is_empty()
                        }
                        GrantedName::RoleCollection(_) => false,
                    })
            })
            .collect())
    }

    /// The members of a group or an attribute
    pub fn members(&self, set: &Principal, t: EffectiveAt, s: KnownAt) -> Vec<Member> {
        let moment = Moment::new(self, t, s);
        let members = moment.known.iter().filter_map(|user| {
            let (since, by) = moment.membership(set, user)?;
            Some(Member { principal: user.clone(), since, by })
        });
        members.collect()
    }

    /// The known principals, with how many of their own holdings count, and until when they held any
    pub fn principals(
        &self,
        filter: &PrincipalFilter,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Vec<PrincipalThen> {
        let until = EffectiveAt::saturating_from_micros(t.micros() + 1);
        let until = (until > t).then_some(until);
        let stretches = self.stretches(Span::new(EffectiveAt::FIRST, until).unwrap(), s);
        let now = Moment::new(self, t, s);
        let mut found = Vec::new();
        for principal in &now.known {
            let is_its = |key: &Key| key.principal == *principal;
            let holdings = now.counting.iter().filter(|(key, _)| is_its(key)).count();
            let runs = |moment: &Moment<'_>| moment.state.holdings.keys().any(is_its);
            let last = stretches.iter().rev().find(|(_, _, moment)| runs(moment));
            let last_held = last.and_then(|(_, until, _)| *until).filter(|end| *end <= t);
            let wanted = filter.kind.is_none_or(|kind| kind == principal.kind())
                && filter.origin.as_deref().is_none_or(|origin| origin == principal.origin())
                && filter.holding.is_none_or(|holding| holding == (holdings > 0));
            if wanted {
                found.push(PrincipalThen { principal: principal.clone(), holdings, last_held });
            }
        }
        found
    }

    /// An error for a level or role collection that no entry ever named, and no catalogue defines
    pub fn must_be_named(&self, mention: &Mention) -> Result<(), AskError> {
        match mention {
            _ if !self.mentions(mention).is_empty() => Ok(()),
            Mention::Level(level) if *level == ledger() => Ok(()),
            Mention::Level(level) => Err(AskError::UnknownLevel(level.clone())),
            Mention::RoleCollection(name) => {
                self.must_be_defined(&Ability::RoleCollection(name.clone()), self.newest())
            }
            Mention::Principal(_) | Mention::Actor(_) | Mention::Submitter(_) => Ok(()),
        }
    }

    /// The levels that exist
    pub fn levels(
        &self,
        filter: &LevelFilter,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<LevelThen>, AskError> {
        let moment = Moment::new(self, t, s);
        let mut levels = moment.state.levels.clone();
        if let Some(under) = &filter.under {
            moment.must_exist(under)?;
            levels.retain(|level, _| moment.state.upwards(level).contains(under));
        }
        levels.retain(|level, _| filter.kind.is_none_or(|kind| kind == level.kind()));
        let levels = levels.into_iter();
        Ok(levels
            .map(|(level, state)| LevelThen {
                level,
                parent: state.parent,
                attributes: state.attributes,
            })
            .collect())
    }

    /// The role collections that exist at a level
    pub fn role_collections(
        &self,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<RoleCollectionThen>, AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(on)?;
        let there = moment.state.role_collections_at(on).into_iter();
        Ok(there
            .map(|(role_collection, there)| {
                let mut roles: Vec<String> = there.roles.iter().map(|role| role.text()).collect();
                roles.sort();
                RoleCollectionThen { role_collection, predefined: there.predefined, roles }
            })
            .collect())
    }

    /// The version of the catalogue in force, and where it was published
    pub fn catalog(&self, t: EffectiveAt, s: KnownAt) -> Option<(String, Position)> {
        let state = self.state(t, s);
        let (position, catalog) = state.catalog.as_ref()?;
        Some((catalog.version().to_string(), *position))
    }
}
