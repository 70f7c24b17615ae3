//! What is the answer to a question?
//!
//! At one moment, from the state as of (T, S). `over` answers over a stretch of time, `listing` lists what is there.
//!
//! Rules: `docs/semantics.md#could`, `docs/semantics.md#questions`.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use tenure_core::{
    Abilities, Ability, CatalogDocument, Change, EffectiveAt, KnownAt, Level, LevelKind, Principal,
    PrincipalKind, Reading,
    answer::{Anywhere, AskError, Check, GrantedName, HeldMembership, Holding, Subject, What, Who},
};

use super::Oracle;
use super::access::own_roles;
use super::diff::Coordinates;
use super::need::{Asker, Need};
use super::session::Session;
use super::state::{Granted, Key, State, Terms};

/// The coordinates of a question, with the state as of them
#[derive(Clone)]
pub(super) struct Moment<'a> {
    pub(super) oracle: &'a Oracle,
    pub(super) t: EffectiveAt,
    pub(super) s: KnownAt,
    pub(super) state: Rc<State>,
    /// The holdings that count
    pub(super) counting: Vec<(Key, Terms)>,
    pub(super) known: BTreeSet<Principal>,
}

/// That somebody could, the holdings behind it, and at which moment
struct Yes {
    because: BTreeSet<Holding>,
    last_at: Option<EffectiveAt>,
    /// In the reading *latent*
    assigned: Option<bool>,
}

/// In which sense it is asked at a moment
enum Sense<'a> {
    Assigned,
    Session(Session<'a>),
    Latent,
}

impl<'a> Sense<'a> {
    fn new(oracle: &'a Oracle, reading: Reading, (t, s): Coordinates) -> Self {
        match reading {
            Reading::Assigned => Self::Assigned,
            Reading::Session(life) => Self::Session(oracle.session(life, t, s)),
            Reading::Latent => Self::Latent,
        }
    }

    fn asker<'p>(&self, moment: &Moment<'_>, p: &'p Principal) -> Asker<'p> {
        match self {
            Self::Latent => moment.latent(p),
            Self::Assigned | Self::Session(_) => Asker::of(p),
        }
    }

    /// Whether somebody could, of abilities that are defined there at the moment
    fn could(
        &self,
        moment: &Moment<'_>,
        can: &Abilities,
        on: &Level,
        asker: &Asker<'_>,
    ) -> Option<Yes> {
        let need = moment.need_any(can, on)?;
        match self {
            Self::Assigned => {
                let because = moment.verdict(&need, asker)?;
                Some(Yes { because, last_at: None, assigned: None })
            }
            Self::Session(session) => {
                let (last_at, because) = session.verdict(can, on, asker.principal)?;
                Some(Yes { because, last_at: Some(last_at), assigned: None })
            }
            Self::Latent => {
                let because = moment.verdict(&need, asker)?;
                let assigned = moment.verdict(&need, &Asker::of(asker.principal)).is_some();
                Some(Yes { because, last_at: None, assigned: Some(assigned) })
            }
        }
    }
}

impl<'a> Moment<'a> {
    pub(super) fn new(oracle: &'a Oracle, t: EffectiveAt, s: KnownAt) -> Self {
        let state = oracle.state(t, s);
        let running = state.holdings.iter();
        let counting = running
            .filter(|(key, terms)| state.counts(key, terms))
            .map(|(key, terms)| (key.clone(), terms.clone()))
            .collect();
        Self { oracle, t, s, counting, known: oracle.known(s), state }
    }
}

impl Moment<'_> {
    pub(super) fn must_exist(&self, level: &Level) -> Result<(), AskError> {
        if self.state.exists(level) { Ok(()) } else { Err(AskError::UnknownLevel(level.clone())) }
    }

    /// Whether what `q` holds, `p` holds
    pub(super) fn matches(&self, q: &Principal, p: &Principal) -> bool {
        let user = p.kind() == PrincipalKind::User;
        q == p
            || self.state.is_member(q, p)
            || (user && q.kind() == PrincipalKind::Everyone && q.origin() == p.origin())
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
        let member = self.membership(&key.principal, p);
        let since = member.map_or(terms.since, |(since, _)| terms.since.max(since));
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
            membership: member.map(|(since, by)| HeldMembership { since, by, entries: Vec::new() }),
            ends: None,
        }
    }
}

/// Users and clients, and sets, each in byte order
pub(super) fn sorted<T>(found: Vec<Subject<T>>) -> Who<T> {
    let mut who = Who { subjects: Vec::new(), sets: Vec::new() };
    for subject in found {
        let list = match subject.principal.kind() {
            PrincipalKind::User | PrincipalKind::Client => &mut who.subjects,
            PrincipalKind::Group | PrincipalKind::Attribute | PrincipalKind::Everyone => {
                &mut who.sets
            }
        };
        list.push(subject);
    }
    who.subjects.sort_by(|a, b| a.principal.as_str().cmp(b.principal.as_str()));
    who.sets.sort_by(|a, b| a.principal.as_str().cmp(b.principal.as_str()));
    who
}

fn explained(because: BTreeSet<Holding>, explain: bool) -> Vec<Holding> {
    if explain { because.into_iter().collect() } else { Vec::new() }
}

/// That it is not defined where it is asked about
pub(super) fn undefined(ability: &Ability) -> AskError {
    let text: Arc<str> = ability.to_string().into();
    match ability {
        Ability::Permission(_) | Ability::Path(_) => AskError::UnknownPermission(text),
        _ => AskError::UnknownOperation(text),
    }
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
            Ability::Operation(_) | Ability::Permission(_) | Ability::Path(_) => Ok(()),
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

    /// Whether a counted catalogue, as known then, ever had the operation; what is none may be at any level
    pub(super) fn is_ever_an_operation(&self, ability: &Ability, s: KnownAt) -> bool {
        let Ability::Operation(id) = ability else { return true };
        let entries = self.counted(s).into_iter().filter_map(|line| line.entry.as_ref());
        entries.flat_map(|entry| entry.changes()).any(|change| match change {
            Change::PublishCatalog { catalog } => {
                catalog.document().operations.iter().any(|row| row.operation == *id)
            }
            _ => false,
        })
    }

    /// The principals that an answer may list: the known ones, and everyone of each origin whose users an application has
    pub(super) fn people(&self, s: KnownAt) -> BTreeSet<Principal> {
        let entries = self.counted(s).into_iter().filter_map(|line| line.entry.as_ref());
        let changes = entries.flat_map(|entry| entry.changes());
        let mut origins: BTreeSet<Arc<str>> = changes
            .filter_map(|change| match change {
                Change::CreateLevel { attributes, .. } | Change::SetLevel { attributes, .. } => {
                    attributes.identity_provider.clone()
                }
                _ => None,
            })
            .collect();
        origins.insert("sap.default".into());
        let everyone = |origin: Arc<str>| Principal::parse(&format!("everyone:{origin}")).unwrap();
        self.known(s).into_iter().chain(origins.into_iter().map(everyone)).collect()
    }

    /// The errors of what is asked on a level, of each as if it were asked alone
    fn asked(
        &self,
        can: &Abilities,
        on: &Level,
        (t, s): Coordinates,
    ) -> Result<(Moment<'_>, Need), AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(on)?;
        for ability in can.iter() {
            if moment.elsewhere(ability, on) {
                return Err(AskError::DecidedElsewhere(on.clone()));
            }
            self.must_be_defined(ability, s)?;
            moment.need(ability, on).ok_or_else(|| undefined(ability))?;
        }
        let need = moment.need_any(can, on).unwrap();
        Ok((moment, need))
    }

    /// The levels of a subtree on which at least one of these is defined
    fn asked_under(
        &self,
        can: &Abilities,
        under: &Level,
        kind: Option<LevelKind>,
        (t, s): Coordinates,
    ) -> Result<(Moment<'_>, Vec<Level>), AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(under)?;
        let mut levels = moment.state.subtree(under);
        levels.retain(|level| kind.is_none_or(|kind| kind == level.kind()));
        for ability in can.iter() {
            self.must_be_defined(ability, s)?;
            let mut levels = levels.iter();
            let anywhere = matches!(
                ability,
                Ability::Role(_) | Ability::Scope(_) | Ability::RoleCollection(_)
            );
            let ever = self.is_ever_an_operation(ability, s);
            let asked = |level: &Level| {
                (ever && moment.elsewhere(ability, level)) || moment.need(ability, level).is_some()
            };
            if !anywhere && !levels.any(asked) {
                return Err(undefined(ability));
            }
        }
        levels.retain(|level| moment.need_any(can, level).is_some());
        Ok((moment, levels))
    }

    /// Every known principal that could
    pub fn who(
        &self,
        can: &Abilities,
        on: &Level,
        at: Coordinates,
        reading: Reading,
        explain: bool,
    ) -> Result<Who<Vec<Holding>>, AskError> {
        let (moment, _) = self.asked(can, on, at)?;
        let sense = Sense::new(self, reading, at);
        let found = self.people(at.1).into_iter().filter_map(|principal| {
            let yes = sense.could(&moment, can, on, &sense.asker(&moment, &principal))?;
            let detail = explained(yes.because, explain);
            Some(Subject { principal, assigned: yes.assigned, detail })
        });
        Ok(sorted(found.collect()))
    }

    /// Every known principal that could on some level of a subtree
    pub fn who_anywhere(
        &self,
        can: &Abilities,
        under: &Level,
        at: Coordinates,
        reading: Reading,
        explain: bool,
    ) -> Result<Who<Anywhere>, AskError> {
        let (moment, asked) = self.asked_under(can, under, None, at)?;
        let sense = Sense::new(self, reading, at);
        let mut found = Vec::new();
        for principal in self.people(at.1) {
            let asker = sense.asker(&moment, &principal);
            let mut levels = Vec::new();
            let mut because = BTreeSet::new();
            let mut assigned = None;
            for level in &asked {
                if let Some(yes) = sense.could(&moment, can, level, &asker) {
                    levels.push(level.clone());
                    because.extend(yes.because);
                    assigned = assigned.max(yes.assigned);
                }
            }
            if !levels.is_empty() {
                levels.sort();
                let detail = Anywhere { levels, because: explained(because, explain) };
                found.push(Subject { principal, assigned, detail });
            }
        }
        Ok(sorted(found))
    }

    /// Whether any principal could, known or not; the steps of the reading *latent* are left out
    pub fn check(
        &self,
        principal: &Principal,
        can: &Abilities,
        on: &Level,
        at: Coordinates,
        reading: Reading,
    ) -> Result<Check, AskError> {
        let (moment, need) = self.asked(can, on, at)?;
        let sense = Sense::new(self, reading, at);
        let asker = sense.asker(&moment, principal);
        Ok(match sense.could(&moment, can, on, &asker) {
            Some(yes) => {
                let because = yes.because.into_iter().collect();
                Check { allowed: true, because, last_at: yes.last_at, ..Check::default() }
            }
            None => {
                let operations = can.iter().all(|one| matches!(one, Ability::Operation(_)));
                let missing = operations.then(|| moment.missing(&need, &asker));
                Check { allowed: false, missing, ..Check::default() }
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
        at: Coordinates,
        reading: Reading,
    ) -> Result<Vec<Level>, AskError> {
        let (moment, asked) = self.asked_under(can, under, kind, at)?;
        let sense = Sense::new(self, reading, at);
        let asker = sense.asker(&moment, principal);
        let able = asked.into_iter().filter(|on| sense.could(&moment, can, on, &asker).is_some());
        let mut levels: Vec<Level> = able.collect();
        levels.sort();
        Ok(levels)
    }

    /// What a principal could do on a level
    pub fn what(
        &self,
        principal: &Principal,
        on: &Level,
        (t, s): Coordinates,
    ) -> Result<What, AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(on)?;
        let elsewhere = moment.state.is_elsewhere(on);
        let mut role_collections = BTreeSet::new();
        let mut roles = BTreeSet::new();
        let mut scopes = BTreeSet::new();
        let here = moment.counting.iter().filter(|(key, _)| key.level == *on);
        for (key, _) in here.filter(|(key, _)| moment.matches(&key.principal, principal)) {
            // The ledger knows of its own roles wherever they are.
            let own = matches!(&key.granted, Granted::Role(role) if *role.application == *"tenure");
            if elsewhere && !own {
                continue;
            }
            if let Granted::RoleCollection(name) = &key.granted {
                role_collections.insert(name.clone());
            }
            for (role, there) in moment.state.gives(on, &key.granted) {
                roles.insert(role.text());
                scopes.extend(there.scopes);
            }
        }
        let asker = Asker::of(principal);
        let able = |ability: &Ability| {
            let need = moment.need(ability, on);
            need.is_some_and(|need| moment.verdict(&need, &asker).is_some())
        };
        let operations = moment.state.operations_at(on).into_keys();
        let named = moment.state.permissions.keys().filter(|(level, _)| level == on);
        let permissions = named.map(|(_, name)| name.clone());
        Ok(What {
            operations: operations.filter(|id| able(&Ability::Operation(id.clone()))).collect(),
            permissions: permissions
                .filter(|name| able(&Ability::Permission(name.clone())))
                .collect(),
            role_collections: role_collections.into_iter().collect(),
            roles: roles.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
        })
    }
}
