//! May a submitter make these changes?
//!
//! From the state as of (`recorded_at`, the position before the entry), and nothing else.
//!
//! Rules: `docs/semantics.md#access`.

use std::collections::BTreeMap;
use std::rc::Rc;

use tenure_core::LedgerOperation::{self, Administer, Append};
use tenure_core::{
    Access, Change, EffectiveAt, Entry, GrantableText, KnownAt, Level, LevelKind, Outcome,
    Principal, Reason, RecordedAt, RoleText,
};

use super::Oracle;
use super::state::{Deed, Granted, Key, RoleName, State};
use crate::world;

/// The level of the ledger that scenarios are about
pub(super) fn ledger() -> Level {
    Level::of_ledger(world::LEDGER)
}

/// The ledger's own roles at levels of a kind
pub(super) fn own_roles(kind: LevelKind) -> Vec<RoleName> {
    let mut names = vec!["Administrator", "Submitter", "Auditor"];
    names.extend((kind == LevelKind::Ledger).then_some("Door"));
    names.into_iter().map(own_role).collect()
}

fn own_role(name: &str) -> RoleName {
    RoleName { application: "tenure".into(), name: name.into() }
}

/// The names of the roles of which an operation asks for one
pub(super) fn roles_of(operation: LedgerOperation) -> &'static [&'static str] {
    match operation {
        Administer => &["Administrator"],
        Append => &["Submitter", "Administrator"],
        LedgerOperation::Read => &["Auditor", "Administrator"],
    }
}

/// Whether a text names a role of `tenure`
pub(super) fn is_own(text: &RoleText) -> bool {
    text.application.as_deref() == Some("tenure")
}

/// Whether it is what whoever governs holds
pub(super) fn governs(key: &Key) -> bool {
    key.granted == Granted::Role(own_role("Administrator")) && key.level == ledger()
}

fn is_right(key: &Key) -> bool {
    matches!(&key.granted, Granted::Role(role) if *role.application == *"tenure")
}

/// Those who sign in and administer the ledger for ever
pub(super) fn governors(state: &State) -> Vec<Principal> {
    let governing = state.holdings.iter().filter(|(key, terms)| {
        let text = key.principal.as_str();
        let own_client = text.starts_with("client:tenure/") || text.starts_with("client:nats/");
        governs(key)
            && terms.until.is_none()
            && (text.starts_with("user:") || text.starts_with("client:"))
            && !own_client
    });
    governing.map(|(key, _)| key.principal.clone()).collect()
}

/// A submitter at the moment at which its entry is recorded
struct Asked<'a> {
    oracle: &'a Oracle,
    before: KnownAt,
    state: Rc<State>,
    submitter: &'a Principal,
}

type Need = (LedgerOperation, Level);

impl Oracle {
    /// What the newest counted change of `access` says
    pub(super) fn access(&self, s: KnownAt) -> Access {
        let mut access = Access::Open;
        for fact in self.counted(s).into_iter().flat_map(|line| &line.facts) {
            if let Deed::SetLevel { level, attributes } = &fact.deed
                && *level == ledger()
                && let Some(said) = attributes.access
            {
                access = said;
            }
        }
        access
    }

    /// Whether a principal holds, anywhere, a role that lets it append
    pub fn may_append_somewhere(&self, principal: &Principal, t: EffectiveAt, s: KnownAt) -> bool {
        self.state(t, s).holdings.keys().any(|key| {
            let role = |name: &&str| key.granted == Granted::Role(own_role(name));
            key.principal == *principal && roles_of(Append).iter().any(role)
        })
    }

    /// Whether a client may speak for others in the next entry
    pub fn is_door(&self, before: KnownAt, client: &Principal, recorded_at: RecordedAt) -> bool {
        let now = EffectiveAt::saturating_from_micros(recorded_at.micros());
        self.state(now, before).holdings.keys().any(|key| {
            let door = key.granted == Granted::Role(own_role("Door"));
            door && key.principal == *client && key.level == ledger()
        })
    }

    /// The first change that the submitter of an entry may not make
    pub(super) fn forbidden(
        &self,
        before: KnownAt,
        recorded_at: RecordedAt,
        submitter: &Principal,
        entry: &Entry,
    ) -> Option<(usize, Reason)> {
        let local = submitter.as_str() == "client:tenure/local";
        if self.access(before) == Access::Open || local {
            return None;
        }
        let now = EffectiveAt::saturating_from_micros(recorded_at.micros());
        let asked = Asked { oracle: self, before, state: self.state(now, before), submitter };
        let found = match entry.changes() {
            [Change::Void { entry, .. }] => {
                let need = (Administer, ledger());
                let own = self.owner(*entry).filter(|line| {
                    line.outcome == Outcome::Applied && line.submitter == *submitter
                });
                let own = own.and_then(|line| line.entry.as_ref());
                let own = own.filter(|own| !matches!(own.changes(), [Change::Void { .. }]));
                let as_if_now = own.is_some_and(|own| asked.first(own.changes()).is_none());
                (!asked.may(&need) && !as_if_now).then_some((0, need))
            }
            changes => asked.first(changes),
        };
        found.map(|(n, (operation, at))| (n, Reason::Forbidden { operation, at }))
    }
}

impl Asked<'_> {
    fn may(&self, (operation, level): &Need) -> bool {
        let levels = self.state.upwards(level);
        self.state.holdings.keys().any(|key| {
            let role = |name: &&str| key.granted == Granted::Role(own_role(name));
            key.principal == *self.submitter
                && levels.contains(&key.level)
                && roles_of(*operation).iter().any(role)
        })
    }

    fn first(&self, changes: &[Change]) -> Option<(usize, Need)> {
        let mut created: BTreeMap<Level, Level> = BTreeMap::new();
        for (n, change) in changes.iter().enumerate() {
            let at = |level: &Level| match created.get(level) {
                Some(place) => place.clone(),
                None if self.state.exists(level) => level.clone(),
                None => ledger(),
            };
            let needs = self.needs(change, at);
            if let Some(need) = needs.into_iter().find(|need| !self.may(need)) {
                return Some((n, need));
            }
            if let Change::CreateLevel { level, parent, .. } = change {
                let place = parent.as_ref().map_or_else(ledger, at);
                created.entry(level.clone()).or_insert(place);
            }
        }
        None
    }

    fn needs(&self, change: &Change, at: impl Fn(&Level) -> Level) -> Vec<Need> {
        let below = |level: &Level| {
            let doomed = self.state.subtree(level);
            self.state.holdings.keys().any(|key| is_right(key) && doomed.contains(&key.level))
        };
        let besides = |level: &Level, at: Vec<Level>| -> Vec<Need> {
            let asked: &[_] = if below(level) { &[Append, Administer] } else { &[Append] };
            asked.iter().flat_map(|one| at.iter().map(|at| (*one, at.clone()))).collect()
        };
        match change {
            Change::Grant { level, grantable: GrantableText::Role(text), .. }
            | Change::Revoke { level, grantable: GrantableText::Role(text), .. }
                if is_own(text) =>
            {
                vec![(Administer, at(level))]
            }
            Change::SetLevel { level, .. } if *level == ledger() => vec![(Administer, ledger())],
            Change::CreateLevel { parent, .. } => {
                vec![(Append, parent.as_ref().map_or_else(ledger, at))]
            }
            Change::DeleteLevel { level } => besides(level, vec![at(level)]),
            Change::MoveLevel { level, parent } => besides(level, vec![at(level), at(parent)]),
            Change::RemovePrincipal { principal } => {
                let counted = self.oracle.counted(self.before);
                let given = counted.iter().flat_map(|line| &line.facts).any(|fact| {
                    matches!(&fact.deed, Deed::Grant { key, .. }
                        if is_right(key) && key.principal == *principal)
                });
                let administer = given.then(|| (Administer, ledger()));
                [(Append, ledger())].into_iter().chain(administer).collect()
            }
            Change::Void { .. } => vec![(Administer, ledger())],
            Change::SetLevel { level, .. }
            | Change::CreateRole { level, .. }
            | Change::DeleteRole { level, .. }
            | Change::CreateRoleCollection { level, .. }
            | Change::SetRoles { level, .. }
            | Change::DeleteRoleCollection { level, .. }
            | Change::Grant { level, .. }
            | Change::Revoke { level, .. }
            | Change::SetPermission { level, .. }
            | Change::DeletePermission { level, .. }
            | Change::Observe { level, .. } => vec![(Append, at(level))],
            Change::AddMember { .. }
            | Change::RemoveMember { .. }
            | Change::SetRule { .. }
            | Change::PublishCatalog { .. } => vec![(Append, ledger())],
        }
    }
}
