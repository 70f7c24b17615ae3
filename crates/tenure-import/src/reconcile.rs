//! What does the ledger learn from records?
//!
//! The reconciler is the same for all sources. It takes the records in the order of their times. An event
//! becomes an entry at its own time. An observation is compared with the ledger at that time, and becomes
//! an entry where it says more than the ledger. The decisions are made here:
//!
//! - `levels`: hierarchies and listings create, move, rename and delete levels.
//! - `role_collections` and `roles`: listings and events create, change and delete custom ones, unless the
//!   catalogue in force predefines them.
//! - `assignments`: who gets and loses role collections and roles becomes grants and revokes.
//! - `members`: who is seen to be a member of a group.
//! - `who`: which principal a name or an id is, and what a new name of an account means.
//! - `drift`: whoever is observed to hold something is compared with the ledger.
//! - `listed`: which levels were listed as a whole, so that the first listing is a baseline and no drift.
//! - `accounting`: what became of each record.

mod accounting;
mod assignments;
mod drift;
mod knowledge;
mod levels;
mod listed;
mod members;
mod moment;
mod order;
mod outbox;
mod role_collections;
mod roles;
mod run;
mod who;

use crate::fact::{Event, Fact, Held, Observation, ZoneEvent, ZoneObservation};
use crate::record::Record;
use crate::summary::Summary;
use crate::target::Target;
use crate::{ImportError, Options};
use knowledge::Knowledge;
use run::Run;

pub(crate) use order::in_order;

/// Appends what the records say, and adds to the summary what became of it
///
/// The records are in the order of their times. `progress` is told how many of them are done. `actor` acts
/// where a record does not say who did.
pub(crate) fn reconcile(
    records: &[Record],
    source: &'static str,
    options: &Options,
    actor: String,
    target: &mut dyn Target,
    summary: Summary,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, ImportError> {
    let Some(first) = records.first() else {
        return Ok(summary);
    };
    let known = Knowledge::of(records, &options.map);
    let mut run = Run::new(source, options, actor, target, known, first, summary);
    run.accounting.expect(records.len());
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
            self.pass_over(reason);
        }
        self.names_seen(record)?;
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
            Event::LevelDeleted(level) => {
                self.level_deleted(level)?;
                return Ok(true);
            }
            Event::Renamed { from, to } => return self.renamed(from, to),
            Event::Said { changes, not_before, reason, by_name } => {
                if *by_name {
                    self.ensure_named(changes)?;
                }
                let reason = reason.clone().unwrap_or_else(|| self.record.reason());
                self.append_since(reason, changes.clone(), *not_before)?;
                return Ok(true);
            }
            Event::InZone(zone, event) => (zone, event),
        };
        let Some(level) = self.zone(zone)? else {
            return Ok(false);
        };
        match event {
            ZoneEvent::Assigned { held, to, until } => {
                return self.assigned(&level, held, to, *until);
            }
            ZoneEvent::Unassigned { held, from } => return self.unassigned(&level, held, from),
            ZoneEvent::AssignedToActor(collection) => {
                let actor = self.actor(self.record);
                self.grant(&level, &Held::Collection(collection.clone()), &actor, None)?;
            }
            ZoneEvent::UserDeleted(user) => return self.user_deleted(&level, user),
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
            Observation::Members { group, members, all } => {
                return self.members_seen(group, members, *all);
            }
            Observation::Covered { zone, subtree, from } => {
                return match self.zone(zone)? {
                    Some(level) => self.covered(&level, *subtree, Some(*from)),
                    None => Ok(()),
                };
            }
            // These are in the knowledge of the whole recording.
            Observation::Subdomain { .. }
            | Observation::Known(_)
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
            ZoneObservation::Holders { collection, users, page } => {
                self.holders_seen(&level, collection, users, *page)
            }
            ZoneObservation::Holdings { seen, all, intent } => {
                self.holdings_seen(&level, seen, *all, *intent)
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
