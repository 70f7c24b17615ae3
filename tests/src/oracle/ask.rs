//! What is the answer to a question?
//!
//! At one moment, from the state as of (T, S). Over a stretch of time, from the state at its start and
//! at every moment within it at which anything takes effect or expires.
//!
//! Rules: `docs/semantics.md#could`, `docs/semantics.md#questions`.

use std::collections::BTreeSet;
use std::sync::Arc;

use tenure_core::{
    Ability, AssignmentFilter, CatalogDocument, Change, Direction, EffectiveAt, HeldRow, KnownAt,
    LeafRow, Level, Mention, Position, Principal, PrincipalFilter, PrincipalKind, Requirement,
    RoleText, Span,
    answer::{
        Anywhere, AskError, Check, Diff, GrantedName, HeldMembership, Holding, Interval,
        LevelDuring, LevelThen, Member, PrincipalThen, RoleCollectionThen, Subject, What, Who,
    },
};

use super::Oracle;
use super::names::matching;
use super::state::{Deed, Granted, Key, State, Terms};

/// The coordinates of a question, with the state as of them
pub(super) struct Moment {
    pub(super) state: State,
    /// The holdings that count
    pub(super) counting: Vec<(Key, Terms)>,
    known: BTreeSet<Principal>,
}

/// A leaf with the levels where it must be held
struct Leaf {
    row: LeafRow,
    levels: Vec<Level>,
}

type Need = Requirement<Leaf>;

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

    fn must_exist(&self, level: &Level) -> Result<(), AskError> {
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
    fn need(&self, ability: &Ability, on: &Level) -> Option<Need> {
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

    fn verdict(&self, need: &Need, p: &Principal) -> Finding {
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
    fn needs_under(
        &self,
        ability: &Ability,
        under: &Level,
    ) -> Result<Vec<(Level, Need)>, AskError> {
        let levels = self.state.subtree(under).into_iter();
        let needs: Vec<(Level, Need)> =
            levels.filter_map(|level| Some((level.clone(), self.need(ability, &level)?))).collect();
        if needs.is_empty() { Err(unknown_operation(ability)) } else { Ok(needs) }
    }

    /// The counting holdings at some levels, as seen from their own principals
    fn holdings(
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
            entry: terms.entry,
            id: terms.id,
            membership: member
                .map(|(since, entry)| HeldMembership { since: *since, entry: *entry }),
        }
    }
}

fn union(sets: Vec<BTreeSet<Holding>>) -> BTreeSet<Holding> {
    sets.into_iter().flatten().collect()
}

fn unknown_operation(ability: &Ability) -> AskError {
    AskError::UnknownOperation(ability.to_string().into())
}

/// Users and clients, and sets, each in byte order
fn sorted<T>(found: Vec<(Principal, T)>) -> Who<T> {
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

    fn asked(
        &self,
        ability: &Ability,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<(Moment, Need), AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(on)?;
        self.must_be_defined(ability, s)?;
        let need = moment.need(ability, on).ok_or_else(|| unknown_operation(ability))?;
        Ok((moment, need))
    }

    fn asked_under(
        &self,
        ability: &Ability,
        under: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<(Moment, Vec<(Level, Need)>), AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(under)?;
        self.must_be_defined(ability, s)?;
        let needs = moment.needs_under(ability, under)?;
        Ok((moment, needs))
    }

    /// Every known principal that could
    pub fn who(
        &self,
        ability: &Ability,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Vec<Holding>>, AskError> {
        let (moment, need) = self.asked(ability, on, t, s)?;
        let found = moment.who(&need).into_iter();
        Ok(sorted(found.map(|(p, because)| (p, explained(because, explain))).collect()))
    }

    /// Every known principal that could on some level of a subtree
    pub fn who_anywhere(
        &self,
        ability: &Ability,
        under: &Level,
        t: EffectiveAt,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Anywhere>, AskError> {
        let (moment, needs) = self.asked_under(ability, under, t, s)?;
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
        ability: &Ability,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Check, AskError> {
        let (moment, need) = self.asked(ability, on, t, s)?;
        Ok(match moment.verdict(&need, principal) {
            Ok(because) => {
                Check { allowed: true, because: because.into_iter().collect(), missing: None }
            }
            Err(missing) => Check { allowed: false, because: Vec::new(), missing: Some(missing) },
        })
    }

    /// The levels of a subtree where a principal could
    pub fn where_could(
        &self,
        principal: &Principal,
        ability: &Ability,
        under: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<Level>, AskError> {
        let (moment, needs) = self.asked_under(ability, under, t, s)?;
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

    /// The stretches of a span between which anything takes effect or expires, with their states
    pub(super) fn stretches(
        &self,
        span: Span,
        s: KnownAt,
    ) -> Vec<(EffectiveAt, Option<EffectiveAt>, Moment)> {
        let mut moments = BTreeSet::from([span.from()]);
        for fact in self.counted(s).into_iter().flat_map(|line| &line.facts) {
            moments.insert(fact.effective_at);
            if let Deed::Grant { until: Some(until), .. } = fact.deed {
                moments.insert(until);
            }
        }
        moments.retain(|t| *t >= span.from() && span.until().is_none_or(|until| *t < until));
        let moments: Vec<EffectiveAt> = moments.into_iter().collect();
        let ends = moments.iter().copied().skip(1).map(Some).chain([span.until()]);
        let stretches = moments.iter().zip(ends);
        stretches.map(|(from, until)| (*from, until, Moment::new(self, *from, s))).collect()
    }

    /// The stretches in which there is something to be asked, with what must be held
    #[expect(clippy::type_complexity, reason = "named once, here")]
    fn asked_over(
        &self,
        ability: &Ability,
        on: &Level,
        span: Span,
        s: KnownAt,
    ) -> Result<Vec<(EffectiveAt, Option<EffectiveAt>, Moment, Need)>, AskError> {
        let mut stretches = self.stretches(span, s);
        stretches.retain(|(_, _, moment)| moment.state.exists(on));
        if stretches.is_empty() {
            return Err(AskError::UnknownLevel(on.clone()));
        }
        self.must_be_defined(ability, s)?;
        let asked: Vec<_> = stretches
            .into_iter()
            .filter_map(|(from, until, moment)| {
                let need = moment.need(ability, on)?;
                Some((from, until, moment, need))
            })
            .collect();
        if asked.is_empty() { Err(unknown_operation(ability)) } else { Ok(asked) }
    }

    /// The maximal intervals in which a principal could
    pub fn timeline(
        &self,
        principal: &Principal,
        ability: &Ability,
        on: &Level,
        span: Span,
        s: KnownAt,
    ) -> Result<Vec<Interval>, AskError> {
        Ok(intervals(principal, &self.asked_over(ability, on, span, s)?))
    }

    /// Every known principal that could at some time
    pub fn who_during(
        &self,
        ability: &Ability,
        on: &Level,
        span: Span,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Vec<Interval>>, AskError> {
        let asked = self.asked_over(ability, on, span, s)?;
        let all = self.known(s).into_iter().map(|p| {
            let mut intervals = intervals(&p, &asked);
            if !explain {
                intervals.iter_mut().for_each(|interval| interval.because.clear());
            }
            (p, intervals)
        });
        Ok(sorted(all.filter(|(_, intervals)| !intervals.is_empty()).collect()))
    }

    /// Every known principal that could on some level of a subtree at some time, while the level lay in it
    pub fn who_during_anywhere(
        &self,
        ability: &Ability,
        under: &Level,
        span: Span,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Vec<LevelDuring>>, AskError> {
        let stretches = self.stretches(span, s);
        let levels: BTreeSet<Level> =
            stretches.iter().flat_map(|(_, _, moment)| moment.state.subtree(under)).collect();
        if levels.is_empty() {
            return Err(AskError::UnknownLevel(under.clone()));
        }
        self.must_be_defined(ability, s)?;
        let mut any = false;
        let mut found: Vec<(Principal, Vec<LevelDuring>)> =
            self.known(s).into_iter().map(|principal| (principal, Vec::new())).collect();
        for level in levels {
            let asked: Vec<_> = self
                .stretches(span, s)
                .into_iter()
                .filter(|(_, _, moment)| moment.state.subtree(under).contains(&level))
                .filter_map(|(from, until, moment)| {
                    let need = moment.need(ability, &level)?;
                    Some((from, until, moment, need))
                })
                .collect();
            any |= !asked.is_empty();
            for (principal, levels) in &mut found {
                let mut intervals = intervals(principal, &asked);
                if !explain {
                    intervals.iter_mut().for_each(|interval| interval.because.clear());
                }
                if !intervals.is_empty() {
                    levels.push(LevelDuring { level: level.clone(), intervals });
                }
            }
        }
        if !any {
            return Err(unknown_operation(ability));
        }
        Ok(sorted(found.into_iter().filter(|(_, levels)| !levels.is_empty()).collect()))
    }

    /// The counting holdings
    pub fn assignments(
        &self,
        filter: &AssignmentFilter,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<Holding>, AskError> {
        let moment = Moment::new(self, t, s);
        if let Some(on) = &filter.on {
            moment.must_exist(on)?;
        }
        self.must_know(filter, s)?;
        let at = |level: &Level| filter.on.as_ref().is_none_or(|on| on == level);
        let found: BTreeSet<Holding> = match &filter.principal {
            None => moment.holdings(at, None).into_iter().collect(),
            // Its own, and those of every set that matches it.
            Some(p) => {
                let counting = moment.counting.iter();
                counting
                    .filter(|(key, _)| at(&key.level) && moment.matches(&key.principal, p))
                    .map(|(key, terms)| moment.holding(p, key, terms))
                    .collect()
            }
        };
        Ok(found
            .into_iter()
            .filter(|holding| {
                filter
                    .role_collection
                    .as_ref()
                    .is_none_or(|name| holding.granted == GrantedName::RoleCollection(name.clone()))
                    && filter.role.as_ref().is_none_or(|text| match &holding.granted {
                        GrantedName::Role(role) => {
                            let role = RoleText::parse(role).unwrap();
                            role.name == text.name
                                && text
                                    .application
                                    .iter()
                                    .all(|a| Some(a) == role.application.as_ref())
                        }
                        GrantedName::RoleCollection(_) => false,
                    })
            })
            .collect())
    }

    /// The members of a group or an attribute
    pub fn members(&self, set: &Principal, t: EffectiveAt, s: KnownAt) -> Vec<Member> {
        let members = self.state(t, s).members.into_iter();
        members
            .filter(|((one, _), _)| one == set)
            .map(|((_, principal), (since, entry))| Member { principal, since, entry })
            .collect()
    }

    /// The known principals, with how many of their own holdings count, and until when they held any
    pub fn principals(
        &self,
        filter: &PrincipalFilter,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Vec<PrincipalThen> {
        let until = EffectiveAt::saturating_from_micros(t.micros() + 1);
        let until = (until > t).then_some(until);
        let stretches = self.stretches(Span::new(EffectiveAt::FIRST, until).unwrap(), s);
        let now = Moment::new(self, t, s);
        let mut found = Vec::new();
        for principal in &now.known {
            let is_its = |key: &Key| key.principal == *principal;
            let holdings = now.counting.iter().filter(|(key, _)| is_its(key)).count();
            let runs = |moment: &Moment| moment.state.holdings.keys().any(is_its);
            let last = stretches.iter().rev().find(|(_, _, moment)| runs(moment));
            let last_held = last.and_then(|(_, until, _)| *until).filter(|end| *end <= t);
            let wanted = filter.kind.is_none_or(|kind| kind == principal.kind())
                && filter.origin.as_deref().is_none_or(|origin| origin == principal.origin())
                && filter.holding.is_none_or(|holding| holding == (holdings > 0));
            if wanted {
                found.push(PrincipalThen { principal: principal.clone(), holdings, last_held });
            }
        }
        found
    }

    /// An error for a level or role collection that no entry ever named, and no catalogue defines
    pub fn must_be_named(&self, mention: &Mention) -> Result<(), AskError> {
        match mention {
            _ if !self.mentions(mention).is_empty() => Ok(()),
            Mention::Level(level) => Err(AskError::UnknownLevel(level.clone())),
            Mention::RoleCollection(name) => {
                self.must_be_defined(&Ability::RoleCollection(name.clone()), self.newest())
            }
            Mention::Principal(_) | Mention::Actor(_) | Mention::Submitter(_) => Ok(()),
        }
    }

    /// The counting holdings gained, lost and changed from one pair of coordinates to another
    pub fn diff(
        &self,
        (t, s): (EffectiveAt, KnownAt),
        (other_t, other_s): (EffectiveAt, KnownAt),
        under: Option<&Level>,
        principal: Option<&Principal>,
    ) -> Result<Diff, AskError> {
        let moments = [Moment::new(self, t, s), Moment::new(self, other_t, other_s)];
        if let Some(under) = under {
            moments[0].must_exist(under).or(moments[1].must_exist(under))?;
        }
        let [before, after] = moments.each_ref().map(|moment| {
            let subtree = under.map(|under| moment.state.subtree(under));
            let at = |level: &Level| subtree.as_ref().is_none_or(|levels| levels.contains(level));
            moment.holdings(at, principal)
        });
        let same_key = |a: &Holding, b: &Holding| {
            (&a.principal, &a.level, &a.granted) == (&b.principal, &b.level, &b.granted)
        };
        let mut diff = Diff::default();
        for old in &before {
            match after.iter().find(|new| same_key(old, new)) {
                None => diff.lost.push(old.clone()),
                Some(new) => {
                    if (old.since, old.until, old.entry) != (new.since, new.until, new.entry) {
                        diff.changed.push((old.clone(), new.clone()));
                    }
                }
            }
        }
        let gained = after.iter().filter(|new| !before.iter().any(|old| same_key(old, new)));
        diff.gained = gained.cloned().collect();
        Ok(diff)
    }

    /// The levels that exist
    pub fn levels(&self, t: EffectiveAt, s: KnownAt) -> Vec<LevelThen> {
        let levels = self.state(t, s).levels.into_iter();
        levels
            .map(|(level, state)| LevelThen {
                level,
                parent: state.parent,
                attributes: state.attributes,
            })
            .collect()
    }

    /// The role collections that exist at a level
    pub fn role_collections(
        &self,
        on: &Level,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<RoleCollectionThen>, AskError> {
        let moment = Moment::new(self, t, s);
        moment.must_exist(on)?;
        let there = moment.state.role_collections_at(on).into_iter();
        Ok(there
            .map(|(role_collection, there)| {
                let mut roles: Vec<String> = there.roles.iter().map(|role| role.text()).collect();
                roles.sort();
                RoleCollectionThen { role_collection, predefined: there.predefined, roles }
            })
            .collect())
    }

    /// The version of the catalogue in force, and where it was published
    pub fn catalog(&self, t: EffectiveAt, s: KnownAt) -> Option<(String, Position)> {
        let (position, catalog) = self.state(t, s).catalog?;
        Some((catalog.version().to_string(), position))
    }
}

fn intervals(
    p: &Principal,
    asked: &[(EffectiveAt, Option<EffectiveAt>, Moment, Need)],
) -> Vec<Interval> {
    let mut found: Vec<(EffectiveAt, Option<EffectiveAt>, BTreeSet<Holding>)> = Vec::new();
    for (from, until, moment, need) in asked {
        let Ok(because) = moment.verdict(need, p) else {
            continue;
        };
        match found.last_mut() {
            Some((_, end, all)) if *end == Some(*from) => {
                *end = *until;
                all.extend(because);
            }
            _ => found.push((*from, *until, because)),
        }
    }
    found
        .into_iter()
        .map(|(from, until, because)| Interval {
            span: Span::new(from, until).unwrap(),
            because: because.into_iter().collect(),
        })
        .collect()
}
