//! What is the answer to a question?
//!
//! At one moment, from the state as of (T, S). `over` answers over a stretch of time, `listing` lists what is there.
//!
//! Rules: `docs/semantics.md#could`, `docs/semantics.md#questions`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tenure_core::{
    Abilities, Ability, CatalogDocument, Change, Direction, EffectiveAt, HeldRow, KnownAt, LeafRow,
    Level, LevelKind, Principal, PrincipalKind, Requirement, RoleText,
    answer::{Anywhere, AskError, Check, GrantedName, HeldMembership, Holding, Subject, What, Who},
};

use super::Oracle;
use super::access::own_roles;
use super::names::matching;
use super::state::{Granted, Key, State, Terms};

/// The coordinates of a question, with the state as of them
pub(super) struct Moment {
    pub(super) state: State,
    /// The holdings that count
    pub(super) counting: Vec<(Key, Terms)>,
    pub(super) known: BTreeSet<Principal>,
}

/// A leaf with the levels where it must be held
pub(super) struct Leaf {
    row: LeafRow,
    levels: Vec<Level>,
}

pub(super) type Need = Requirement<Leaf>;

/// The holdings of a satisfied leaf in a true branch, or the unsatisfied parts
type Finding = Result<BTreeSet<Holding>, Requirement<LeafRow>>;

impl Moment {
    pub(super) fn new(oracle: &Oracle, t: EffectiveAt, s: KnownAt) -> Self {
        let state = oracle.state(t, s);
        let running = state.holdings.iter();
        let counting = running
            .filter(|(key, terms)| state.counts(key, terms))
            .map(|(key, terms)| (key.clone(), terms.clone()))
            .collect();
        Self { counting, known: oracle.known(s), state }
    }

    pub(super) fn must_exist(&self, level: &Level) -> Result<(), AskError> {
        if self.state.exists(level) { Ok(()) } else { Err(AskError::UnknownLevel(level.clone())) }
    }

    /// Whether what `q` holds, `p` holds
    pub(super) fn matches(&self, q: &Principal, p: &Principal) -> bool {
        let user = p.kind() == PrincipalKind::User;
        q == p
            || self.state.members.contains_key(&(q.clone(), p.clone()))
            || (user && q.kind() == PrincipalKind::Everyone && q.origin() == p.origin())
    }

    /// What must be held for an ability on a level that exists; `None` where there is no such operation
    pub(super) fn need(&self, ability: &Ability, on: &Level) -> Option<Need> {
        let held = match ability {
            Ability::Operation(id) => {
                let requirement = self.state.operations_at(on).remove(id)?;
                return Some(self.bind(&requirement, on));
            }
            Ability::Role(role) => {
                HeldRow::Role { role: role.name.clone(), application: role.application.clone() }
            }
            Ability::Scope(scope) => HeldRow::Scope(self.state.real_scope(scope)),
            Ability::RoleCollection(name) => HeldRow::RoleCollection(name.clone()),
        };
        let row = LeafRow { held, direction: Direction::At, kinds: vec![on.kind()] };
        Some(Requirement::Leaf(Leaf { row, levels: vec![on.clone()] }))
    }

    fn bind(&self, requirement: &Requirement<LeafRow>, on: &Level) -> Need {
        let bind_all = |parts: &Vec<_>| parts.iter().map(|part| self.bind(part, on)).collect();
        match requirement {
            Requirement::AnyOf(parts) => Requirement::AnyOf(bind_all(parts)),
            Requirement::AllOf(parts) => Requirement::AllOf(bind_all(parts)),
            Requirement::Leaf(row) => {
                let mut levels = match row.direction {
                    Direction::At => self.state.upwards(on),
                    Direction::Below => self.state.subtree(on),
                };
                let itself_too = row.direction == Direction::At;
                levels.retain(|level| row.kinds.contains(&level.kind()));
                levels.retain(|level| itself_too || level != on);
                Requirement::Leaf(Leaf { row: row.clone(), levels })
            }
        }
    }

    /// Whether a counting holding gives what must be held
    fn gives(&self, key: &Key, held: &HeldRow) -> bool {
        let given = self.state.gives(&key.level, &key.granted);
        match held {
            HeldRow::RoleCollection(name) => key.granted == Granted::RoleCollection(name.clone()),
            HeldRow::Role { role, application } => {
                let text = RoleText::parse(role).unwrap();
                let application = application.clone().or(text.application);
                let wanted = RoleText { application, name: text.name };
                !matching(&wanted, given.into_keys()).is_empty()
            }
            HeldRow::Scope(scope) => {
                let scope = self.state.real_scope(scope);
                given.values().any(|role| role.scopes.contains(&scope))
            }
        }
    }

    pub(super) fn verdict(&self, need: &Need, p: &Principal) -> Finding {
        match need {
            Requirement::Leaf(leaf) => {
                let because: BTreeSet<Holding> = self
                    .counting
                    .iter()
                    .filter(|(key, _)| leaf.levels.contains(&key.level))
                    .filter(|(key, _)| self.matches(&key.principal, p))
                    .filter(|(key, _)| self.gives(key, &leaf.row.held))
                    .map(|(key, terms)| self.holding(p, key, terms))
                    .collect();
                if because.is_empty() {
                    Err(Requirement::Leaf(leaf.row.clone()))
                } else {
                    Ok(because)
                }
            }
            Requirement::AnyOf(parts) => {
                let (yes, no) = self.verdicts(parts, p);
                if yes.is_empty() { Err(Requirement::AnyOf(no)) } else { Ok(union(yes)) }
            }
            Requirement::AllOf(parts) => {
                let (yes, no) = self.verdicts(parts, p);
                if no.is_empty() { Ok(union(yes)) } else { Err(Requirement::AllOf(no)) }
            }
        }
    }

    fn verdicts(
        &self,
        parts: &[Need],
        p: &Principal,
    ) -> (Vec<BTreeSet<Holding>>, Vec<Requirement<LeafRow>>) {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for part in parts {
            match self.verdict(part, p) {
                Ok(because) => yes.push(because),
                Err(missing) => no.push(missing),
            }
        }
        (yes, no)
    }

    /// The known principals that can, with the holdings that make it true
    fn who(&self, need: &Need) -> Vec<(Principal, BTreeSet<Holding>)> {
        let all = self.known.iter();
        all.filter_map(|p| Some((p.clone(), self.verdict(need, p).ok()?))).collect()
    }

    /// The levels of a subtree where there is something to be asked, with what must be held
    fn needs_under(&self, can: &Abilities, under: &Level) -> Vec<(Level, Need)> {
        let levels = self.state.subtree(under).into_iter();
        levels.filter_map(|level| Some((level.clone(), self.need_any(can, &level)?))).collect()
    }

    /// What must be held for at least one of these on a level that exists; `None` where none is defined
    pub(super) fn need_any(&self, can: &Abilities, on: &Level) -> Option<Need> {
        let mut needs: Vec<Need> = can.iter().filter_map(|one| self.need(one, on)).collect();
        match needs.len() {
            0 | 1 => needs.pop(),
            _ => Some(Requirement::AnyOf(needs)),
        }
    }

    /// The counting holdings at some levels, as seen from their own principals
    pub(super) fn holdings(
        &self,
        at: impl Fn(&Level) -> bool,
        principal: Option<&Principal>,
    ) -> BTreeSet<Holding> {
        self.counting
            .iter()
            .filter(|(key, _)| at(&key.level))
            .filter(|(key, _)| principal.is_none_or(|principal| key.principal == *principal))
            .map(|(key, terms)| self.holding(&key.principal, key, terms))
            .collect()
    }

    pub(super) fn holding(&self, p: &Principal, key: &Key, terms: &Terms) -> Holding {
        let member = self.state.members.get(&(key.principal.clone(), p.clone()));
        let since = member.map_or(terms.since, |(since, _)| terms.since.max(*since));
        Holding {
            principal: p.clone(),
            level: key.level.clone(),
            granted: match &key.granted {
                Granted::RoleCollection(name) => GrantedName::RoleCollection(name.clone()),
                Granted::Role(role) => GrantedName::Role(role.text().into()),
            },
            via: (key.principal != *p).then(|| key.principal.clone()),
            since,
            until: terms.until,
            not_before: terms.not_before,
            entry: terms.entry,
            id: terms.id,
            membership: member
                .map(|(since, entry)| HeldMembership { since: *since, entry: *entry }),
            ends: None,
        }
    }
}

fn union(sets: Vec<BTreeSet<Holding>>) -> BTreeSet<Holding> {
    sets.into_iter().flatten().collect()
}

/// Users and clients, and sets, each in byte order
pub(super) fn sorted<T>(found: Vec<(Principal, T)>) -> Who<T> {
    let mut who = Who { subjects: Vec::new(), sets: Vec::new() };
    for (principal, detail) in found {
        let list = match principal.kind() {
            PrincipalKind::User | PrincipalKind::Client => &mut who.subjects,
            PrincipalKind::Group | PrincipalKind::Attribute | PrincipalKind::Everyone => {
                &mut who.sets
            }
        };
        list.push(Subject { principal, detail });
    }
    who.subjects.sort_by(|a, b| a.principal.as_str().cmp(b.principal.as_str()));
    who.sets.sort_by(|a, b| a.principal.as_str().cmp(b.principal.as_str()));
    who
}

fn explained(because: BTreeSet<Holding>, explain: bool) -> Vec<Holding> {
    if explain { because.into_iter().collect() } else { Vec::new() }
}

/// The answers, as of T and known at S
impl Oracle {
    /// An error unless a counted entry, as known then, ever defined it, at any T and level
    pub(super) fn must_be_defined(&self, ability: &Ability, s: KnownAt) -> Result<(), AskError> {
        let counted = self.counted(s);
        let changes: Vec<&Change> = counted
            .iter()
            .filter_map(|line| line.entry.as_ref())
            .flat_map(|entry| entry.changes())
            .collect();
        let documents: Vec<&CatalogDocument> = changes
            .iter()
            .filter_map(|change| match change {
                Change::PublishCatalog { catalog } => Some(catalog.document()),
                _ => None,
            })
            .collect();
        match ability {
            // Known or not is a matter of the level and the moment.
            Ability::Operation(_) => Ok(()),
            Ability::Role(text)
                if own_roles(LevelKind::Ledger).iter().any(|own| {
                    text.application.as_ref() == Some(&own.application) && text.name == own.name
                }) =>
            {
                Ok(())
            }
            Ability::Role(text) => {
                let is = |application: &Arc<str>, name: &Arc<str>| {
                    *name == text.name
                        && text.application.as_ref().is_none_or(|named| named == application)
                };
                let rows = documents.iter().flat_map(|document| &document.roles);
                let defined = rows.into_iter().any(|row| is(&row.application, &row.role))
                    || changes.iter().any(|change| match change {
                        Change::CreateRole { application, role, .. } => is(application, role),
                        _ => false,
                    });
                if defined { Ok(()) } else { Err(AskError::UnknownRole(text.to_string())) }
            }
            Ability::Scope(scope) => {
                let rows = documents.iter().flat_map(|document| &document.roles);
                let mut of_rows = rows.flat_map(|row| row.scopes.iter().flatten());
                let aliases = documents.iter().flat_map(|document| &document.scope_aliases);
                let mut of_aliases = aliases.flatten().flat_map(|(alias, real)| [alias, real]);
                let defined = of_rows.any(|one| one == scope)
                    || of_aliases.any(|one| one == scope)
                    || changes.iter().any(|change| match change {
                        Change::CreateRole { scopes: Some(scopes), .. } => scopes.contains(scope),
                        _ => false,
                    });
                if defined { Ok(()) } else { Err(AskError::UnknownScope(scope.clone())) }
            }
            Ability::RoleCollection(name) => {
                let rows = documents.iter().flat_map(|document| &document.role_collections);
                let defined = rows.into_iter().any(|row| row.role_collection == *name)
                    || changes.iter().any(|change| match change {
                        Change::CreateRoleCollection { role_collection, .. } => {
                            role_collection == name
                        }
                        _ => false,
                    });
                if defined { Ok(()) } else { Err(AskError::UnknownRoleCollection(name.clone())) }
            }
        }
    }

    /// The first error of these, each asked alone; `defined` says whether one is defined where it is asked about
    pub(super) fn must_be_asked(
        &self,
        can: &Abilities,
        s: KnownAt,
        defined: impl Fn(&Ability) -> bool,
    ) -> Result<(), AskError> {
        for ability in can.iter() {
            self.must_be_defined(ability, s)?;
            if !defined(ability) {
                return Err(AskError::UnknownOperation(ability.to_string().into()));
            }
        }
        Ok(())
    }

    fn asked(
        &self,
        can: &Abilities,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<(Moment, Need), AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(on)?;
        self.must_be_asked(can, s, |ability| moment.need(ability, on).is_some())?;
        let need = moment.need_any(can, on).unwrap();
        Ok((moment, need))
    }

    fn asked_under(
        &self,
        can: &Abilities,
        under: &Level,
        kind: Option<LevelKind>,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<(Moment, Vec<(Level, Need)>), AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(under)?;
        let wanted = |level: &Level| kind.is_none_or(|kind| kind == level.kind());
        let mut levels = moment.state.subtree(under);
        levels.retain(wanted);
        self.must_be_asked(can, s, |ability| {
            !matches!(ability, Ability::Operation(_))
                || levels.iter().any(|level| moment.need(ability, level).is_some())
        })?;
        let mut needs = moment.needs_under(can, under);
        needs.retain(|(level, _)| wanted(level));
        Ok((moment, needs))
    }

    /// Every known principal that could
    pub fn who(
        &self,
        can: &Abilities,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Vec<Holding>>, AskError> {
        let (moment, need) = self.asked(can, on, t, s)?;
        let found = moment.who(&need).into_iter();
        Ok(sorted(found.map(|(p, because)| (p, explained(because, explain))).collect()))
    }

    /// Every known principal that could on some level of a subtree
    pub fn who_anywhere(
        &self,
        can: &Abilities,
        under: &Level,
        t: EffectiveAt,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Anywhere>, AskError> {
        let (moment, needs) = self.asked_under(can, under, None, t, s)?;
        let mut found = Vec::new();
        for p in &moment.known {
            let mut levels = Vec::new();
            let mut because = BTreeSet::new();
            for (level, need) in &needs {
                if let Ok(more) = moment.verdict(need, p) {
                    levels.push(level.clone());
                    because.extend(more);
                }
            }
            if !levels.is_empty() {
                levels.sort();
                let because = explained(because, explain);
                found.push((p.clone(), Anywhere { levels, because }));
            }
        }
        Ok(sorted(found))
    }

    /// Whether any principal could, known or not
    pub fn check(
        &self,
        principal: &Principal,
        can: &Abilities,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Check, AskError> {
        let (moment, need) = self.asked(can, on, t, s)?;
        Ok(match moment.verdict(&need, principal) {
            Ok(because) => {
                Check { allowed: true, because: because.into_iter().collect(), missing: None }
            }
            Err(missing) => {
                let operations = can.iter().all(|one| matches!(one, Ability::Operation(_)));
                let missing = operations.then_some(missing);
                Check { allowed: false, because: Vec::new(), missing }
            }
        })
    }

    /// The levels of a subtree where a principal could
    pub fn where_could(
        &self,
        principal: &Principal,
        can: &Abilities,
        under: &Level,
        kind: Option<LevelKind>,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<Level>, AskError> {
        let (moment, needs) = self.asked_under(can, under, kind, t, s)?;
        let able = needs.into_iter().filter(|(_, need)| moment.verdict(need, principal).is_ok());
        let mut levels: Vec<Level> = able.map(|(level, _)| level).collect();
        levels.sort();
        Ok(levels)
    }

    /// What a principal could do on a level
    pub fn what(
        &self,
        principal: &Principal,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<What, AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(on)?;
        let mut role_collections = BTreeSet::new();
        let mut roles = BTreeSet::new();
        let mut scopes = BTreeSet::new();
        let here = moment.counting.iter().filter(|(key, _)| key.level == *on);
        for (key, _) in here.filter(|(key, _)| moment.matches(&key.principal, principal)) {
            if let Granted::RoleCollection(name) = &key.granted {
                role_collections.insert(name.clone());
            }
            for (role, there) in moment.state.gives(on, &key.granted) {
                roles.insert(role.text());
                scopes.extend(there.scopes);
            }
        }
        let operations = moment.state.operations_at(on).into_iter().filter(|(_, requirement)| {
            moment.verdict(&moment.bind(requirement, on), principal).is_ok()
        });
        Ok(What {
            operations: operations.map(|(id, _)| id).collect(),
            role_collections: role_collections.into_iter().collect(),
            roles: roles.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
        })
    }
}
