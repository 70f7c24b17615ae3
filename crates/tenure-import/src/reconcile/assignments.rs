//! Who gets and loses role collections, and who is seen to hold them?
//!
//! An assignment and its end become a grant and a revoke at their second. A revoke expects nothing: a
//! source can report that somebody lost a role collection which that person never had. Everything else
//! that shows holders is an observation. It is compared with the ledger (see [`super::drift`]), and becomes
//! an entry only if differences are to be reconciled.
//!
//! A user is known by origin and name, not by the id that the zone gave it. A mapping names its identity
//! provider by a display name. The origin comes from the trust list of the zone, for a directory from that
//! of its global account.

use std::collections::BTreeSet;

use tenure_core::PrincipalKind;
use tenure_wire::v1::{Change, RevokeExpects};

use super::drift::{Filter, Pair};
use super::levels::above;
use super::run::Run;
use crate::ImportError;
use crate::fact::{Holder, MappingSeen, UserSeen};

const NAMELESS: &str = "a holder without a name, or with a masked one";

/// The grant of a role collection without an end
pub(crate) fn grant(level: &str, role_collection: &str, to: &str) -> Change {
    Change::Grant {
        level: level.to_owned(),
        role_collection: Some(role_collection.to_owned()),
        role: None,
        to: to.to_owned(),
        until: None,
        expect: None,
    }
}

/// The revoke of a role collection, whether or not it is held
pub(crate) fn revoke(level: &str, role_collection: &str, from: &str) -> Change {
    Change::Revoke {
        level: level.to_owned(),
        role_collection: Some(role_collection.to_owned()),
        role: None,
        from: from.to_owned(),
        expect: Some(RevokeExpects::Any),
    }
}

impl Run<'_> {
    /// False if the holder has no name
    pub(crate) fn assigned(
        &mut self,
        level: &str,
        collection: &str,
        to: &Holder,
    ) -> Result<bool, ImportError> {
        let Some(principal) = self.named(to) else {
            return Ok(false);
        };
        self.grant(level, collection, &principal)?;
        Ok(true)
    }

    /// False if the holder has no name
    pub(crate) fn unassigned(
        &mut self,
        level: &str,
        collection: &str,
        from: &Holder,
    ) -> Result<bool, ImportError> {
        let Some(principal) = self.named(from) else {
            return Ok(false);
        };
        let change = revoke(level, collection, &principal);
        self.append(self.record.reason(), vec![change])?;
        Ok(true)
    }

    pub(crate) fn grant(
        &mut self,
        level: &str,
        collection: &str,
        principal: &str,
    ) -> Result<(), ImportError> {
        self.ensure_collection(level, collection)?;
        let change = grant(level, collection, principal);
        self.append(self.record.reason(), vec![change])?;
        Ok(())
    }

    /// The text of a holder, or `None` with the reason counted
    fn named(&mut self, holder: &Holder) -> Option<String> {
        let named = self.holder(holder);
        if named.is_none() {
            self.summary.skip(NAMELESS);
        }
        named
    }

    /// Compares all role collections of a user
    pub(crate) fn user_seen(&mut self, level: &str, seen: &UserSeen) -> Result<(), ImportError> {
        let Some(principal) = self.named(&seen.user) else {
            return Ok(());
        };
        let because = self.since_last_sight(level, &principal, seen);
        let observed: BTreeSet<Pair> =
            seen.collections.iter().map(|name| (principal.clone(), name.clone())).collect();
        let filter = Filter::of_principal(&principal);
        self.observe(level, &filter, because, &|_| observed.clone())
    }

    /// A user who does not exist holds nothing
    pub(crate) fn no_user(&mut self, level: &str, user: &Holder) -> Result<(), ImportError> {
        let Some(principal) = self.named(user) else {
            return Ok(());
        };
        let filter = Filter::of_principal(&principal);
        let because = "there is no such user".to_owned();
        self.observe(level, &filter, because, &|_| BTreeSet::new())
    }

    /// What a user's version says about the time since the user was last observed
    fn since_last_sight(&mut self, level: &str, principal: &str, seen: &UserSeen) -> String {
        // The version also counts what the record itself wrote.
        let writes =
            self.record.facts.iter().filter(|fact| fact.writes_to(&seen.user)).count() as u64;
        let version = seen.version;
        let key = (level.to_owned(), principal.to_owned());
        let before = self.users.insert(key, (version, self.record.line));
        match before {
            None => "the recording shows this user for the first time".to_owned(),
            Some((Some(before), line)) if version.is_some_and(|v| v > before + writes) => {
                let unseen = version.unwrap_or_default() - before - writes;
                format!("the user was changed {unseen} times unobserved since line {line}")
            }
            Some((Some(_), line)) if version.is_some() => {
                format!("nobody has changed the user since line {line}, which showed it too")
            }
            Some((_, line)) => format!("the user was last shown in line {line}"),
        }
    }

    pub(crate) fn holders_seen(
        &mut self,
        level: &str,
        collection: &str,
        users: &[Option<Holder>],
        all: bool,
    ) -> Result<(), ImportError> {
        let mut observed = BTreeSet::new();
        let mut nameless = false;
        for user in users {
            match user.as_ref().and_then(|user| self.holder(user)) {
                Some(principal) => {
                    observed.insert((principal, collection.to_owned()));
                }
                None => nameless = true,
            }
        }
        if nameless {
            self.summary.skip(NAMELESS);
        }
        let filter = Filter::of_collection(collection, &["user:"]);
        let because = "as the users of the role collection are shown".to_owned();
        self.observe(level, &filter, because, &|held: &BTreeSet<Pair>| {
            if all && !nameless {
                observed.clone()
            } else {
                observed.union(held).cloned().collect()
            }
        })
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
        let mut observed = BTreeSet::new();
        let mut unresolved = false;
        for mapping in mappings {
            let origin = self.knowledge.origin(&zones, mapping);
            match origin
                .and_then(|origin| self.principal(mapping.kind, Some(origin), &mapping.name))
            {
                Some(principal) => {
                    observed.insert((principal, collection.to_owned()));
                }
                None => {
                    unresolved = true;
                    self.summary.skip("a mapping of an identity provider that no trust list has");
                }
            }
        }
        let filter = Filter::of_collection(collection, &["group:", "attribute:"]);
        let because = "as the mappings of the role collection are shown".to_owned();
        self.observe(level, &filter, because, &|held: &BTreeSet<Pair>| {
            if unresolved { observed.union(held).cloned().collect() } else { observed.clone() }
        })
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
            self.summary.skip(NAMELESS);
            return Ok(());
        };
        let filter = Filter::of_users(&prefix);
        let because = "the users of the origin are listed without it".to_owned();
        self.observe(level, &filter, because, &|held: &BTreeSet<Pair>| {
            held.iter().filter(|(principal, _)| users.contains(principal)).cloned().collect()
        })
    }
}
