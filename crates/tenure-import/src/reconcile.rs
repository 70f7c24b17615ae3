//! What does the ledger learn from records?
//!
//! The reconciler is the same for all sources. It takes the records in the order of their times. An event
//! becomes an entry at its own time. An observation is compared with the ledger at that time, and becomes
//! an entry where it says more than the ledger. The decisions are made here:
//!
//! - `levels`: hierarchies and listings create, move, rename and delete levels.
//! - `role_collections` and `roles`: listings and events create, change and delete custom ones, unless the
//!   catalogue in force predefines them.
//! - `assignments`: who gets and loses role collections becomes grants and revokes.
//! - `drift`: whoever is observed to hold something is compared with the ledger.

mod assignments;
mod drift;
mod knowledge;
mod levels;
mod moment;
mod outbox;
mod role_collections;
mod roles;
mod run;

use crate::fact::{Event, Fact, Observation, ZoneEvent, ZoneObservation};
use crate::record::Record;
use crate::summary::Summary;
use crate::target::Target;
use crate::{ImportError, Options};
use knowledge::Knowledge;
use run::Run;

/// Appends what the records say, and adds to the summary what became of it
///
/// The records are in the order of their times. `progress` is told how many of them are done. `actor` acts
/// where a record does not say who did.
pub(crate) fn reconcile(
    records: &[Record],
    options: &Options,
    actor: String,
    target: &mut dyn Target,
    summary: Summary,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, ImportError> {
    let Some(first) = records.first() else {
        return Ok(summary);
    };
    let mut run = Run::new(options, actor, target, Knowledge::of(records), first, summary);
    for (index, record) in records.iter().enumerate() {
        run.apply(index, record)?;
        progress(index as u64 + 1);
    }
    run.finish()
}

impl<'a> Run<'a> {
    fn apply(&mut self, index: usize, record: &'a Record) -> Result<(), ImportError> {
        self.go_on(index, record);
        if let Some(reason) = &record.passed_over {
            self.summary.skip(reason);
        }
        for fact in &record.facts {
            match fact {
                Fact::Event(event) => {
                    if !self.event(event)? {
                        return Ok(());
                    }
                }
                Fact::Observation(observation) => self.observation(observation)?,
            }
        }
        Ok(())
    }

    /// Applies an event; false if the ledger has no such level or holder
    ///
    /// Then the facts that follow in the record are passed over with it, since they show its result.
    fn event(&mut self, event: &Event) -> Result<bool, ImportError> {
        let (zone, event) = match event {
            Event::LevelDeletionAsked { level, global_account } => {
                self.deletion_asked(level, global_account.as_deref())?;
                return Ok(true);
            }
            Event::InZone(zone, event) => (zone, event),
        };
        let Some(level) = self.zone(zone)? else {
            return Ok(false);
        };
        match event {
            ZoneEvent::Assigned { collection, to } => {
                return self.assigned(&level, collection, to);
            }
            ZoneEvent::Unassigned { collection, from } => {
                return self.unassigned(&level, collection, from);
            }
            ZoneEvent::AssignedToActor(collection) => {
                let actor = self.actor(self.record);
                self.grant(&level, collection, &actor)?;
            }
            ZoneEvent::CollectionCreated(seen) => self.collection_created(&level, seen)?,
            ZoneEvent::CollectionDeleted(name) => self.collection_deleted(&level, name)?,
            ZoneEvent::RoleAdded { collection, role } => {
                self.role_added(&level, collection, role)?;
            }
            ZoneEvent::RoleRemoved { collection, role } => {
                self.role_removed(&level, collection, role)?;
            }
            ZoneEvent::RoleCreated(role) => self.role_created(&level, role)?,
            ZoneEvent::RoleDeleted(role) => self.role_deleted(&level, role)?,
        }
        Ok(true)
    }

    fn observation(&mut self, observation: &Observation) -> Result<(), ImportError> {
        let (zone, observation) = match observation {
            Observation::Levels { seen, complete } => {
                return self.levels_seen(seen, complete.as_ref());
            }
            Observation::NoLevel(level) => return self.level_gone(level),
            // These are in the knowledge of the whole recording.
            Observation::Subdomain { .. }
            | Observation::InZone(_, ZoneObservation::Roles(_) | ZoneObservation::Trust(_)) => {
                return Ok(());
            }
            Observation::InZone(zone, observation) => (zone, observation),
        };
        let Some(level) = self.zone(zone)? else {
            return Ok(());
        };
        match observation {
            ZoneObservation::Collections(seen) => self.collections_listed(&level, seen),
            ZoneObservation::Collection(seen) => self.define(&level, seen),
            ZoneObservation::NoCollection(name) => self.collection_gone(&level, name),
            ZoneObservation::Holders { collection, users, all } => {
                self.holders_seen(&level, collection, users, *all)
            }
            ZoneObservation::Mappings { collection, mappings } => {
                self.mappings_seen(&level, collection, mappings)
            }
            ZoneObservation::User(seen) => self.user_seen(&level, seen),
            ZoneObservation::NoUser(user) => self.no_user(&level, user),
            ZoneObservation::Users { origin, names } => {
                self.users_listed(&level, origin.as_deref(), names)
            }
            ZoneObservation::Roles(_) | ZoneObservation::Trust(_) => Ok(()),
        }
    }
}
