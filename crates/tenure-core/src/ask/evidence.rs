//! Which names does evidence have in an answer?

use crate::ask::answer::{GrantedName, HeldMembership, Holding};
use crate::ledger::view::{Evidence, Joined, View};
use crate::words::grantable::{Grantable, RoleKey, RoleText};
use crate::words::principal::Principal;

impl View<'_> {
    pub(crate) fn granted_name(&self, grantable: Grantable) -> GrantedName {
        match grantable {
            Grantable::RoleCollection(name) => {
                GrantedName::RoleCollection(self.ledger.symbols.text(name).clone())
            }
            Grantable::Role(role) => GrantedName::Role(role.text(&self.ledger.symbols).into()),
        }
    }

    /// What an answer names, as a number
    pub(crate) fn granted(&self, name: &GrantedName) -> Option<Grantable> {
        let symbols = &self.ledger.symbols;
        match name {
            GrantedName::RoleCollection(name) => symbols.get(name).map(Grantable::RoleCollection),
            GrantedName::Role(text) => {
                let RoleText { application, name } = RoleText::parse(text).ok()?;
                let (application, name) = (symbols.get(&application?)?, symbols.get(&name)?);
                Some(Grantable::Role(RoleKey { application, name }))
            }
        }
    }

    /// Evidence with its names, for the principal that was asked about
    pub(crate) fn holding(&self, asked: &Principal, evidence: &Evidence) -> Holding {
        let holder = self.ledger.principal_of(evidence.key.principal);
        #[expect(clippy::expect_used, reason = "evidence without its entry's id would be none")]
        let id = self.ledger.entry_id(evidence.terms.entry).expect("an applied entry was decoded");
        Holding {
            principal: asked.clone(),
            level: self.ledger.level_of(evidence.key.level).clone(),
            granted: self.granted_name(evidence.key.grantable),
            via: (holder != asked).then(|| holder.clone()),
            since: evidence
                .joined
                .map_or(evidence.terms.since, |joined| joined.since.max(evidence.terms.since)),
            until: evidence.terms.until,
            not_before: self.ledger.not_before.get(&evidence.terms.entry).copied(),
            entry: evidence.terms.entry,
            id,
            membership: evidence.joined.map(|Joined { since, by }| HeldMembership {
                since,
                by,
                entries: Vec::new(),
            }),
            ends: None,
        }
    }

    pub(crate) fn holdings(&self, asked: &Principal, evidence: &[Evidence]) -> Vec<Holding> {
        let mut holdings: Vec<Holding> =
            evidence.iter().map(|evidence| self.holding(asked, evidence)).collect();
        holdings.sort();
        // However often what makes the user a member changes while a holding runs, it is one holding: the first is told.
        holdings.dedup_by(|other, one| {
            let kept = &one.membership;
            *one == Holding { membership: kept.clone(), ..other.clone() }
        });
        holdings
    }
}
