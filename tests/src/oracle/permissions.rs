//! Which roles give a permission, and which permissions a path?
//!
//! Rules: `docs/semantics.md#permission`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tenure_core::{Change, Environment, HeldRow, KnownAt, Level, Requirement};

use super::Oracle;
use super::ask::Moment;
use super::need::{Leaf, Need, Wanted, held_at};
use super::state::Permission;

impl Oracle {
    /// The names of the permissions that counted entries gave an application, at any T
    pub(super) fn permissions_ever(&self, on: &Level, s: KnownAt) -> BTreeSet<Arc<str>> {
        let entries = self.counted(s).into_iter().filter_map(|line| line.entry.as_ref());
        let named = entries.flat_map(|entry| entry.changes()).filter_map(|change| match change {
            Change::SetPermission { level, permission, .. } if level == on => {
                Some(permission.clone())
            }
            _ => None,
        });
        named.collect()
    }
}

impl Moment<'_> {
    /// A permission that is not there now is given to nobody
    pub(super) fn permission_named(&self, on: &Level, name: &Arc<str>) -> Need {
        match self.state.permissions.get(&(on.clone(), name.clone())) {
            Some(permission) => self.permission(on, permission),
            None => Requirement::AnyOf(Vec::new()),
        }
    }

    fn permission(&self, on: &Level, permission: &Permission) -> Need {
        let subaccount = self.state.levels[on].parent.clone().unwrap();
        let platform = |name: &str| {
            let held = HeldRow::Role { role: name.into(), application: Some("neo".into()) };
            Requirement::Leaf(held_at(held, &subaccount))
        };
        if permission.roles.is_empty() {
            return Requirement::AnyOf(match self.state.environment(on) {
                Environment::Neo => vec![platform("Administrator"), platform("Developer")],
                Environment::Multi => Vec::new(),
            });
        }
        let of_role = |name: &Arc<str>| {
            let has = |level: &&Level| {
                let mut custom = self.state.roles.keys();
                custom.any(|(at, role)| at == *level && role.name == *name)
            };
            match [on, &subaccount].into_iter().find(has) {
                Some(level) => Some(Requirement::Leaf(Leaf {
                    wanted: Wanted::CustomRole(name.clone()),
                    levels: vec![level.clone()],
                })),
                None => match &**name {
                    "AccountAdministrator" => Some(platform("Administrator")),
                    "AccountDeveloper" => Some(platform("Developer")),
                    "Everyone" => Some(self.everyone(on)),
                    _ => None,
                },
            }
        };
        Requirement::AnyOf(permission.roles.iter().filter_map(of_role).collect())
    }

    fn everyone(&self, on: &Level) -> Need {
        let wanted = Wanted::Everyone(self.state.identity_provider(on));
        Requirement::Leaf(Leaf { wanted, levels: vec![on.clone()] })
    }

    /// All the permissions with the longest path that fits; where none fits, everyone
    pub(super) fn path(&self, on: &Level, asked: &str) -> Need {
        let fits =
            |path: &str| path == "/" || path == asked || asked.starts_with(&format!("{path}/"));
        let here = self.state.permissions.iter().filter(|((level, _), _)| level == on);
        let longest = |permission: &Permission| {
            let fitting = permission.paths.iter().filter(|path| fits(path));
            fitting.map(|path| path.len()).max()
        };
        let found: Vec<(usize, Need)> =
            here.filter_map(|(_, one)| Some((longest(one)?, self.permission(on, one)))).collect();
        match found.iter().map(|(length, _)| *length).max() {
            None => self.everyone(on),
            Some(most) => {
                let needs = found.into_iter().filter(|(length, _)| *length == most);
                Requirement::AllOf(needs.map(|(_, need)| need).collect())
            }
        }
    }
}
