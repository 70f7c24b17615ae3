//! May a submitter make these changes?
//!
//! While access is enforced, each change asks for an operation of the ledger at a level. What the submitter holds is
//! looked up as of the time at which the entry is recorded, by what was known at the position before. So no entry
//! gives its own submitter a right, and a back-dated entry borrows none that is gone.
//!
//! Rules: `docs/semantics.md#access`.

use std::collections::BTreeMap;

use imbl::Vector;

use crate::history::edge::Edge;
use crate::index::timeline::Of;
use crate::ledger::Ledger;
use crate::ledger::kept::Kept;
use crate::ledger::moment::{Given, Moment};
use crate::ledger::view::View;
use crate::words::change::{Change, Entry, EntryId};
use crate::words::grantable::{Grantable, GrantableText, RoleKey};
use crate::words::instant::{EffectiveAt, RecordedAt};
use crate::words::level::{Access, Attributes, Level};
use crate::words::outcome::{OutcomeKind, Reason, Refusal};
use crate::words::position::{KnownAt, Position};
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::symbol::{LevelRef, PrincipalRef};
use crate::words::tenure;
use crate::words::tenure::LedgerOperation::{self, Administer, Append};

/// Every applied change of `access`, in log order
#[derive(Clone, Debug, Default)]
pub(crate) struct AccessChanges(Vector<(Position, Access)>);

impl AccessChanges {
    /// Notes what an applied change of a level says of access
    pub(crate) fn note(&mut self, position: Position, attributes: &Attributes) {
        self.0.extend(attributes.access.map(|access| (position, access)));
    }

    /// The newest one that counts
    fn newest(&self, counts: impl Fn(Position) -> bool) -> Option<Access> {
        let newest = self.0.iter().rev().find(|(position, _)| counts(*position));
        newest.map(|(_, access)| *access)
    }
}

/// What a change asks for, and where
type Asked = (LedgerOperation, LevelRef);

fn one(operation: LedgerOperation, at: LevelRef) -> [Option<Asked>; 2] {
    [Some((operation, at)), None]
}

impl Ledger {
    /// The access in force for the entry after a position
    ///
    /// # Cost
    /// O(1) where access was never set, else O(voided changes of it).
    pub(crate) fn access(&self, before: KnownAt) -> Access {
        self.access.newest(|position| self.counts(position, before)).unwrap_or_default()
    }

    /// Whether access is enforced, as known at a position
    ///
    /// # Cost
    /// O(1) where access was never set, else O(voided changes of it).
    pub fn enforces_access(&self, known_at: KnownAt) -> bool {
        self.access(known_at) == Access::Enforced
    }

    /// Whether a principal holds what an operation of the ledger asks for at a level, or at the ledger itself if there is
    /// no such level then
    ///
    /// # Cost
    /// O(depth × changes of what the principal held of `tenure` there).
    pub fn may(
        &self,
        principal: &Principal,
        operation: LedgerOperation,
        at: Option<&Level>,
        t: EffectiveAt,
        known_at: KnownAt,
    ) -> bool {
        let view = View::of(self, known_at);
        let rights = Rights {
            ledger: self,
            now: Moment::new(&view, t),
            submitter: self.find_principal(principal),
        };
        let place = rights.place(at, &Created::default());
        rights.may((operation, place))
    }

    /// Whether a principal may append anything anywhere, if access is enforced
    ///
    /// # Cost
    /// O(what the principal ever held).
    pub fn may_append_somewhere(
        &self,
        principal: &Principal,
        t: EffectiveAt,
        known_at: KnownAt,
    ) -> bool {
        let Some(principal) = self.find_principal(principal) else { return false };
        let view = View::of(self, known_at);
        let now = Moment::new(&view, t);
        self.index.of_principal(principal).any(|timeline| {
            let appends = matches!(
                self.index.timeline(timeline).of,
                Of::Holding {
                    grantable: Grantable::Role(tenure::SUBMITTER | tenure::ADMINISTRATOR),
                    ..
                }
            );
            appends && now.counting(Given { timeline, custom: false }, principal).is_some()
        })
    }

    /// Whether a client may speak for others in the next entry: it holds `tenure/Door` at the ledger itself
    ///
    /// # Cost
    /// O(changes of what the client held of that role).
    pub fn is_door(&self, client: &Principal, recorded_at: RecordedAt) -> bool {
        let Some(submitter) = self.find_principal(client) else { return false };
        let view = View::of(self, KnownAt(self.places.len()));
        let now = EffectiveAt::saturating_from_micros(recorded_at.micros());
        let rights =
            Rights { ledger: self, now: Moment::new(&view, now), submitter: Some(submitter) };
        rights.holds(submitter, tenure::DOOR, LevelRef::LEDGER)
    }

    /// The first change of the next entry that its submitter may not make, if there is one
    ///
    /// # Errors
    /// The entry that is to be voided cannot be read.
    /// # Cost
    /// O(1) while access is open. Else O(depth) a change. For a submitter that may append and not administer, also: where a
    /// level is deleted or moved, O(levels at which a role of `tenure` was ever granted × depth); where a principal is
    /// removed, O(what it ever held).
    pub(crate) fn forbidden<K: Kept>(
        &self,
        recorded_at: RecordedAt,
        submitter: &Principal,
        entry: &Entry,
        kept: &K,
    ) -> Result<Option<Refusal>, K::Error> {
        let before = KnownAt(self.places.len());
        if self.access(before) == Access::Open || *submitter == Principal::local() {
            return Ok(None);
        }
        let view = View::of(self, before);
        let now = EffectiveAt::saturating_from_micros(recorded_at.micros());
        let rights = Rights {
            ledger: self,
            now: Moment::new(&view, now),
            submitter: self.find_principal(submitter),
        };
        if let [Change::Void { entry, .. }] = entry.changes() {
            let asked = (Administer, LevelRef::LEDGER);
            if rights.may(asked) {
                return Ok(None);
            }
            let own = rights.own_entry(*entry).map(|target| kept.entry(target)).transpose()?;
            let own = own.flatten().filter(|own| !is_void(own));
            let may = own.is_some_and(|own| rights.first_forbidden(own.changes()).is_none());
            return Ok((!may).then(|| rights.refusal(0, asked)));
        }
        let found = rights.first_forbidden(entry.changes());
        Ok(found.map(|(change, asked)| rights.refusal(change, asked)))
    }
}

/// Those who sign in and administer the ledger without an end
///
/// # Cost
/// O(principals that ever held the role × their changes of it).
pub(crate) fn governors(view: &View<'_>, t: EffectiveAt) -> Vec<PrincipalRef> {
    let ledger = view.ledger;
    let administrator = Grantable::Role(tenure::ADMINISTRATOR);
    let timeline = ledger.index.find_holding_timeline(LevelRef::LEDGER, administrator);
    let Some(timeline) = timeline else { return Vec::new() };
    let holders = Moment::new(view, t).holders(Given { timeline, custom: false });
    let governs = |holder: &PrincipalRef| {
        let running = view.running(timeline, *holder, t);
        signs_in(ledger.principal_of(*holder))
            && running.is_some_and(|running| running.terms.until.is_none())
    };
    holders.iter().map(|number| ledger.numbered(number)).filter(governs).collect()
}

/// Whether it is somebody for whom an issuer or a token can vouch over HTTP
fn signs_in(principal: &Principal) -> bool {
    match principal.kind() {
        PrincipalKind::User => true,
        PrincipalKind::Client => !matches!(principal.origin(), "tenure" | "nats"),
        _ => false,
    }
}

fn is_void(entry: &Entry) -> bool {
    matches!(entry.changes(), [Change::Void { .. }])
}

/// What a submitter may, when its entry is recorded
struct Rights<'v> {
    ledger: &'v Ledger,
    now: Moment<'v>,
    /// `None` if nothing was ever known of it: then it holds nothing
    submitter: Option<PrincipalRef>,
}

impl Rights<'_> {
    fn refusal(&self, change: usize, (operation, at): Asked) -> Refusal {
        let at = self.ledger.level_of(at).clone();
        Refusal { change: Some(change), reason: Reason::Forbidden { operation, at } }
    }

    /// Whether the submitter holds one of the roles that are asked for, at the level or above it
    fn may(&self, (operation, at): Asked) -> bool {
        let Some(submitter) = self.submitter else { return false };
        self.now.land.upwards(at).any(|(level, _)| {
            let mut roles = operation.roles().iter();
            roles.any(|role| self.holds(submitter, *role, level))
        })
    }

    fn holds(&self, principal: PrincipalRef, role: RoleKey, level: LevelRef) -> bool {
        let timeline = self.ledger.index.find_holding_timeline(level, Grantable::Role(role));
        let given = timeline.map(|timeline| Given { timeline, custom: false });
        given.is_some_and(|given| self.now.counting(given, principal).is_some())
    }

    /// The position of an applied entry that the submitter itself handed in
    fn own_entry(&self, id: EntryId) -> Option<Position> {
        let owner = self.ledger.owner(id)?;
        let applied = self.ledger.outcome(owner) == Some(OutcomeKind::Applied);
        let submitter = self.submitter?;
        (applied && self.ledger.submitted(submitter, owner)).then_some(owner)
    }

    /// The first of these changes that asks for what the submitter does not hold, with what it asks for
    fn first_forbidden(&self, changes: &[Change]) -> Option<(usize, Asked)> {
        let mut created = Created::default();
        for (n, change) in changes.iter().enumerate() {
            let lacking = self.lacking(self.asked_by(change, &created));
            if let Some(asked) = lacking.or_else(|| self.lacking_besides(change, &created)) {
                return Some((n, asked));
            }
            if let Change::CreateLevel { level, parent, .. } = change {
                let place = self.place(parent.as_ref(), &created);
                created.entry(level).or_insert(place);
            }
        }
        None
    }

    /// The first of these that the submitter may not
    fn lacking(&self, asked: [Option<Asked>; 2]) -> Option<Asked> {
        asked.into_iter().flatten().find(|asked| !self.may(*asked))
    }

    /// What a change asks for, whoever holds what: one thing, or two
    fn asked_by(&self, change: &Change, created: &Created<'_>) -> [Option<Asked>; 2] {
        let place = |level: &Level| self.place(Some(level), created);
        match change {
            Change::CreateLevel { parent, .. } => one(Append, self.place(parent.as_ref(), created)),
            Change::MoveLevel { level, parent } => {
                [Some((Append, place(level))), Some((Append, place(parent)))]
            }
            Change::SetLevel { level, .. } if self.ledger.is_own_level(level) => {
                one(Administer, LevelRef::LEDGER)
            }
            Change::Grant { level, grantable: GrantableText::Role(role), .. }
            | Change::Revoke { level, grantable: GrantableText::Role(role), .. }
                if role.is_own() =>
            {
                one(Administer, place(level))
            }
            // The entry that is to be voided is looked at before.
            Change::Void { .. } => one(Administer, LevelRef::LEDGER),
            _ => one(Append, change.level().map_or(LevelRef::LEDGER, place)),
        }
    }

    /// The first thing that a change asks for besides, where it would touch rights over the ledger
    ///
    /// To find that out costs the most. So it is done last, and only for a submitter that lacks what would be asked:
    /// a submitter without any right costs next to nothing.
    fn lacking_besides(&self, change: &Change, created: &Created<'_>) -> Option<Asked> {
        let administer = |level: &Level| Some((Administer, self.place(Some(level), created)));
        match change {
            Change::MoveLevel { level, parent } => {
                let lacking = self.lacking([administer(level), administer(parent)]);
                lacking.filter(|_| self.is_governed_below(level))
            }
            Change::DeleteLevel { level } => {
                let lacking = self.lacking([administer(level), None]);
                lacking.filter(|_| self.is_governed_below(level))
            }
            Change::RemovePrincipal { principal } => {
                let lacking = self.lacking(one(Administer, LevelRef::LEDGER));
                lacking.filter(|_| self.was_given_rights(principal))
            }
            _ => None,
        }
    }

    /// Where a change of a level is asked: there, or where the creation of the level was asked if that comes before it in
    /// the same entry; at the ledger if there is no such level
    fn place(&self, level: Option<&Level>, created: &Created<'_>) -> LevelRef {
        let Some(level) = level else { return LevelRef::LEDGER };
        let there = |level: &LevelRef| self.now.land.level(*level).is_some();
        let existing = || self.ledger.find_level(level).filter(there);
        created.get(level).copied().or_else(existing).unwrap_or(LevelRef::LEDGER)
    }

    /// Whether somebody holds a role of `tenure` at a level or below it
    fn is_governed_below(&self, level: &Level) -> bool {
        let Some(root) = self.ledger.find_level(level) else { return false };
        let index = &self.ledger.index;
        index.own_roles().any(|timeline| {
            let Of::Holding { level, .. } = index.timeline(timeline).of else { return false };
            self.now.land.upwards(level).any(|(above, _)| above == root)
                && !self.now.holders(Given { timeline, custom: false }).is_empty()
        })
    }

    /// Whether a counted grant of a role of `tenure` names a principal
    fn was_given_rights(&self, principal: &Principal) -> bool {
        let index = &self.ledger.index;
        let Some(principal) = self.ledger.find_principal(principal) else { return false };
        index.of_principal(principal).any(|timeline| {
            let own = matches!(index.timeline(timeline).of,
                Of::Holding { grantable, .. } if grantable.is_own());
            own && self.now.view.history(timeline, principal).is_some_and(|history| {
                history.changes.iter().any(|(key, edge)| {
                    matches!(edge, Edge::Start { .. }) && self.now.view.counts(key.position)
                })
            })
        })
    }
}

/// The levels that earlier changes of an entry create, and where their creation was asked
type Created<'c> = BTreeMap<&'c Level, LevelRef>;
