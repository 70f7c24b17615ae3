//! What is so at the second of the record at hand?
//!
//! A source's times may have no digits below the second, so several records can have the same one. The
//! ledger is asked about the instant before the second. The changes that this import makes at the second
//! are added here, in their order.

use std::collections::{BTreeMap, HashMap};

use tenure_core::Instant;
use tenure_wire::api::LevelRow;
use tenure_wire::v1::Change;

use super::role_collections::ZoneThen;

/// What is so at one second, as far as somebody asked
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) levels: Option<BTreeMap<String, LevelRow>>,
    pub(crate) zones: HashMap<String, ZoneThen>,
    /// The changes of holdings that this import makes at this second
    pub(crate) holdings: Vec<Change>,
}

impl Moment {
    pub(crate) fn new(at: Instant) -> Self {
        Self { at, levels: None, zones: HashMap::new(), holdings: Vec::new() }
    }

    /// The last instant before this second
    pub(crate) fn before(&self) -> Instant {
        Instant::saturating_from_micros(self.at.micros().saturating_sub(1))
    }

    /// Notes the changes of holdings among the changes of an entry
    pub(crate) fn note(&mut self, changes: &[Change]) {
        let of_holdings = changes.iter().filter(|change| {
            matches!(
                change,
                Change::Grant { .. }
                    | Change::Revoke { .. }
                    | Change::DeleteRoleCollection { .. }
                    | Change::AddMember { .. }
                    | Change::RemoveMember { .. }
            )
        });
        self.holdings.extend(of_holdings.cloned());
    }
}
