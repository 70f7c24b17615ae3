//! What can a record of any source say?
//!
//! A [`Fact`] is an event or an observation. An event changed something at the time of its record. An
//! observation shows how something was at that time, as a whole or in part. Facts know neither the
//! format of a source nor the ledger.

mod seen;

pub(crate) use seen::{
    CollectionSeen, Holder, IdpSeen, LevelSeen, MappingSeen, RoleDefinition, RoleSeen, UserSeen,
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
    InZone(Zone, ZoneEvent),
}

/// Something that changed in a zone
#[derive(Debug)]
pub(crate) enum ZoneEvent {
    Assigned {
        collection: String,
        to: Holder,
    },
    /// The actor of the record got that role collection
    AssignedToActor(String),
    /// The holder does not hold that role collection, whether or not it held it before
    Unassigned {
        collection: String,
        from: Holder,
    },
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
        /// Whether nobody else did
        all: bool,
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
