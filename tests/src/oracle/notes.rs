//! What may the author of an entry not have meant?
//!
//! Rules: `docs/semantics.md#notes`.

use std::collections::BTreeSet;

use tenure_core::{
    Access, Change, EffectiveAt, GrantableText, KnownAt, LATER_MAX, Later, Note, Noted, Outcome,
    Principal, Reason, Recorded, RefusalCode, Submission,
};

use super::Oracle;
use super::access::{governors, governs};
use super::decide::{moment, resolve_held};
use super::principals_of;
use super::state::{Deed, Fact, Granted, Key, State};

impl Oracle {
    /// What is to be told to whoever hands in the next entry
    pub fn notes(&self, recorded: &Recorded) -> Vec<Note> {
        let Submission::Entry(entry, _) = &recorded.submission else { return Vec::new() };
        let before = self.newest();
        let position = tenure_core::Position::new(before.0 + 1).unwrap();
        let (outcome, _) = self.decide(position, recorded.recorded_at, &recorded.submitter, entry);
        let of_changes = match &outcome {
            Outcome::Applied => true,
            Outcome::Refused(refusal) if refusal.code() == RefusalCode::Forbidden => false,
            Outcome::Refused(refusal) => refusal.change.is_some(),
            Outcome::Duplicate(_) => false,
        };
        if !of_changes {
            return Vec::new();
        }
        let recorded_at = EffectiveAt::saturating_from_micros(recorded.recorded_at.micros());
        let t = entry.effective_at().map_or(recorded_at, |stated| moment(stated).unwrap());
        let mut state = State::clone(&self.state(t, before));
        let mut named = self.known(before);
        let mut notes = Vec::new();
        for (index, change) in entry.changes().iter().enumerate() {
            let note = |what| Note { change: index, what };
            let says_when = entry.effective_at().is_some();
            match self.decide_change(&state, &named, before, t, says_when, change) {
                Ok(deed) => {
                    notes.extend(self.noted(&state, &deed, t, before).into_iter().map(note));
                    let (effective_at, id) = (t, entry.id());
                    let fact = Fact { effective_at, not_before: None, position, index, id, deed };
                    state.apply(&fact);
                    named.extend(principals_of(change));
                }
                Err(Reason::NotHeld) => {
                    let later = revoked(&state, change).and_then(|key| {
                        self.later(
                            t,
                            before,
                            |deed| matches!(deed, Deed::Grant { key: one, .. } if *one == key),
                        )
                    });
                    return later.map(note).into_iter().collect();
                }
                Err(_) => return Vec::new(),
            }
        }
        notes
    }

    fn noted(&self, state: &State, deed: &Deed, t: EffectiveAt, before: KnownAt) -> Vec<Noted> {
        let mut noted = Vec::new();
        match deed {
            Deed::Grant { key, until, .. } => match state.holdings.get(key) {
                None => {}
                Some(running) if running.until == *until => noted.push(Noted::Repeated),
                Some(running) => {
                    noted.push(Noted::TermsChanged { from: running.until, to: *until });
                }
            },
            Deed::AddMember { set, member } => {
                let member = (set.clone(), member.clone());
                noted.extend(state.members.contains_key(&member).then_some(Noted::Repeated));
            }
            Deed::Revoke { key } => {
                if !state.holdings.contains_key(key) {
                    noted.push(Noted::Repeated);
                }
                noted.extend(self.later(
                    t,
                    before,
                    |deed| matches!(deed, Deed::Grant { key: one, .. } if one == key),
                ));
                if governs(key) {
                    noted.extend(self.last(state, &key.principal, before));
                }
            }
            Deed::RemoveMember { set, member } => {
                if !state.members.contains_key(&(set.clone(), member.clone())) {
                    noted.push(Noted::Repeated);
                }
                noted.extend(self.later(t, before, |deed| match deed {
                    Deed::AddMember { set: one, member: other } => (one, other) == (set, member),
                    _ => false,
                }));
            }
            Deed::RemovePrincipal { principal } => {
                let holds = state.holdings.keys().any(|key| key.principal == *principal);
                let mut members = state.members.keys();
                let joined = members.any(|(set, member)| set == principal || member == principal);
                let rule = state.rules.contains_key(principal);
                if !holds && !joined && !rule {
                    noted.push(Noted::Repeated);
                }
                noted.extend(self.later(t, before, |deed| match deed {
                    Deed::Grant { key, .. } => key.principal == *principal,
                    Deed::AddMember { set, member } => set == principal || member == principal,
                    _ => false,
                }));
                noted.extend(self.last(state, principal, before));
            }
            _ => {}
        }
        noted
    }

    /// Whether only this principal governs the ledger while access is enforced
    fn last(&self, state: &State, principal: &Principal, before: KnownAt) -> Option<Noted> {
        let enforced = self.access(before) == Access::Enforced;
        (enforced && governors(state) == [principal.clone()]).then_some(Noted::LastAdministrator)
    }

    /// The counted entries that start something later
    fn later(
        &self,
        t: EffectiveAt,
        before: KnownAt,
        starts: impl Fn(&Deed) -> bool,
    ) -> Option<Noted> {
        let facts = self.counted(before).into_iter().flat_map(|line| &line.facts);
        let later = facts.filter(|fact| fact.effective_at > t && starts(&fact.deed));
        let all: BTreeSet<_> = later.map(|fact| (fact.effective_at, fact.position)).collect();
        let entries: Vec<_> = all.iter().copied().take(LATER_MAX).collect();
        let more = all.len() - entries.len();
        (!all.is_empty()).then_some(Noted::Scheduled(Later { entries, more }))
    }
}

/// The holding that a revoke refers to
fn revoked(state: &State, change: &Change) -> Option<Key> {
    let Change::Revoke { level, grantable, from, .. } = change else { return None };
    let granted = match grantable {
        GrantableText::RoleCollection(name) => Granted::RoleCollection(name.clone()),
        GrantableText::Role(text) => Granted::Role(resolve_held(state, level, text, from)?),
    };
    Some(Key { principal: from.clone(), granted, level: level.clone() })
}
