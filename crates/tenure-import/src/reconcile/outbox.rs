//! How do entries get to the ledger, and what became of them?
//!
//! Entries wait here until there are enough for one call, or until the import asks the ledger something. A
//! malformed entry is not sent, since one of them makes a server refuse the whole call.

use tenure_core::Instant;
use tenure_wire::Names;
use tenure_wire::codec::Encoded;
use tenure_wire::v1::{Change, Entry};

use crate::ImportError;
use crate::record::{Place, Record};
use crate::summary::Summary;
use crate::target::Target;

use super::accounting::{Accounting, Fate};

/// Most entries a call
const BATCH_ENTRIES_MAX: usize = 1_000;
/// Bytes of JSON a call, about
const BATCH_BYTES_MAX: usize = 900_000;
/// Most bytes of a reason
const REASON_BYTES_MAX: usize = 1_024;

/// Entries that wait to be sent
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Vec<(usize, Place, Entry)>,
    bytes: usize,
    /// Whether entries are made and not sent
    closed: bool,
}

/// What an entry says, and why
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) record: &'a Record,
    /// The place in the order of time of the record that it counts for
    pub(crate) index: usize,
    pub(crate) actor: &'a str,
    pub(crate) effective_at: Instant,
    pub(crate) not_before: Option<Instant>,
    pub(crate) reason: String,
    pub(crate) changes: Vec<Change>,
}

impl Outbox {
    /// One that makes entries and, if it is closed, does not send them
    pub(crate) fn new(closed: bool) -> Self {
        Self { closed, ..Self::default() }
    }

    /// Lets an entry wait; false if it is malformed
    pub(crate) fn push(
        &mut self,
        target: &mut dyn Target,
        summary: &mut Summary,
        accounting: &mut Accounting,
        draft: Draft<'_>,
    ) -> Result<bool, ImportError> {
        if self.closed {
            return Ok(true);
        }
        let place = draft.record.place.clone();
        let id = draft.record.id.entry(draft.effective_at, &draft.changes).to_string();
        let written = Entry {
            id: id.clone(),
            actor: draft.actor.to_owned(),
            reason: Some(shortened(draft.reason)),
            effective_at: Some(draft.effective_at.to_string()),
            not_before: draft.not_before.map(|at| at.to_string()),
            changes: draft.changes,
        };
        let read = written.to_core(Names::Full).map_err(|error| error.to_string());
        let encoded = read.and_then(|entry| Encoded::new(entry).map_err(|e| e.to_string()));
        let entry = match encoded {
            Ok(encoded) => Entry::from_core(encoded.entry()),
            Err(problem) => {
                summary.refused(place, id, "malformed", &problem);
                accounting.note(draft.index, Fate::Refused);
                return Ok(false);
            }
        };
        let bytes = serde_json::to_vec(&entry).map_or(0, |json| json.len());
        if self.waiting.len() >= BATCH_ENTRIES_MAX || self.bytes + bytes > BATCH_BYTES_MAX {
            self.flush(target, summary, accounting)?;
        }
        self.waiting.push((draft.index, place, entry));
        self.bytes += bytes;
        Ok(true)
    }

    /// Sends what waits, and tells whether the last entry of it holds now
    pub(crate) fn flush(
        &mut self,
        target: &mut dyn Target,
        summary: &mut Summary,
        accounting: &mut Accounting,
    ) -> Result<bool, ImportError> {
        if self.waiting.is_empty() {
            return Ok(true);
        }
        self.bytes = 0;
        let (origins, entries): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|(index, place, entry)| {
                let types: Vec<_> = entry.changes.iter().map(type_name).collect();
                ((index, place, types), entry)
            })
            .unzip();
        let results = target.append(entries).map_err(ImportError::Append)?;
        if results.len() != origins.len() {
            return Err(ImportError::Results { sent: origins.len(), got: results.len() });
        }
        let mut holds = true;
        for ((index, place, types), result) in origins.into_iter().zip(&results) {
            holds = summary.result(&place, result, types.into_iter());
            let fate = match (&result.refusal, result.outcome.as_str()) {
                (Some(_), _) => Fate::Refused,
                (None, "duplicate") => Fate::Known,
                (None, _) => Fate::Applied,
            };
            accounting.note(index, fate);
        }
        Ok(holds)
    }
}

fn type_name(change: &Change) -> &'static str {
    match change {
        Change::CreateLevel { .. } => "create_level",
        Change::MoveLevel { .. } => "move_level",
        Change::SetLevel { .. } => "set_level",
        Change::DeleteLevel { .. } => "delete_level",
        Change::CreateRole { .. } => "create_role",
        Change::DeleteRole { .. } => "delete_role",
        Change::CreateRoleCollection { .. } => "create_role_collection",
        Change::SetRoles { .. } => "set_roles",
        Change::DeleteRoleCollection { .. } => "delete_role_collection",
        Change::Grant { .. } => "grant",
        Change::Revoke { .. } => "revoke",
        Change::AddMember { .. } => "add_member",
        Change::RemoveMember { .. } => "remove_member",
        Change::SetRule { .. } => "set_rule",
        Change::SetPermission { .. } => "set_permission",
        Change::DeletePermission { .. } => "delete_permission",
        Change::RemovePrincipal { .. } => "remove_principal",
        Change::PublishCatalog { .. } => "publish_catalog",
        Change::Observe { .. } => "observe",
        Change::Void { .. } => "void",
    }
}

fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        let end =
            (0..=REASON_BYTES_MAX - '…'.len_utf8()).rev().find(|i| reason.is_char_boundary(*i));
        reason.truncate(end.unwrap_or(0));
        reason.push('…');
    }
    reason
}
