//! Which names do ids have, what lies in what, and since when?
//!
//! All records of an import say this together, so it is gathered before any of them is read.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use tenure_core::{Instant, LevelKind, PrincipalKind};

use super::CF;
use super::items::{Item, Kind, guid_at};
use crate::Options;
use crate::fact::{Fact, Holder, LevelSeen, Observation, UserId};
use crate::json::text;

/// What all records say together
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) options: &'a Options,
    /// Names of users with their origins, as far as these are known
    users: HashMap<&'a str, (Option<String>, String)>,
    organization_of: HashMap<&'a str, &'a str>,
    space_of: HashMap<&'a str, &'a str>,
    instance_of: HashMap<&'a str, &'a str>,
    /// The first moment at which a level is known to exist
    since: HashMap<(LevelKind, &'a str), Instant>,
    gone: HashMap<(LevelKind, &'a str), Instant>,
    /// Levels that a listing of levels has
    listed: BTreeSet<(Kind, &'a str)>,
    /// When the listings were made. If nobody says it, it is the newest moment in them, since they are not older
    pub(crate) shown_at: Instant,
}

/// What the text of a level has before its id
fn level_text(kind: LevelKind, guid: &str) -> String {
    format!("{}:{guid}", kind.as_str())
}

/// What happened to a level, as the type of an event says it
pub(crate) fn happened(event: &str) -> Option<(LevelKind, &str)> {
    let (what, verb) = event.strip_prefix("audit.")?.split_once('.')?;
    let kind = match what {
        "organization" => LevelKind::CfOrg,
        "space" => LevelKind::CfSpace,
        "service_instance" | "user_provided_service_instance" => LevelKind::ServiceInstance,
        _ => return None,
    };
    Some((kind, verb))
}

/// Whether the verb of an event says that the level is gone
pub(crate) fn ends(verb: &str) -> bool {
    matches!(verb, "delete" | "delete-request" | "purge")
}

/// The service instance that an event of its credentials is about, as the event says it
fn instance(event: &Value) -> Option<&str> {
    let request = event.pointer("/data/request")?;
    let related = request.pointer("/relationships/service_instance/data").and_then(guid_at);
    related.or_else(|| request.get("service_instance_guid")?.as_str())
}

/// The user that an event is about, as its request says it
pub(crate) fn requested(event: &Value) -> Option<&Value> {
    event.pointer("/data/request/relationships/user/data")
}

impl<'a> Surroundings<'a> {
    pub(crate) fn of(items: &[Item<'a>], options: &'a Options) -> Self {
        let newest = |is_event: bool| {
            let some = items.iter().filter(|item| (item.kind == Kind::Event) == is_event);
            some.filter_map(|item| item.updated.max(item.created)).max()
        };
        let shown_at = options.at.or_else(|| newest(false)).or_else(|| newest(true));
        let mut known = Self {
            options,
            users: HashMap::new(),
            organization_of: HashMap::new(),
            space_of: HashMap::new(),
            instance_of: HashMap::new(),
            since: HashMap::new(),
            gone: HashMap::new(),
            listed: BTreeSet::new(),
            shown_at: shown_at.unwrap_or(Instant::EPOCH),
        };
        for item in items {
            known.take(item);
        }
        // A requested name is one that an account had once. A listing of users comes before it.
        for item in items.iter().filter(|item| item.kind == Kind::Event) {
            known.origin_requested(item);
        }
        // A level is at least as old as what lies in it.
        for (inner, outer) in [
            (LevelKind::ServiceInstance, LevelKind::CfSpace),
            (LevelKind::CfSpace, LevelKind::CfOrg),
        ] {
            let bounds = known.since.iter().filter(|((kind, _), _)| *kind == inner);
            let bounds =
                bounds.filter_map(|((_, guid), at)| Some((known.outer(inner, guid)?, *at)));
            let bounds: Vec<_> = bounds.collect();
            for (guid, at) in bounds {
                known.existed(outer, guid, Some(at));
            }
        }
        known
    }

    fn take(&mut self, item: &Item<'a>) {
        let (event, space) = (item.kind == Kind::Event, item.guid_of("space"));
        let organization = item.guid_of("organization");
        if let (true, Some(space), Some(organization)) = (event, space, organization) {
            self.organization_of.insert(space, organization);
        }
        let Some(guid) = item.guid else { return };
        match item.kind {
            Kind::User => {
                if let Some(name) = item.text("username") {
                    self.users.insert(guid, (item.text("origin"), name));
                }
            }
            Kind::Organization | Kind::Space | Kind::Instance => {
                self.listed.insert((item.kind, guid));
                self.organization_of.extend(Some(guid).zip(item.related("organization")));
                self.space_of.extend(Some(guid).zip(item.related("space")));
                if let Some(kind) = item.kind.level() {
                    self.existed(kind, guid, item.created);
                }
            }
            Kind::Role => {
                for (kind, name) in
                    [(LevelKind::CfSpace, "space"), (LevelKind::CfOrg, "organization")]
                {
                    if let Some(level) = item.related(name) {
                        self.existed(kind, level, item.created);
                    }
                }
            }
            Kind::Binding => {
                if let Some(instance) = item.related("service_instance") {
                    self.instance_of.insert(guid, instance);
                    self.existed(LevelKind::ServiceInstance, instance, item.created);
                }
            }
            Kind::Event => self.take_event(item),
        }
    }

    fn take_event(&mut self, item: &Item<'a>) {
        let type_of = item.value.get("type").and_then(Value::as_str).unwrap_or_default();
        let target = item.guid_of("target");
        let space = item.guid_of("space");
        if let (Some((kind, verb)), Some(target)) = (happened(type_of), target) {
            if kind == LevelKind::ServiceInstance {
                // A shared instance is not used in its own space, but it is created and deleted there.
                self.space_of.extend(space.map(|space| (target, space)));
            }
            if ends(verb) {
                self.gone.extend(item.created.map(|at| ((kind, target), at)));
            } else {
                self.existed(kind, target, item.created);
            }
        }
        if type_of.starts_with("audit.service_binding.")
            || type_of.starts_with("audit.service_key.")
        {
            let instance = instance(item.value);
            if let (Some(target), Some(instance)) = (target, instance) {
                self.instance_of.insert(target, instance);
                self.existed(LevelKind::ServiceInstance, instance, item.created);
                if type_of.starts_with("audit.service_key.") {
                    self.space_of.extend(space.map(|space| (instance, space)));
                }
            }
        }
        if type_of.starts_with("audit.user.") {
            for (kind, level) in
                [(LevelKind::CfSpace, space), (LevelKind::CfOrg, item.guid_of("organization"))]
            {
                if let Some(level) = level {
                    self.existed(kind, level, item.created);
                }
            }
        }
    }

    /// The origin in a request completes a name without origin
    fn origin_requested(&mut self, item: &Item<'a>) {
        let Some(guid) = item.guid_of("target") else { return };
        let origin = requested(item.value).and_then(|user| text(user, "origin"));
        if let Some((known @ None, _)) = self.users.get_mut(guid) {
            *known = origin;
        }
    }

    fn existed(&mut self, kind: LevelKind, guid: &'a str, at: Option<Instant>) {
        let Some(at) = at else { return };
        let since = self.since.entry((kind, guid)).or_insert(at);
        *since = at.min(*since);
    }

    fn outer(&self, kind: LevelKind, guid: &str) -> Option<&'a str> {
        match kind {
            LevelKind::ServiceInstance => self.space_of.get(guid).copied(),
            LevelKind::CfSpace => self.organization_of.get(guid).copied(),
            _ => None,
        }
    }

    /// The instance that a binding is of
    pub(crate) fn instance_of(&self, binding: &str) -> Option<&'a str> {
        self.instance_of.get(binding).copied()
    }

    /// The levels of a kind that were listed and are not gone then
    pub(crate) fn listed(&self, list: Kind, at: Instant) -> impl Iterator<Item = &'a str> {
        let there =
            move |guid: &&str| list.level().is_some_and(|kind| !self.is_gone(kind, guid, at));
        let listed = self.listed.iter().filter(move |(kind, _)| *kind == list);
        listed.map(|(_, guid)| *guid).filter(there)
    }

    fn is_gone(&self, kind: LevelKind, guid: &str, at: Instant) -> bool {
        self.gone.get(&(kind, guid)).is_some_and(|gone| *gone <= at)
            || self
                .outer(kind, guid)
                .zip(outer_kind(kind))
                .is_some_and(|(outer, kind)| self.is_gone(kind, outer, at))
    }

    /// A user by the id, with the name that a listing has
    pub(crate) fn user(&self, guid: &str) -> Option<Holder> {
        let (origin, name) = self.users.get(guid)?;
        Some(Holder { id: Some(id(guid)), ..Holder::user(origin.clone(), name.clone()) })
    }

    /// A user by the id alone, or with a name if no listing and no map names the id
    pub(crate) fn holder(
        &self,
        guid: &str,
        name: Option<String>,
        origin: Option<String>,
    ) -> Holder {
        let is_known = self.users.contains_key(guid) || self.options.map.users.contains_key(guid);
        // A name of a known account is that of the time only if its origin is said with it.
        let (origin, name) = match (is_known, &origin) {
            (true, None) => (None, None),
            _ => (origin.filter(|_| name.is_some()), name),
        };
        Holder { kind: PrincipalKind::User, origin, name, id: Some(id(guid)) }
    }

    /// A level with those above it, the outermost first, without those that are gone then
    pub(crate) fn levels(&self, kind: LevelKind, guid: &str, at: Instant) -> Vec<LevelSeen> {
        let mut levels = Vec::new();
        if let Some((outer, kind)) = self.outer(kind, guid).zip(outer_kind(kind)) {
            levels = self.levels(kind, outer, at);
        }
        if !self.is_gone(kind, guid, at) {
            levels.push(self.seen(kind, guid));
        }
        levels
    }

    /// The same as a fact
    pub(crate) fn shown(&self, kind: LevelKind, guid: &str, at: Instant) -> Fact {
        let seen = self.levels(kind, guid, at);
        Fact::Observation(Observation::Levels { seen, complete: None })
    }

    /// A level that a record is about, with its name; `None` if it is gone by then
    pub(crate) fn described(
        &self,
        kind: LevelKind,
        guid: &str,
        name: Option<String>,
        at: Instant,
    ) -> Option<Fact> {
        let mut seen = self.levels(kind, guid, at);
        let own = level_text(kind, guid);
        seen.last_mut().filter(|seen| seen.level == own)?.name = name;
        Some(Fact::Observation(Observation::Levels { seen, complete: None }))
    }

    fn seen(&self, kind: LevelKind, guid: &str) -> LevelSeen {
        let outer = self.outer(kind, guid).zip(outer_kind(kind));
        let parent = outer.map(|(outer, kind)| level_text(kind, outer));
        LevelSeen {
            level: level_text(kind, guid),
            kind,
            parent: if kind == LevelKind::CfOrg { self.options.on.clone() } else { parent },
            global_account: None,
            name: None,
            authorizations: None,
            region: None,
            created: self.since.get(&(kind, guid)).copied(),
            created_by: None,
            changed_by: None,
            dying: false,
        }
    }
}

fn outer_kind(kind: LevelKind) -> Option<LevelKind> {
    match kind {
        LevelKind::ServiceInstance => Some(LevelKind::CfSpace),
        LevelKind::CfSpace => Some(LevelKind::CfOrg),
        _ => None,
    }
}

fn id(guid: &str) -> UserId {
    UserId { space: CF.to_owned(), id: guid.to_owned() }
}
