//! What was held over a stretch of time, and how did each holding end?
//!
//! The state at each moment at which anything takes effect or expires, compared with the one before it.
//!
//! Rules: `docs/semantics.md#how-it-ended`.

use std::collections::{BTreeMap, BTreeSet};

use tenure_core::answer::{AskError, Holding, HoldingThen};
use tenure_core::{
    Ability, AssignmentFilter, EffectiveAt, Ended, How, KnownAt, Level, Position, Principal,
    RoleText, Span,
};

use super::Oracle;
use super::ask::Moment;
use super::names::matching;
use super::state::{Deed, Fact, Granted, Key, State};

/// A holding that counts, under the terms of one entry
type Row = (Key, Position);

fn takes(filter: &AssignmentFilter, moment: &Moment<'_>, key: &Key) -> bool {
    let of_role = |text: &RoleText| match &key.granted {
        Granted::Role(role) => !matching(text, [role.clone()].into_iter()).is_empty(),
        Granted::RoleCollection(_) => false,
    };
    let of_collection = |name| key.granted == Granted::RoleCollection(name);
    filter.on.as_ref().is_none_or(|on| *on == key.level)
        && filter.principal.as_ref().is_none_or(|p| moment.matches(&key.principal, p))
        && filter.role_collection.clone().is_none_or(of_collection)
        && filter.role.as_ref().is_none_or(of_role)
}

impl Oracle {
    /// The errors of names in a filter, but for its level
    pub(super) fn must_know(&self, filter: &AssignmentFilter, s: KnownAt) -> Result<(), AskError> {
        if let Some(name) = &filter.role_collection {
            self.must_be_defined(&Ability::RoleCollection(name.clone()), s)?;
        }
        if let Some(role) = &filter.role {
            self.must_be_defined(&Ability::Role(role.clone()), s)?;
        }
        Ok(())
    }

    /// Every longest stretch in which a holding counts under the terms of one entry
    pub fn holdings_during(
        &self,
        filter: &AssignmentFilter,
        span: Span,
        s: KnownAt,
    ) -> Result<Vec<HoldingThen>, AskError> {
        let stretches = self.stretches(span, s);
        if let Some(on) = &filter.on {
            let exists =
                |level: &Level| stretches.iter().any(|(_, _, now)| now.state.exists(level));
            if !exists(on) {
                return Err(AskError::UnknownLevel(on.clone()));
            }
        }
        self.must_know(filter, s)?;
        let mut open: BTreeMap<Row, (Holding, EffectiveAt)> = BTreeMap::new();
        let mut found = Vec::new();
        let mut close = |row: &Row, (holding, from): (Holding, EffectiveAt), until| {
            let span = Span::new(from, until).unwrap();
            let ended = until.and_then(|t| self.ended(row, t, s, filter.principal.as_ref()));
            found.push(HoldingThen { holding, span, ended });
        };
        for (t, _, now) in &stretches {
            let counting = now.counting.iter().filter(|(key, _)| takes(filter, now, key));
            let rows: BTreeMap<Row, Holding> = counting
                .map(|(key, terms)| {
                    let asked = filter.principal.as_ref().unwrap_or(&key.principal);
                    ((key.clone(), terms.entry), now.holding(asked, key, terms))
                })
                .collect();
            let gone: Vec<Row> =
                open.keys().filter(|row| !rows.contains_key(row)).cloned().collect();
            for row in gone {
                let opened = open.remove(&row).unwrap();
                close(&row, opened, Some(*t));
            }
            for (row, holding) in rows {
                open.entry(row).or_insert((holding, *t));
            }
        }
        for (row, opened) in open {
            close(&row, opened, span.until());
        }
        found.sort();
        Ok(found)
    }

    /// How a row ended at a moment, if it did
    fn ended(
        &self,
        (key, entry): &Row,
        t: EffectiveAt,
        s: KnownAt,
        principal: Option<&Principal>,
    ) -> Option<Ended> {
        let before = EffectiveAt::saturating_from_micros(t.micros() - 1);
        let mut state = State::clone(&self.state(before, s));
        let now = Moment::new(self, t, s);
        if state.holdings[key].until == Some(t) {
            return Some(Ended { how: How::Expired, entry: None });
        }
        let mut facts: Vec<&Fact> =
            self.counted(s).into_iter().flat_map(|line| &line.facts).collect();
        facts.retain(|fact| fact.effective_at == t);
        facts.sort_by_key(|fact| (fact.position, fact.index));
        state.expire(t);
        for fact in &facts {
            state.apply(fact);
            if !state.holdings.contains_key(key) {
                let how = match fact.deed {
                    Deed::Revoke { .. } => How::Revoked,
                    Deed::RemovePrincipal { .. } => How::PrincipalRemoved,
                    Deed::DeleteRole { .. } | Deed::DeleteRoleCollection { .. } => {
                        How::DefinitionDeleted
                    }
                    Deed::DeleteLevel { .. } => How::LevelDeleted,
                    ref other => panic!("{other:?} ends no holding"),
                };
                return Some(Ended { how, entry: Some(fact.position) });
            }
        }
        let terms = &now.state.holdings[key];
        if terms.entry != *entry {
            return Some(Ended { how: How::Regranted, entry: Some(terms.entry) });
        }
        let positions: BTreeSet<Position> = facts.iter().map(|fact| fact.position).collect();
        let only = (positions.len() == 1).then(|| positions.into_iter().next()).flatten();
        if principal.is_some_and(|p| !now.matches(&key.principal, p)) {
            return Some(Ended { how: How::Left, entry: only });
        }
        let counts = |state: &State| state.counts(key, terms);
        (!counts(&now.state)).then_some(Ended { how: How::Suspended, entry: only })
    }
}
