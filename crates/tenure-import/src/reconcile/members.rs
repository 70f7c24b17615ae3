//! Who is seen to be a member of a group?
//!
//! No source tells when a membership that it shows began. So a member whom the first listing shows is one at the latest
//! since then, and what a later listing shows otherwise is drift.

use std::collections::BTreeSet;

use tenure_wire::api;
use tenure_wire::question::Texts;
use tenure_wire::v1::{Change, RevokeExpects};

use super::accounting::Fate;
use super::drift::{CHANGES_MAX, Scope};
use super::run::Run;
use crate::ImportError;
use crate::fact::Holder;
use crate::summary::Drift;

fn add(set: &str, member: &str) -> Change {
    Change::AddMember { set: set.to_owned(), member: member.to_owned() }
}

fn remove(set: &str, member: &str) -> Change {
    let expect = Some(RevokeExpects::Any);
    Change::RemoveMember { set: set.to_owned(), member: member.to_owned(), expect }
}

impl Run<'_> {
    /// Compares the members of a group with those that the ledger has
    pub(crate) fn members_seen(
        &mut self,
        group: &Holder,
        members: &[Holder],
        all: bool,
    ) -> Result<(), ImportError> {
        let Some(set) = self.named(group) else { return Ok(()) };
        self.summary.observations += 1;
        self.accounting.note(self.index, Fate::Known);
        let mut seen = BTreeSet::new();
        let mut all = all;
        for member in members {
            match self.named(member) {
                Some(member) => {
                    seen.insert(member);
                }
                None => all = false,
            }
        }
        let (held, known) = self.members(&set)?;
        let missing: Vec<_> = seen.difference(&held).collect();
        let unexpected: Vec<_> = if all { held.difference(&seen).collect() } else { Vec::new() };
        // Who is a member by the rule of a group was never added.
        let again = !self.sighted.insert((set.clone(), Scope::All));
        let first = !known && !again && !self.options.drift_only;
        let changes: Vec<Change> = missing.iter().map(|member| add(&set, member)).collect();
        if first {
            self.summary.baseline += changes.len() as u64;
            let reason = format!(
                "baseline: `{}` showed it first at {}; a member since then at the latest",
                self.record.kind, self.record.at,
            );
            for part in changes.chunks(CHANGES_MAX) {
                self.append(reason.clone(), part.to_vec())?;
            }
            return Ok(());
        }
        let missing = missing.into_iter().map(|member| (member, true));
        for (member, is_missing) in missing.chain(unexpected.into_iter().map(|m| (m, false))) {
            let named = |yes: bool| if yes { vec![set.clone()] } else { Vec::new() };
            let mut drift = Drift {
                place: self.record.place.clone(),
                source: self.record.kind.clone(),
                at: self.record.at.to_string(),
                on: set.clone(),
                principal: member.clone(),
                missing: named(is_missing),
                unexpected: named(!is_missing),
                because: "as the members of the group are shown".to_owned(),
                reconciled: false,
            };
            if self.options.reconcile && !self.options.drift_only {
                let change = if is_missing { add(&set, member) } else { remove(&set, member) };
                let reason = format!(
                    "drift reconciled: `{}` at {} showed it; it changed at an unknown time before",
                    self.record.kind, self.record.at,
                );
                drift.reconciled = self.append(reason, vec![change])? && self.flush()?;
            }
            if !drift.reconciled {
                self.accounting.note(self.index, Fate::Drift);
            }
            self.summary.drift.push(drift);
        }
        Ok(())
    }

    /// The members that a group has in the ledger at this second, and whether the ledger knows the group
    fn members(&mut self, set: &str) -> Result<(BTreeSet<String>, bool), ImportError> {
        let mut members = BTreeSet::new();
        let mut known = false;
        let mut page_token = None;
        loop {
            let question = Texts::named("members")
                .with("set", set)
                .with("at", self.moment.at.to_string())
                .with_if("page_token", page_token);
            let page: Option<api::Members> = self.ask(&question)?;
            let Some(page) = page else { return Ok((members, known)) };
            known |= !page.members.is_empty();
            members.extend(page.members.into_iter().filter_map(|member| match member.by {
                api::JoinedBy::Entry { .. } => Some(member.principal),
                api::JoinedBy::Rule { .. } => None,
            }));
            page_token = page.next_page_token;
            if page_token.is_none() {
                return Ok((members, known));
            }
        }
    }
}
