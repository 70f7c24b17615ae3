//! Who gets and loses role collections and roles, and who is seen to hold them?
//!
//! An assignment and its end become a grant and a revoke at their second. A revoke expects nothing: a source can report
//! that somebody lost what that person never had. Everything else that shows holders is an observation. It is compared
//! with the ledger (see [`super::drift`]).
//!
//! A mapping names its identity provider by a display name or its host. The origin comes from the trust list of the
//! zone, for a directory from that of its global account.

use std::collections::BTreeSet;

use tenure_core::{Instant, PrincipalKind};
use tenure_wire::v1::{Change, RevokeExpects};

use super::drift::{CHANGES_MAX, Pair, Scope, Sight};
use super::levels::above;
use super::listed::Part;
use super::run::Run;
use crate::ImportError;
use crate::fact::{Held, Holder, HoldingSeen, MappingSeen, Page, UserSeen};

/// The grant of a role collection or a role
pub(crate) fn grant(level: &str, held: &Held, to: &str, until: Option<Instant>) -> Change {
    let (role_collection, role) = names(held);
    let (level, to, until) =
        (level.to_owned(), to.to_owned(), until.map(|until| until.to_string()));
    Change::Grant { level, role_collection, role, to, until, expect: None }
}

/// The revoke of a role collection or a role, whether or not it is held
pub(crate) fn revoke(level: &str, held: &Held, from: &str) -> Change {
    let (role_collection, role) = names(held);
    let (level, from, expect) = (level.to_owned(), from.to_owned(), Some(RevokeExpects::Any));
    Change::Revoke { level, role_collection, role, from, expect }
}

/// The name of a role collection, or that of a role
fn names(held: &Held) -> (Option<String>, Option<String>) {
    match held {
        Held::Collection(name) => (Some(name.clone()), None),
        Held::Role(name) => (None, Some(name.clone())),
    }
}

impl Run<'_> {
    /// False if the holder has no name
    pub(crate) fn assigned(
        &mut self,
        level: &str,
        held: &Held,
        to: &Holder,
        until: Option<Instant>,
    ) -> Result<bool, ImportError> {
        let Some(principal) = self.named(to) else {
            return Ok(false);
        };
        self.grant(level, held, &principal, until)?;
        Ok(true)
    }

    /// False if the holder has no name
    pub(crate) fn unassigned(
        &mut self,
        level: &str,
        held: &Held,
        from: &Holder,
    ) -> Result<bool, ImportError> {
        let Some(principal) = self.named(from) else {
            return Ok(false);
        };
        let change = revoke(level, held, &principal);
        self.append(self.record.reason(), vec![change])?;
        Ok(true)
    }

    pub(crate) fn grant(
        &mut self,
        level: &str,
        held: &Held,
        principal: &str,
        until: Option<Instant>,
    ) -> Result<(), ImportError> {
        if self.ensure_held(level, held)? {
            let change = grant(level, held, principal, until);
            self.append(self.record.reason(), vec![change])?;
        }
        Ok(())
    }

    /// Creates a role collection by its name alone, unless the ledger has it. A role is not made up: the ledger refuses
    /// one that it does not know
    pub(crate) fn ensure_held(&mut self, level: &str, held: &Held) -> Result<bool, ImportError> {
        if let Held::Collection(name) = held {
            self.ensure_collection(level, name)?;
        }
        Ok(true)
    }

    /// Compares all role collections of a user
    pub(crate) fn user_seen(&mut self, level: &str, seen: &UserSeen) -> Result<(), ImportError> {
        let Some(principal) = self.named(&seen.user) else {
            return Ok(());
        };
        let because = self.since_last_sight(level, &principal, seen);
        let collections = seen.collections.iter();
        let observed: BTreeSet<Pair> =
            collections.map(|name| (principal.clone(), Held::Collection(name.clone()))).collect();
        let all = |_: &BTreeSet<Pair>| observed.clone();
        self.observe(level, &Scope::Principal(principal.clone()), &Sight::new(because, &all))
    }

    /// A user was deleted: it holds nothing from now on. False if it has no name
    pub(crate) fn user_deleted(&mut self, level: &str, user: &Holder) -> Result<bool, ImportError> {
        let Some(principal) = self.named(user) else {
            return Ok(false);
        };
        let held = self.held_now(level, &Scope::Principal(principal.clone()))?;
        let changes: Vec<Change> =
            held.iter().map(|(_, held)| revoke(level, held, &principal)).collect();
        if changes.is_empty() {
            self.known_already("a user is deleted who holds nothing in the ledger");
        }
        for part in changes.chunks(CHANGES_MAX) {
            self.append(self.record.reason(), part.to_vec())?;
        }
        Ok(true)
    }

    /// A user who does not exist holds nothing
    pub(crate) fn no_user(&mut self, level: &str, user: &Holder) -> Result<(), ImportError> {
        let Some(principal) = self.named(user) else {
            return Ok(());
        };
        let none = |_: &BTreeSet<Pair>| BTreeSet::new();
        let sight = Sight::new("there is no such user".to_owned(), &none);
        self.observe(level, &Scope::Principal(principal), &sight)
    }

    /// What a user's version says about the time since the user was last observed
    fn since_last_sight(&mut self, level: &str, principal: &str, seen: &UserSeen) -> String {
        // The version also counts what the record itself wrote.
        let writes =
            self.record.facts.iter().filter(|fact| fact.writes_to(&seen.user)).count() as u64;
        let version = seen.version;
        let key = (level.to_owned(), principal.to_owned());
        let place = self.record.place.to_string();
        let before = self.users.insert(key, (version, place));
        match before {
            None => "the recording shows this user for the first time".to_owned(),
            Some((Some(before), place)) if version.is_some_and(|v| v > before + writes) => {
                let unseen = version.unwrap_or_default() - before - writes;
                format!("the user was changed {unseen} times unobserved since {place}")
            }
            Some((Some(_), place)) if version.is_some() => {
                format!("nobody has changed the user since {place}, which showed it too")
            }
            Some((_, place)) => format!("the user was last shown in {place}"),
        }
    }

    pub(crate) fn holders_seen(
        &mut self,
        level: &str,
        collection: &str,
        users: &[Option<Holder>],
        page: Option<Page>,
    ) -> Result<(), ImportError> {
        let held = Held::Collection(collection.to_owned());
        let mut observed = BTreeSet::new();
        let mut nameless = 0;
        for user in users {
            match user.as_ref().and_then(|user| self.named(user)) {
                Some(principal) => {
                    observed.insert((principal, held.clone()));
                }
                None => nameless += 1,
            }
        }
        if nameless > 0 {
            self.left_out(format!(
                "{nameless} holders of `{collection}` have no name, or a masked one"
            ));
        }
        // All pages together are a whole listing.
        let whole = match page {
            Some(page) => self.page_of(level, collection, page, observed.clone(), nameless > 0),
            None => None,
        };
        let scope = Scope::Holders(held, &["user:"]);
        let because = "as the users of the role collection are shown".to_owned();
        let shown = |held: &BTreeSet<Pair>| match &whole {
            Some(all) => all.clone(),
            None => observed.union(held).cloned().collect(),
        };
        self.observe(level, &scope, &Sight::new(because, &shown))?;
        match whole {
            Some(_) => self.part_listed(level, collection, Part::Users),
            None => Ok(()),
        }
    }

    /// Holders were seen with what they hold
    pub(crate) fn holdings_seen(
        &mut self,
        level: &str,
        seen: &[HoldingSeen],
        all: bool,
        intent: bool,
    ) -> Result<(), ImportError> {
        let mut observed = BTreeSet::new();
        let mut since = std::collections::BTreeMap::new();
        let mut nameless = false;
        for seen in seen {
            let Some(principal) = self.named(&seen.holder) else {
                nameless = true;
                continue;
            };
            let pair = (principal, seen.held.clone());
            since.extend(seen.since.map(|since| (pair.clone(), since)));
            observed.insert(pair);
        }
        let shown = |held: &BTreeSet<Pair>| {
            if all && !nameless {
                observed.clone()
            } else {
                observed.union(held).cloned().collect()
            }
        };
        let because = if intent { "as it is meant to be" } else { "as the level is shown" };
        let sight = Sight { since, intent, ..Sight::new(because.to_owned(), &shown) };
        self.observe(level, &Scope::All, &sight)?;
        if all && !intent && !nameless { self.covered(level, false, None) } else { Ok(()) }
    }

    pub(crate) fn mappings_seen(
        &mut self,
        level: &str,
        collection: &str,
        mappings: &[MappingSeen],
    ) -> Result<(), ImportError> {
        let root = above(self.load_levels()?, level).last().unwrap_or_default().to_owned();
        let mut zones = vec![level];
        if level.starts_with("directory:") {
            zones.push(&root);
        }
        let held = Held::Collection(collection.to_owned());
        let mut observed = BTreeSet::new();
        let mut unresolved = false;
        for mapping in mappings {
            let origin = self.knowledge.origin(&zones, mapping);
            let principal =
                origin.and_then(|origin| self.principal(mapping.kind, Some(origin), &mapping.name));
            if let Some(principal) = principal {
                observed.insert((principal, held.clone()));
                continue;
            }
            unresolved = true;
            let idp = mapping.idp_name.as_ref().or(mapping.idp_host.as_ref());
            self.left_out(format!(
                "the mapping of `{collection}` to {} `{}` is not kept, since no trust list of `{level}` has the identity \
                 provider `{}`: add the output of `list security/trust`, or name its origin in a map (`--map`, kind `idp`)",
                mapping.kind.as_str(),
                mapping.name,
                idp.map_or("", String::as_str),
            ));
        }
        let scope = Scope::Holders(held, &["group:", "attribute:"]);
        let because = "as the mappings of the role collection are shown".to_owned();
        let shown = |held: &BTreeSet<Pair>| {
            if unresolved { observed.union(held).cloned().collect() } else { observed.clone() }
        };
        self.observe(level, &scope, &Sight::new(because, &shown))?;
        if unresolved { Ok(()) } else { self.part_listed(level, collection, Part::Mappings) }
    }

    /// The users of an origin were listed: whoever is not among them holds nothing
    pub(crate) fn users_listed(
        &mut self,
        level: &str,
        origin: Option<&str>,
        names: &[String],
    ) -> Result<(), ImportError> {
        let users: Option<BTreeSet<String>> =
            names.iter().map(|name| self.principal(PrincipalKind::User, origin, name)).collect();
        // What all users of an origin have in common is what stands before the name.
        let prefix = self
            .principal(PrincipalKind::User, origin, "x")
            .and_then(|text| text.strip_suffix('x').map(str::to_owned));
        let (Some(users), Some(prefix)) = (users, prefix) else {
            self.left_out("a user of the list has no name that the ledger can write");
            return Ok(());
        };
        let because = "the users of the origin are listed without it".to_owned();
        let shown = |held: &BTreeSet<Pair>| {
            held.iter().filter(|(principal, _)| users.contains(principal)).cloned().collect()
        };
        self.observe(level, &Scope::Users(prefix), &Sight::new(because, &shown))
    }
}
