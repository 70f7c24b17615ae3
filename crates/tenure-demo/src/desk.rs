//! How does an event become an entry on the log?
//!
//! Everybody files entries at a [`Desk`]. It gives each entry a time and an id, notes the intended outcome, and keeps
//! the picture that the people at Acme have. The ledger alone decides the outcome.

use tenure_core::{RecordedAt, RefusalCode};
use tenure_wire::v1::{Change, Entry};
use uuid::Uuid;

use crate::calendar::{Day, Second};
use crate::dice::Dice;
use crate::model::Model;

/// The namespace of the ids that are derived from the ledger's name, an arbitrary number
const NAMESPACE: Uuid = Uuid::from_u128(0x3d1f_50f4_1e0c_5d0a_8f61_2b7c_66a4_9c02);
/// The seed of the seconds between entries, an arbitrary number
const SEED: u64 = 0x000c_10c4;

/// The intended outcome of an entry
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intended {
    Applied,
    Refused(RefusalCode),
    Duplicate,
}

/// Entries that are sent at one time
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) recorded_at: RecordedAt,
    pub(crate) entries: Vec<(Entry, Intended)>,
}

/// The desk at which all entries are filed
#[derive(Debug)]
pub(crate) struct Desk {
    namespace: Uuid,
    serial: u64,
    today: Day,
    now: Second,
    seconds: Dice,
    /// Whether the next entry goes into the last message
    together: bool,
    messages: Vec<Message>,
    model: Model,
}

impl Desk {
    pub(crate) fn new(ledger: &str, today: Day) -> Self {
        Self {
            namespace: Uuid::new_v5(&NAMESPACE, ledger.as_bytes()),
            serial: 0,
            today,
            now: today.at(0, 0),
            seconds: Dice::new(SEED),
            together: false,
            messages: Vec::new(),
            model: Model::default(),
        }
    }

    pub(crate) fn today(&self) -> Day {
        self.today
    }

    pub(crate) fn now(&self) -> Second {
        self.now
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    pub(crate) fn into_messages(self) -> Vec<Message> {
        self.messages
    }

    /// Begins another day
    pub(crate) fn begin(&mut self, today: Day) {
        self.today = today;
        self.now = self.now.max(today.at(0, 0));
    }

    /// Waits until a time of the day; the next entry is filed then
    pub(crate) fn wait_for(&mut self, hour: i64, minute: i64) {
        self.now = self.now.plus(1).max(self.today.at(hour, minute));
        self.model.expire(self.now);
    }

    /// Waits for some minutes
    pub(crate) fn wait_minutes(&mut self, minutes: i64) {
        self.now = self.now.plus(minutes * 60);
        self.model.expire(self.now);
    }

    /// Sends all entries that `file` files as one message
    pub(crate) fn together(&mut self, file: impl FnOnce(&mut Self)) {
        self.pass_time();
        self.messages.push(Message { recorded_at: self.now.recorded(), entries: Vec::new() });
        self.together = true;
        file(self);
        self.together = false;
        if self.messages.last().is_some_and(|message| message.entries.is_empty()) {
            self.messages.pop();
        }
    }

    /// Files an entry that holds from now on, and returns its id
    pub(crate) fn file(&mut self, actor: &str, reason: &str, changes: Vec<Change>) -> String {
        self.put(actor, reason, None, changes, Intended::Applied)
    }

    /// Files an entry that holds from another time on, and returns its id
    pub(crate) fn file_effective(
        &mut self,
        actor: &str,
        reason: &str,
        effective_at: String,
        changes: Vec<Change>,
    ) -> String {
        self.put(actor, reason, Some(effective_at), changes, Intended::Applied)
    }

    /// Files an entry of which it is known only that it happened between a time and now
    pub(crate) fn file_between(
        &mut self,
        actor: &str,
        reason: &str,
        not_before: String,
        changes: Vec<Change>,
    ) {
        self.put(actor, reason, None, changes, Intended::Applied);
        let last = self.messages.last_mut().and_then(|message| message.entries.last_mut());
        if let Some((entry, _)) = last {
            entry.not_before = Some(not_before);
        }
    }

    /// Files an attempt that the ledger is meant to refuse
    pub(crate) fn attempt(
        &mut self,
        actor: &str,
        reason: &str,
        changes: Vec<Change>,
        code: RefusalCode,
    ) -> String {
        self.put(actor, reason, None, changes, Intended::Refused(code))
    }

    /// Files an attempt for another time that the ledger is meant to refuse
    pub(crate) fn attempt_effective(
        &mut self,
        actor: &str,
        reason: &str,
        effective_at: String,
        changes: Vec<Change>,
        code: RefusalCode,
    ) -> String {
        self.put(actor, reason, Some(effective_at), changes, Intended::Refused(code))
    }

    /// Sends the last entry again, as a client does when it got no answer
    pub(crate) fn retry(&mut self) {
        let last = self.messages.last().and_then(|message| message.entries.last());
        let Some((entry, _)) = last.cloned() else {
            return;
        };
        self.pass_time();
        self.send(entry, Intended::Duplicate);
    }

    /// Sends other content under the id of the last entry, as a wrong client does
    pub(crate) fn reuse_id(&mut self, reason: &str) {
        let last = self.messages.last().and_then(|message| message.entries.last());
        let Some((mut entry, _)) = last.cloned() else {
            return;
        };
        entry.reason = Some(reason.to_owned());
        self.pass_time();
        self.send(entry, Intended::Refused(RefusalCode::IdReused));
    }

    fn put(
        &mut self,
        actor: &str,
        reason: &str,
        effective_at: Option<String>,
        changes: Vec<Change>,
        intended: Intended,
    ) -> String {
        if !self.together {
            self.pass_time();
        }
        self.serial += 1;
        let name = format!("demo/{}", self.serial);
        let id = Uuid::new_v5(&self.namespace, name.as_bytes()).hyphenated().to_string();
        if intended == Intended::Applied {
            changes.iter().for_each(|change| self.model.take_in(change));
        }
        let entry = Entry {
            id: id.clone(),
            actor: actor.to_owned(),
            reason: Some(reason.to_owned()),
            effective_at,
            not_before: None,
            changes,
        };
        self.send(entry, intended);
        id
    }

    fn send(&mut self, entry: Entry, intended: Intended) {
        match self.messages.last_mut() {
            Some(message) if self.together => message.entries.push((entry, intended)),
            _ => self.messages.push(Message {
                recorded_at: self.now.recorded(),
                entries: vec![(entry, intended)],
            }),
        }
    }

    fn pass_time(&mut self) {
        self.now = self.now.plus(self.seconds.between(20, 480));
        self.model.expire(self.now);
    }
}
