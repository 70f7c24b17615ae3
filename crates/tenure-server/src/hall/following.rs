//! Which entries have been applied, from any position on and then live?

use std::sync::Arc;

use tenure_core::{OutcomeKind, Position};
use tenure_wire::api::{EntryRow, Problem};
use tokio::sync::watch;

use super::access::{Action, decide};
use super::caller::Caller;
use super::callers::Callers;
use crate::ask::{entry_row, row};
use crate::engine::Engine;
use crate::problem::{Code, problem};

/// The applied entries after a position, as they come
#[derive(Debug)]
pub(crate) struct Changes {
    engine: Engine,
    callers: Arc<Callers>,
    caller: Caller,
    closing: watch::Receiver<bool>,
    /// The newest position that was looked at
    after: u64,
}

impl Changes {
    pub(super) fn after(
        engine: Engine,
        callers: Arc<Callers>,
        caller: Caller,
        after: u64,
        closing: watch::Receiver<bool>,
    ) -> Result<Self, Problem> {
        let newest = engine.shown().0;
        if after > newest {
            let detail = format!("position {after} does not exist yet: the newest is {newest}");
            return Err(problem(Code::NotYet, detail));
        }
        Ok(Self { engine, callers, caller, closing, after })
    }

    /// Waits for a newer position; `false` when the server closes
    pub(crate) async fn wait(&mut self) -> bool {
        let mut shown = self.engine.watch();
        tokio::select! {
            newer = shown.wait_for(|shown| *shown > self.after) => newer.is_ok(),
            _ = self.closing.wait_for(|closing| *closing) => false,
        }
    }

    /// Whether the caller may follow now: since it began it may have lost the right, or that by which it was known
    ///
    /// # Errors
    /// Why it may not; then the changes end.
    /// # Cost
    /// As that of a request: it is asked once for what is read together.
    pub(crate) fn may(&self) -> Result<(), Problem> {
        if !self.callers.still_know(&self.caller) {
            let detail = "it is not known any more who follows: say it again, and go on after the last entry";
            return Err(problem(Code::Unauthenticated, detail));
        }
        decide(&self.engine, &self.caller, Action::Follow).map(|_| ())
    }

    /// The next applied entry that may be seen now, by a caller who [`may`](Self::may) follow now; reads the disk
    ///
    /// # Errors
    /// An entry that cannot be read. It is never passed over: the changes end there.
    pub(crate) fn next_now(&mut self) -> Option<Result<EntryRow, Problem>> {
        let newest = self.engine.shown();
        while self.after < newest.0 {
            self.after += 1;
            let Some(position) = Position::new(self.after) else { continue };
            if self.engine.ledger().outcome(position) == Some(OutcomeKind::Applied) {
                let row = row(&self.engine, position);
                return Some(
                    row.and_then(|row| entry_row(&self.engine.ledger(), newest, position, &row)),
                );
            }
        }
        None
    }
}
