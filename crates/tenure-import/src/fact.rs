//! What can a record of any source say?
//!
//! A [`Fact`] is an event or an observation. An event changed something at the time of its record. An
//! observation shows how something was at that time, as a whole or in part. Facts know neither the
//! format of a source nor the ledger.

mod seen;

use tenure_core::Instant;
use tenure_wire::v1::Change;

pub(crate) use seen::{
    CollectionSeen, Held, Holder, HoldingSeen, IdpSeen, LevelSeen, MappingSeen, Page,
    RoleDefinition, RoleSeen, UserId, UserSeen,
};

/// One thing that a record says
#[derive(Debug)]
pub(crate) enum Fact {
    Event(Event),
    Observation(Observation),
}

impl Fact {
    /// Something changed in a zone
    pub(crate) fn event(zone: Zone, event: ZoneEvent) -> Self {
        Self::Event(Event::InZone(zone, event))
    }

    /// Something in a zone was so
    pub(crate) fn observation(zone: Zone, observation: ZoneObservation) -> Self {
        Self::Observation(Observation::InZone(zone, observation))
    }

    /// The holders that it names
    pub(crate) fn holders(&self) -> Vec<&Holder> {
        match self {
            Self::Event(Event::InZone(_, ZoneEvent::Assigned { to: holder, .. }))
            | Self::Event(Event::InZone(_, ZoneEvent::Unassigned { from: holder, .. }))
            | Self::Event(Event::InZone(_, ZoneEvent::UserDeleted(holder))) => vec![holder],
            Self::Observation(Observation::InZone(_, seen)) => match seen {
                ZoneObservation::User(seen) => vec![&seen.user],
                ZoneObservation::Holders { users, .. } => users.iter().flatten().collect(),
                ZoneObservation::Holdings { seen, .. } => {
                    seen.iter().map(|seen| &seen.holder).collect()
                }
                _ => Vec::new(),
            },
            Self::Observation(Observation::Known(users)) => users.iter().collect(),
            Self::Observation(Observation::Members { members, .. }) => members.iter().collect(),
            Self::Event(_) | Self::Observation(_) => Vec::new(),
        }
    }

    /// Whether the event is a write to what a holder holds
    pub(crate) fn writes_to(&self, holder: &Holder) -> bool {
        match self {
            Self::Event(Event::InZone(_, ZoneEvent::Assigned { to: written, .. }))
            | Self::Event(Event::InZone(_, ZoneEvent::Unassigned { from: written, .. })) => {
                written == holder
            }
            _ => false,
        }
    }
}

/// A level that has role collections, roles and holders
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Zone {
    /// By its subdomain
    GlobalAccount(String),
    /// By its text
    Level(String),
    /// By its identity zone, as the text of the subaccount with the zone's id; the level may be another one with that id
    Identity(String),
}

/// Something that changed
#[derive(Debug)]
pub(crate) enum Event {
    /// The deletion of a level was accepted. The level is there until an observation shows that it is gone
    LevelDeletionAsked {
        level: String,
        /// The global account that the level lies in, where the record says it
        global_account: Option<String>,
    },
    LevelDeleted(String),
    InZone(Zone, ZoneEvent),
    /// An account has another name from now on
    Renamed {
        from: Holder,
        to: Holder,
    },
    /// What the source says in the ledger's own words
    Said {
        changes: Vec<Change>,
        not_before: Option<Instant>,
        /// Why, in the words of the source
        reason: Option<String>,
        /// Whether a role collection that is granted and that the ledger lacks is created by its name alone
        by_name: bool,
    },
}

/// Something that changed in a zone
#[derive(Debug)]
pub(crate) enum ZoneEvent {
    Assigned {
        held: Held,
        to: Holder,
        /// When it ends by itself
        until: Option<Instant>,
    },
    /// The actor of the record got that role collection
    AssignedToActor(String),
    /// The holder does not hold it, whether or not it held it before
    Unassigned {
        held: Held,
        from: Holder,
    },
    /// The user is gone, and with it all that it held
    UserDeleted(Holder),
    CollectionCreated(CollectionSeen),
    CollectionDeleted(String),
    RoleAdded {
        collection: String,
        role: RoleSeen,
    },
    RoleRemoved {
        collection: String,
        role: RoleSeen,
    },
    RoleCreated(RoleDefinition),
    RoleDeleted(RoleSeen),
}

/// Something that was so
#[derive(Debug)]
pub(crate) enum Observation {
    /// The global account with that subdomain is that level
    Subdomain {
        subdomain: String,
        level: String,
    },
    /// These levels were there
    Levels {
        seen: Vec<LevelSeen>,
        /// Where the list is complete, if it is
        complete: Option<Complete>,
    },
    /// The level was not there
    NoLevel(String),
    InZone(Zone, ZoneObservation),
    /// There are these users, perhaps with others: names for ids
    Known(Vec<Holder>),
    /// A group had these members
    Members {
        group: Holder,
        members: Vec<Holder>,
        /// Whether it had no others
        all: bool,
    },
    /// The source told all that changed at a level since then
    Covered {
        zone: Zone,
        /// Whether it told that of all that lies below too
        subtree: bool,
        from: Instant,
    },
}

/// The global account whose subaccounts a list has all of
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Complete {
    /// The subdomain of the global account
    pub(crate) subdomain: String,
    /// Whether the list has all directories too
    pub(crate) directories: bool,
}

/// Something that was so in a zone
#[derive(Debug)]
pub(crate) enum ZoneObservation {
    /// These role collections were there, and no other
    Collections(Vec<CollectionSeen>),
    Collection(CollectionSeen),
    /// The role collection was not there
    NoCollection(String),
    /// These roles were there, perhaps with others
    Roles(Vec<RoleDefinition>),
    /// The zone trusted these identity providers, perhaps with others
    Trust(Vec<IdpSeen>),
    /// These users held the role collection directly
    Holders {
        collection: String,
        /// `None` is a user whose name is not known
        users: Vec<Option<Holder>>,
        /// Which part of all holders this is; `None` if others may have held it too
        page: Option<Page>,
    },
    /// These holders held what is named
    Holdings {
        seen: Vec<HoldingSeen>,
        /// Whether nobody held anything else there directly
        all: bool,
        /// Whether it was only meant to be so, as a plan says it
        intent: bool,
    },
    /// The role collection was mapped to these groups and attribute values, and to no other
    Mappings {
        collection: String,
        mappings: Vec<MappingSeen>,
    },
    User(UserSeen),
    /// There was no such user
    NoUser(Holder),
    /// The origin had these users, and no other
    Users {
        origin: Option<String>,
        names: Vec<String>,
    },
}
