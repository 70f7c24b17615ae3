//! What of a ledger is an index checkpoint made of, and how is it read into one?
//!
//! Beside what [`crate::checkpoint`] reads of the parts of a ledger itself.

use std::sync::Arc;

use imbl::Vector;

use super::Ledger;
use crate::instant::RecordedAt;
use crate::landscape::Structural;
use crate::order::OrderKey;
use crate::outcome::{Position, Refusal};
use crate::principal::Principal;
use crate::symbol::{PrincipalRef, SharedMap};

impl Ledger {
    pub(crate) fn refusals(&self) -> &SharedMap<Position, Arc<Refusal>> {
        &self.refusals
    }

    pub(crate) fn named(&self) -> &Vector<Option<Position>> {
        &self.named
    }

    pub(crate) fn load_principal(&mut self, principal: &Principal) {
        let number = self.principals.number_unranked(principal);
        self.note_kind(PrincipalRef { number, kind: principal.kind() }, principal);
    }

    pub(crate) fn load_refusal(&mut self, position: Position, refusal: Refusal) {
        self.refusals.insert(position, Arc::new(refusal));
    }

    pub(crate) fn load_named(&mut self, position: Option<Position>) {
        self.named.push_back(position);
    }

    /// Folds the changes of structure and the voids, in log order
    pub(crate) fn load_structure(
        &mut self,
        changes: Vec<(OrderKey, Arc<Structural>)>,
        voids: &[(Position, Position)],
    ) {
        let mut voids = voids.iter().copied().peekable();
        let mut take_voids = |ledger: &mut Self, before: Option<Position>| {
            while let Some((void, target)) =
                voids.next_if(|(void, _)| before.is_none_or(|before| *void < before))
            {
                for (position, voided) in ledger.voids.add(void, target) {
                    ledger.structure.flip(position, voided, void);
                }
            }
        };
        for (key, change) in changes {
            take_voids(self, Some(key.position));
            let recorded = self.recorded_at(key.position).map_or(0, RecordedAt::micros);
            let effective = key.effective_at.micros();
            self.structure.insert(key, &change, effective < recorded);
            self.note_defined(&change, key.position);
            self.structure.settle(key, change, effective > recorded);
        }
        take_voids(self, None);
    }

    /// Lets each id be owned by the first entry with it
    pub(crate) fn own_all(&mut self) {
        let places = &self.places;
        self.owners.reserve(usize::try_from(places.len()).unwrap_or(0), |at| places.id(at));
        for (position, id) in places.owning() {
            self.owners.insert(id, position, |at| places.id(at));
        }
    }
}
