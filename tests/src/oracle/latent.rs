//! Who could have given itself the power?
//!
//! What is held grows in rounds until nothing is new: for each level and operation that can be done there, by
//! everything that doing it gives.
//!
//! Rules: `docs/semantics.md#readings`.

use std::collections::BTreeSet;

use tenure_core::answer::{GrantedName, Step};
use tenure_core::{
    Abilities, Ability, EffectiveAt, GivenRow, GivesRow, KnownAt, Level, OperationRow, Principal,
    RoleText,
};

use super::Oracle;
use super::ask::Moment;
use super::names::matching;
use super::need::Asker;
use super::state::{Granted, RoleName};

impl Moment<'_> {
    /// What is given at one level: what a grant there would accept
    fn given_at(&self, what: &GivenRow, at: &Level) -> Vec<Granted> {
        if !self.state.manages_authorizations(at) {
            return Vec::new();
        }
        match what {
            GivenRow::AnyRoleCollection => self
                .state
                .role_collections_at(at)
                .into_keys()
                .map(Granted::RoleCollection)
                .collect(),
            GivenRow::RoleCollection(name) => {
                let exists = self.state.role_collections_at(at).contains_key(name);
                exists.then(|| Granted::RoleCollection(name.clone())).into_iter().collect()
            }
            GivenRow::Role(text) => {
                let roles = self.state.roles_at(at);
                match matching(text, roles.keys().cloned()).as_slice() {
                    [one] if roles[one].grantable && *one.application != *"tenure" => {
                        vec![Granted::Role(one.clone())]
                    }
                    _ => Vec::new(),
                }
            }
        }
    }

    fn gifts(&self, row: &OperationRow, on: &Level) -> BTreeSet<(Granted, Level)> {
        let mut found = BTreeSet::new();
        for GivesRow { what, below } in row.gives.iter().flatten() {
            let levels = match below {
                None => vec![on.clone()],
                Some(kinds) => {
                    let mut levels = self.state.subtree(on);
                    levels.retain(|level| level != on && kinds.contains(&level.kind()));
                    levels
                }
            };
            for level in levels {
                found.extend(
                    self.given_at(what, &level).into_iter().map(|one| (one, level.clone())),
                );
            }
        }
        found
    }

    /// Whether an operation of the catalogue can be done there
    fn does(&self, row: &OperationRow, on: &Level, asker: &Asker<'_>) -> bool {
        let need = self.need(&Ability::Operation(row.operation.clone()), on);
        need.is_some_and(|need| self.verdict(&need, asker).is_some())
    }

    /// A principal with all that it could have given itself
    pub(super) fn latent<'p>(&self, principal: &'p Principal) -> Asker<'p> {
        let mut asker = Asker::of(principal);
        loop {
            let mut given = asker.given.clone();
            for level in self.state.levels.keys() {
                for row in self.state.operation_rows(level) {
                    if row.gives.is_some() && self.does(row, level, &asker) {
                        given.extend(self.gifts(row, level));
                    }
                }
            }
            if given == asker.given {
                return asker;
            }
            asker.given = given;
        }
    }

    fn step(&self, step: &Step, asker: &mut Asker<'_>) -> Result<(), String> {
        let mut rows = self.state.operation_rows(&step.level);
        let row = rows.find(|row| row.operation == step.operation);
        let row = row.filter(|_| self.state.exists(&step.level)).ok_or("no such operation")?;
        if !self.does(row, &step.level, asker) {
            return Err("it could not do that by then".into());
        }
        let granted = match &step.gives {
            GrantedName::RoleCollection(name) => Granted::RoleCollection(name.clone()),
            GrantedName::Role(text) => {
                let RoleText { application, name } = RoleText::parse(text).unwrap();
                Granted::Role(RoleName { application: application.unwrap(), name })
            }
        };
        let gift = (granted, step.at.clone());
        if !self.gifts(row, &step.level).contains(&gift) {
            return Err("that does not give it".into());
        }
        if asker.given.insert(gift) { Ok(()) } else { Err("it has that already".into()) }
    }
}

impl Oracle {
    /// Takes the steps that are to lead to a power
    ///
    /// # Errors
    /// The first step that cannot be taken, or that they do not lead there.
    pub fn replay(
        &self,
        principal: &Principal,
        can: &Abilities,
        on: &Level,
        (t, s): (EffectiveAt, KnownAt),
        steps: &[Step],
    ) -> Result<(), String> {
        let moment = Moment::new(self, t, s);
        let mut asker = Asker::of(principal);
        for step in steps {
            moment.step(step, &mut asker).map_err(|problem| format!("{step:?}: {problem}"))?;
        }
        let need = moment.need_any(can, on).ok_or("nothing is asked there")?;
        moment.verdict(&need, &asker).map(drop).ok_or_else(|| "they do not lead there".into())
    }
}
