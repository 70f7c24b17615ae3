//! Which roles does a role collection name that the catalogue does not have?
//!
//! They are roles of applications, and custom roles. The ledger refuses a role collection that names an
//! unknown role. So the role is created first, at the same second, with the scopes that any record of the
//! recording shows for it. A role made from a template of the catalogue gets no scopes of its own: it has
//! those of the catalogue, and changes with them.
//!
//! The ledger has no question for custom roles, so they are read from the history of their level.

use tenure_core::Instant;
use tenure_wire::api;
use tenure_wire::question::Texts;
use tenure_wire::v1::{CatalogRole, Change, FeatureSet};

use super::knowledge::plain;
use super::levels::above;
use super::run::Run;
use crate::ImportError;
use crate::fact::{RoleDefinition, RoleSeen};

/// Custom roles of a level as they came and went, in order
#[derive(Debug, Default)]
pub(crate) struct RoleHistory(Vec<RoleStep>);

#[derive(Debug)]
struct RoleStep {
    at: Instant,
    /// Whether this import made the step. At the second of a record only such steps surely came before it
    own: bool,
    role: String,
    exists: bool,
}

impl RoleHistory {
    fn has(&self, role: &str, now: Instant) -> bool {
        let steps = self.0.iter().filter(|step| {
            let names = step.role == role
                || (!step.exists
                    && role.split_once('/').is_some_and(|(_, name)| name == step.role));
            names && (step.at < now || (step.at == now && step.own))
        });
        // Of steps at one instant the last one in the history counts.
        steps.max_by_key(|step| step.at).is_some_and(|step| step.exists)
    }

    fn note(&mut self, at: Instant, role: String, exists: bool) {
        self.0.push(RoleStep { at, own: true, role, exists });
    }
}

impl Run<'_> {
    /// A role with the name that its application has in the ledger: without the suffix, unless two applications of the
    /// level differ in it alone, and the catalogue has neither
    pub(crate) fn role_as_kept(
        &mut self,
        level: &str,
        role: &RoleSeen,
    ) -> Result<RoleSeen, ImportError> {
        let application = plain(&role.application).to_owned();
        if self.knowledge.has_two(level, &application)
            && !self.catalog_has(level, |row| row.application == application)?
        {
            return Ok(role.clone());
        }
        Ok(RoleSeen { application, ..role.clone() })
    }

    pub(crate) fn role_created(
        &mut self,
        level: &str,
        definition: &RoleDefinition,
    ) -> Result<(), ImportError> {
        let role = &self.role_as_kept(level, &definition.role)?;
        if !role.can_be_named() {
            self.left_out(format!(
                "the ledger cannot write the name of the role `{}`",
                role.text()
            ));
            return Ok(());
        }
        if self.catalog_has(level, |row| is(row, role))? || self.custom_role(level, role)? {
            self.known_already("a role is created that the ledger has already");
            return Ok(());
        }
        let reason = self.record.reason();
        self.create_role(level, role, reason)
    }

    pub(crate) fn role_deleted(&mut self, level: &str, role: &RoleSeen) -> Result<(), ImportError> {
        let role = &self.role_as_kept(level, role)?;
        if !role.can_be_named() || !self.custom_role(level, role)? {
            self.known_already("deleted, and unknown to the ledger before");
            return Ok(());
        }
        let change = Change::DeleteRole { level: level.to_owned(), role: role.text() };
        self.append(self.record.reason(), vec![change])?;
        let now = self.moment.at;
        self.roles.entry(level.to_owned()).or_default().note(now, role.text(), false);
        Ok(())
    }

    /// Creates a role that a role collection names, unless it exists; false if the ledger cannot name it
    pub(crate) fn ensure_role(
        &mut self,
        level: &str,
        role: &RoleSeen,
        collection: &str,
    ) -> Result<bool, ImportError> {
        if !role.can_be_named() {
            self.left_out(format!(
                "the role `{}` of the role collection `{collection}` is not kept, since the ledger cannot write its name",
                role.text(),
            ));
            return Ok(false);
        }
        if self.catalog_has(level, |row| is(row, role))? || self.custom_role(level, role)? {
            return Ok(true);
        }
        let reason = format!(
            "named by the role collection `{collection}`, and not in the catalogue in force"
        );
        self.create_role(level, role, reason)?;
        Ok(true)
    }

    fn create_role(
        &mut self,
        level: &str,
        role: &RoleSeen,
        reason: String,
    ) -> Result<(), ImportError> {
        let made_from_catalog = self.catalog_has(level, |row| {
            row.application == role.application && row.template.as_ref() == Some(&role.template)
        })?;
        let definition = self.knowledge.role(level, &role.text());
        let recorded = definition.filter(|definition| !definition.scopes.is_empty());
        let change = Change::CreateRole {
            level: level.to_owned(),
            role: role.name.clone(),
            application: role.application.clone(),
            template: role.template.clone(),
            scopes: recorded.filter(|_| !made_from_catalog).map(|d| d.scopes.clone()),
            attributes: definition.map(|d| d.attributes.clone()).filter(|all| !all.is_empty()),
        };
        self.append(reason, vec![change])?;
        let now = self.moment.at;
        self.roles.entry(level.to_owned()).or_default().note(now, role.text(), true);
        Ok(())
    }

    /// Whether the catalogue in force has the wanted role at that level
    fn catalog_has(
        &mut self,
        level: &str,
        wanted: impl Fn(&CatalogRole) -> bool,
    ) -> Result<bool, ImportError> {
        let Some(catalog) = self.zone_then(level)?.catalog.clone() else {
            return Ok(false);
        };
        let levels = self.load_levels()?;
        let explicit = |level: &str| levels.get(level).and_then(|row| row.attributes.feature_set);
        let in_force = explicit(level)
            .or_else(|| above(levels, level).find_map(explicit))
            .unwrap_or(FeatureSet::B);
        let kind = level.split(':').next().unwrap_or_default();
        Ok(catalog.roles.iter().any(|row| {
            row.at.iter().any(|at| at == kind)
                && row.feature_sets.as_ref().is_none_or(|sets| sets.contains(&in_force))
                && wanted(row)
        }))
    }

    fn custom_role(&mut self, level: &str, role: &RoleSeen) -> Result<bool, ImportError> {
        if !self.roles.contains_key(level) {
            let history = self.role_history(level)?;
            self.roles.insert(level.to_owned(), history);
        }
        let now = self.moment.at;
        Ok(self.roles.get(level).is_some_and(|history| history.has(&role.text(), now)))
    }

    fn role_history(&mut self, level: &str) -> Result<RoleHistory, ImportError> {
        let mut history = RoleHistory::default();
        let mut after: Option<u64> = None;
        loop {
            let question = Texts::named("history")
                .with_if("after", after.map(|after| after.to_string()))
                .with("level", level)
                .with("outcome", "applied");
            let page: Option<api::Entries> = self.ask(&question)?;
            let Some(page) = page else { return Ok(history) };
            for row in page.entries.into_iter().filter(|row| row.voided_by.is_none()) {
                let at = row.effective_at.as_deref().and_then(|at| Instant::parse(at).ok());
                let (Some(at), Some(entry)) = (at, row.entry) else {
                    continue;
                };
                history
                    .0
                    .extend(entry.changes.into_iter().filter_map(|change| step(at, level, change)));
            }
            after = match page.next_after {
                Some(next) if after.is_none_or(|after| next > after) => Some(next),
                _ => return Ok(history),
            };
        }
    }
}

fn step(at: Instant, here: &str, change: Change) -> Option<RoleStep> {
    let (level, role, exists) = match change {
        Change::CreateRole { level, role, application, .. } => {
            (level, format!("{application}/{role}"), true)
        }
        Change::DeleteRole { level, role } => (level, role, false),
        _ => return None,
    };
    (level == here).then_some(RoleStep { at, own: false, role, exists })
}

fn is(row: &CatalogRole, role: &RoleSeen) -> bool {
    row.application == role.application && row.role == role.name
}
