//! Which principal is somebody whom a source names?
//!
//! A user is an origin and a name, with the id beside them that stays. A name that is missing comes from other records
//! that have the id, or from a map. If nothing explains the id, the user is called by it, so that nobody is dropped.

use tenure_core::{Principal, PrincipalKind};
use tenure_wire::api;
use tenure_wire::question::Texts;

use super::assignments::{grant, revoke};
use super::run::Run;
use crate::ImportError;
use crate::fact::{Held, Holder};
use crate::record::Record;

impl Run<'_> {
    /// The text of a holder as a principal; `None` with the reason noted if it names nobody
    pub(crate) fn named(&mut self, holder: &Holder) -> Option<String> {
        let mut origin = holder.origin.clone();
        let mut name = holder.name.clone();
        if let (Some(id), true) = (&holder.id, name.is_none() || origin.is_none())
            && let Some(known) = self.knowledge.named(id, self.moment.at)
        {
            name = name.or(known.name);
            origin = origin.or(known.origin);
        }
        if name.is_none()
            && let Some(id) = &holder.id
        {
            let called = format!("id-{}", id.id);
            if let Some(principal) = self.principal(holder.kind, origin.as_deref(), &called) {
                self.summary.nameless.insert(principal.clone());
                return Some(principal);
            }
        }
        let principal =
            name.as_ref().and_then(|name| self.principal(holder.kind, origin.as_deref(), name));
        if principal.is_none() {
            self.left_out(match name {
                None => "a holder has no name, or a masked one".to_owned(),
                Some(name) => format!("`{name}` is no name that the ledger can write"),
            });
        }
        principal
    }

    /// Takes the names of the record at hand: an account that is seen under a new name has been renamed
    pub(crate) fn names_seen(&mut self, record: &Record) -> Result<(), ImportError> {
        for holder in record.facts.iter().flat_map(|fact| fact.holders()) {
            let (Some(id), Some(name)) = (&holder.id, &holder.name) else { continue };
            let Some(principal) = self.principal(holder.kind, holder.origin.as_deref(), name)
            else {
                continue;
            };
            let before = self.called.insert(id.clone(), principal.clone());
            if let Some(before) = before
                && before != principal
            {
                self.rename(
                    &before,
                    &principal,
                    &format!("the account `{}` is called so now", id.id),
                )?;
            }
        }
        Ok(())
    }

    /// A source says that an account has another name
    pub(crate) fn renamed(&mut self, from: &Holder, to: &Holder) -> Result<bool, ImportError> {
        let (Some(from), Some(to)) = (self.named(from), self.named(to)) else { return Ok(false) };
        let reason = self.record.reason();
        self.rename(&from, &to, &reason)?;
        Ok(true)
    }

    /// All that one name holds, the other one holds from now on, in one entry for each level
    fn rename(&mut self, from: &str, to: &str, why: &str) -> Result<(), ImportError> {
        let same_kind =
            |text: &str| Principal::parse(text).is_ok_and(|p| p.kind() == PrincipalKind::User);
        if !same_kind(from) || !same_kind(to) {
            return Ok(());
        }
        let mut page_token = None;
        loop {
            let question = Texts::named("assignments")
                .with("principal", from)
                .with("at", self.moment.before().to_string())
                .with_if("page_token", page_token);
            let page: Option<api::Assignments> = self.ask(&question)?;
            let Some(page) = page else { return Ok(()) };
            for holding in page.assignments {
                let (until, holding) = (holding.until, holding.held);
                let held = holding.role_collection.map(Held::Collection);
                let Some(held) = held.or_else(|| holding.role.map(Held::Role)) else { continue };
                if holding.via.is_some() {
                    continue;
                }
                let until = until.and_then(|until| tenure_core::Instant::parse(&until).ok());
                let changes = vec![
                    revoke(&holding.level, &held, from),
                    grant(&holding.level, &held, to, until),
                ];
                self.append(format!("renamed from `{from}` to `{to}`: {why}"), changes)?;
            }
            page_token = page.next_page_token;
            if page_token.is_none() {
                return Ok(());
            }
        }
    }
}
