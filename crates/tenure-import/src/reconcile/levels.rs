//! Which levels come into being, move, change and go?
//!
//! A level that the ledger does not have is created when a record describes it. The creation takes effect
//! when the description says that the level was created, with three limits:
//!
//! - not before its parent exists,
//! - not before the last observation that shows that it was not there,
//! - not after the first observation that shows it.
//!
//! Nobody recorded where the level lay, and what it was called, between its creation and that observation.
//! The ledger takes them to be what the observation shows. A later move or a later name takes effect at
//! the observation that shows it. A level is deleted at the observation that shows it missing: a complete
//! listing without it, or a "not found".
//!
//! An accepted deletion takes its time. The level stays until an observation shows that it is gone. If
//! nothing later in the recording shows whether it is there, it is deleted at once.

use std::collections::{BTreeMap, BTreeSet};

use tenure_core::{Instant, Level, LevelKind};
use tenure_wire::api::{LevelAttributes, LevelRow};
use tenure_wire::v1::Change;

use super::run::Run;
use crate::ImportError;
use crate::fact::{Complete, LevelSeen};
use crate::record::Record;

/// Most parents, one above the other, that are created to create a level that was not yet listed
///
/// SAP allows five directories above one another (SAP-docs, loio 8ed4a70).
const DEPTH_MAX: usize = 32;

impl<'a> Run<'a> {
    /// Levels are there; if the list is complete, no others are
    pub(crate) fn levels_seen(
        &mut self,
        seen: &[LevelSeen],
        complete: Option<&Complete>,
    ) -> Result<(), ImportError> {
        for level in seen {
            self.level_seen(level, DEPTH_MAX)?;
        }
        let Some(complete) = complete else {
            return Ok(());
        };
        let Some(root) = self.knowledge.root(&complete.subdomain) else {
            return Ok(());
        };
        let mut kinds = vec![LevelKind::Subaccount];
        kinds.extend(complete.directories.then_some(LevelKind::Directory));
        self.delete_missing(root, &kinds, seen)?;
        for kind in kinds {
            self.complete.insert((root.to_owned(), kind), self.moment.at);
        }
        Ok(())
    }

    /// A level was asked for and not found
    pub(crate) fn level_gone(&mut self, level: &str) -> Result<(), ImportError> {
        if self.has(level)? {
            self.delete(level, format!("`{}` no longer finds it", self.record.kind))?;
        } else {
            self.known_already("not found, and unknown to the ledger too");
        }
        self.absent.insert(level.to_owned(), self.moment.at);
        Ok(())
    }

    /// A level was deleted
    pub(crate) fn level_deleted(&mut self, level: &str) -> Result<(), ImportError> {
        if self.has(level)? {
            self.delete(level, self.record.reason())?;
        } else {
            self.known_already("deleted, and unknown to the ledger before");
        }
        self.absent.insert(level.to_owned(), self.moment.at);
        Ok(())
    }

    /// The deletion of a level was accepted
    pub(crate) fn deletion_asked(
        &mut self,
        level: &str,
        root: Option<&str>,
    ) -> Result<(), ImportError> {
        if self.knowledge.shown_after(self.index, level, root) || !self.has(level)? {
            return Ok(());
        }
        let reason = "its deletion was accepted, and nothing later in the recording shows it";
        self.delete(level, reason.to_owned())
    }

    /// Whether the ledger has a level now; it is created if another record describes it
    pub(crate) fn ensure_level(&mut self, level: &str) -> Result<bool, ImportError> {
        self.ensure(level, None, self.moment.at, DEPTH_MAX)
    }

    fn ensure(
        &mut self,
        level: &str,
        root: Option<&str>,
        wanted: Instant,
        depth: usize,
    ) -> Result<bool, ImportError> {
        if self.has(level)? {
            return Ok(true);
        }
        if self.absent.contains_key(level) || depth == 0 {
            return Ok(false);
        }
        if let Some(description) = self.knowledge.description(level) {
            return self.create(description.record, description.seen, depth);
        }
        // No record describes the level, but one names it. A global account needs no more than its name,
        // and a directory lies somewhere in its global account.
        let kind = level.split(':').next().and_then(LevelKind::parse);
        let parent = match (kind, root) {
            (Some(LevelKind::GlobalAccount), _) => None,
            (Some(LevelKind::Directory), Some(root)) => Some(root.to_owned()),
            _ => return Ok(false),
        };
        let Some(kind) = kind else { return Ok(false) };
        let bare = LevelSeen {
            level: level.to_owned(),
            kind,
            parent,
            global_account: root.map(str::to_owned),
            name: None,
            authorizations: None,
            region: None,
            created: Some(wanted),
            created_by: None,
            changed_by: None,
            dying: false,
        };
        self.create(self.record, &bare, depth)
    }

    fn level_seen(&mut self, seen: &LevelSeen, depth: usize) -> Result<bool, ImportError> {
        // What only mentions a level, as an event does, needs no question where the level is known to be there.
        let described =
            seen.name.is_some() || seen.region.is_some() || seen.authorizations.is_some();
        if !described && self.there.contains(&seen.level) {
            return Ok(true);
        }
        let Some(row) = self.row(&seen.level)? else {
            return self.create(self.record, seen, depth);
        };
        let parent = seen.parent.clone().filter(|parent| row.parent.as_ref() != Some(parent));
        if let Some(parent) = parent {
            if self.ensure(&parent, seen.global_account.as_deref(), self.moment.at, depth - 1)? {
                let change =
                    Change::MoveLevel { level: seen.level.clone(), parent: parent.clone() };
                let reason = format!("`{}` shows it in another parent", self.record.kind);
                self.append(reason, vec![change])?;
                self.change(&seen.level, |row| row.parent = Some(parent));
            } else {
                self.left_out(format!(
                    "`{}` lies in a level that was never described, or is gone",
                    seen.level
                ));
            }
        }
        let name = seen.name.clone().filter(|name| row.attributes.name.as_ref() != Some(name));
        let region =
            seen.region.clone().filter(|region| row.attributes.region.as_ref() != Some(region));
        let authorizations = seen
            .authorizations
            .filter(|seen| row.attributes.authorizations.unwrap_or_default() != *seen);
        if name.is_some() || region.is_some() || authorizations.is_some() {
            let change = Change::SetLevel {
                level: seen.level.clone(),
                name: name.clone(),
                feature_set: None,
                authorizations,
                environment: None,
                region: region.clone(),
                identity_provider: None,
                role_provider: None,
                access: None,
            };
            let actor = self.actor_or(self.record, seen.changed_by.as_ref());
            let reason = format!("as `{}` shows it", self.record.kind);
            self.append_as(self.record, &actor, self.moment.at, reason, vec![change])?;
            self.change(&seen.level, |row| {
                let known = &mut row.attributes;
                known.name = name.or(known.name.take());
                known.region = region.or(known.region.take());
                known.authorizations = authorizations.or(known.authorizations);
            });
        }
        self.there.insert(seen.level.clone());
        Ok(true)
    }

    fn create(
        &mut self,
        record: &'a Record,
        seen: &LevelSeen,
        depth: usize,
    ) -> Result<bool, ImportError> {
        if Level::parse(&seen.level).is_err() {
            self.left_out(format!("`{}` is no level that the ledger can write", seen.level));
            return Ok(false);
        }
        if seen.dying && self.absent.contains_key(&seen.level) {
            self.known_already("a level that is gone is still shown as being deleted");
            return Ok(false);
        }
        let now = self.moment.at;
        let mut at = seen.created.unwrap_or(now).min(now);
        if let Some(parent) = &seen.parent
            && !self.ensure(parent, seen.global_account.as_deref(), at, depth.saturating_sub(1))?
        {
            self.left_out(format!(
                "`{}` lies in a level that was never described, or is gone",
                seen.level
            ));
            return Ok(false);
        }
        if seen.parent.is_none() && seen.kind != LevelKind::GlobalAccount {
            self.left_out(format!("`{}` is shown without what it lies in", seen.level));
            return Ok(false);
        }
        let parent_since =
            seen.parent.as_ref().and_then(|parent| self.created.get(parent)).copied();
        at = at.max(parent_since.unwrap_or(Instant::EPOCH));
        let root = seen.global_account.clone().unwrap_or_default();
        let listed_without = self.complete.get(&(root, seen.kind));
        for absent in [self.absent.get(&seen.level), listed_without].into_iter().flatten() {
            at = at.max(after(*absent));
        }
        at = at.min(now);
        // This import knows when the levels exist that it created. For others it asks the ledger.
        let certain = (seen.parent.is_none() || parent_since.is_some())
            && !self.created.contains_key(&seen.level)
            && !self.absent.contains_key(&seen.level);
        if at < now && (!certain || self.was_ever_named(&seen.level)?) {
            let then = self.levels_at(at)?;
            let parent_is_there = seen.parent.as_ref().is_none_or(|p| then.contains_key(p));
            if then.contains_key(&seen.level) || !parent_is_there {
                at = now;
            }
        }
        let change = Change::CreateLevel {
            level: seen.level.clone(),
            parent: seen.parent.clone(),
            name: seen.name.clone(),
            feature_set: None,
            authorizations: seen.authorizations,
            environment: None,
            region: seen.region.clone(),
            identity_provider: None,
            role_provider: None,
            access: None,
        };
        let actor = self.actor_or(record, seen.created_by.as_ref());
        let reason = format!("as `{}` at {} shows it", record.kind, record.at);
        if !self.append_as(record, &actor, at, reason, vec![change])? {
            return Ok(false);
        }
        let row = LevelRow {
            level: seen.level.clone(),
            parent: seen.parent.clone(),
            attributes: LevelAttributes {
                name: seen.name.clone(),
                authorizations: seen.authorizations,
                region: seen.region.clone(),
                ..LevelAttributes::default()
            },
        };
        self.load_levels()?.insert(seen.level.clone(), row);
        self.created.insert(seen.level.clone(), at);
        self.absent.remove(&seen.level);
        Ok(true)
    }

    fn delete_missing(
        &mut self,
        root: &str,
        kinds: &[LevelKind],
        seen: &[LevelSeen],
    ) -> Result<(), ImportError> {
        let seen: BTreeSet<&str> = seen.iter().map(|seen| seen.level.as_str()).collect();
        let levels = self.load_levels()?;
        let missing: Vec<String> = levels
            .keys()
            .filter(|level| !seen.contains(level.as_str()))
            .filter(|level| kinds.iter().any(|kind| is_of(level, *kind)))
            .filter(|level| above(levels, level).any(|above| above == root))
            .cloned()
            .collect();
        for level in missing {
            // It may have gone with a directory above it.
            if self.has(&level)? {
                let reason = format!("`{}` no longer lists it", self.record.kind);
                self.delete(&level, reason)?;
            }
            self.absent.insert(level, self.moment.at);
        }
        Ok(())
    }

    fn delete(&mut self, level: &str, reason: String) -> Result<(), ImportError> {
        self.append(reason, vec![Change::DeleteLevel { level: level.to_owned() }])?;
        let levels = self.load_levels()?;
        let gone: Vec<String> = levels
            .keys()
            .filter(|other| *other == level || above(levels, other).any(|above| above == level))
            .cloned()
            .collect();
        for level in &gone {
            levels.remove(level);
        }
        for level in gone {
            self.there.remove(&level);
            self.collections_there.retain(|(there, _)| *there != level);
            self.moment.zones.remove(&level);
            self.roles.remove(&level);
            self.created.remove(&level);
            self.absent.insert(level, self.moment.at);
        }
        Ok(())
    }

    pub(crate) fn load_levels(&mut self) -> Result<&mut BTreeMap<String, LevelRow>, ImportError> {
        let levels = match self.moment.levels.take() {
            Some(levels) => levels,
            None => self.levels_at(self.moment.before())?,
        };
        Ok(self.moment.levels.insert(levels))
    }

    pub(crate) fn row(&mut self, level: &str) -> Result<Option<LevelRow>, ImportError> {
        Ok(self.load_levels()?.get(level).cloned())
    }

    pub(crate) fn has(&mut self, level: &str) -> Result<bool, ImportError> {
        Ok(self.load_levels()?.contains_key(level))
    }

    fn change(&mut self, level: &str, change: impl FnOnce(&mut LevelRow)) {
        if let Some(row) = self.moment.levels.as_mut().and_then(|levels| levels.get_mut(level)) {
            change(row);
        }
    }
}

/// The first instant after this one
fn after(instant: Instant) -> Instant {
    Instant::saturating_from_micros(instant.micros().saturating_add(1))
}

fn is_of(level: &str, kind: LevelKind) -> bool {
    level.split(':').next() == Some(kind.as_str())
}

/// The levels above a level, nearest first
pub(crate) fn above<'l>(
    levels: &'l BTreeMap<String, LevelRow>,
    level: &str,
) -> impl Iterator<Item = &'l str> {
    let parent = |level: &str| levels.get(level).and_then(|row| row.parent.as_deref());
    // The ledger has no cycles. The bound is a precaution.
    std::iter::successors(parent(level), move |level| parent(level)).take(64)
}
