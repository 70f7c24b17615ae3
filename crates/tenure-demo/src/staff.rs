//! Who works at Acme, and which grants does a post bring?
//!
//! The identity provider, the leads and the personnel department act when people join, move or leave.

use tenure_wire::v1::Change;

use crate::calendar::Day;
use crate::cast::{HR, INGRID, SCIM};
use crate::change::{
    Granted, add_member, collection, grant, remove_member, remove_principal, revoke, role,
};
use crate::company::Company;
use crate::estate::{APPS, App, GLOBAL_ACCOUNT, GROUPS, Stage, UPGRADE, Unit};
use crate::names::user;

/// Days after which a person may move or leave
const SETTLED_DAYS: i64 = 60;

/// The work of a person
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Post {
    Platform,
    Auditor,
    Lead(&'static App),
    Developer { app: &'static App, prod: bool },
    Operator(Unit),
    Business(&'static App),
}

/// A person at Acme
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user: String,
    pub(crate) name: String,
    pub(crate) post: Post,
    /// The first day; `None` if it was before the ledger began
    pub(crate) since: Option<Day>,
    /// Whether the person is in the story
    pub(crate) cast: bool,
}

impl Person {
    fn settled(&self, today: Day) -> bool {
        !self.cast
            && matches!(self.post, Post::Developer { .. } | Post::Business(_))
            && self.since.is_none_or(|since| since.plus(SETTLED_DAYS) <= today)
    }
}

impl Post {
    /// The grants that it brings on a day, without those through sets
    pub(crate) fn holdings(self, on: Day) -> Vec<(Granted, String)> {
        let upgraded = on >= UPGRADE;
        match self {
            Self::Platform if upgraded => {
                vec![(collection("Global Account Administrator"), GLOBAL_ACCOUNT.to_owned())]
            }
            Self::Platform => vec![(role("Global Account Member"), GLOBAL_ACCOUNT.to_owned())],
            Self::Auditor => {
                let orgs = APPS.iter().map(|app| app.org(Stage::Prod));
                orgs.map(|org| (role("Org Auditor"), org)).collect()
            }
            Self::Lead(app) => {
                let admin = if upgraded {
                    collection("Subaccount Administrator")
                } else {
                    role("Security Administrator")
                };
                let of_stage = |stage| {
                    let org = (role("Org Manager"), app.org(stage));
                    [(admin.clone(), app.subaccount(stage)), org]
                };
                Stage::ALL.into_iter().flat_map(of_stage).collect()
            }
            Self::Developer { app, prod } => {
                let stages = Stage::ALL.into_iter().filter(|stage| prod || *stage != Stage::Prod);
                let mut holdings: Vec<(Granted, String)> =
                    stages.map(|stage| (role("Space Developer"), app.space(stage))).collect();
                if upgraded && on < GROUPS {
                    let connectivity = collection("Connectivity and Destination Administrator");
                    holdings.extend(
                        [Stage::Dev, Stage::Test]
                            .map(|stage| (connectivity.clone(), app.subaccount(stage))),
                    );
                }
                holdings
            }
            Self::Operator(unit) => {
                let spaces = unit.apps(on).map(|app| app.space(Stage::Prod));
                spaces.map(|space| (role("Space Supporter"), space)).collect()
            }
            Self::Business(_) => Vec::new(),
        }
    }

    /// The sets whose member it makes a person on a day
    pub(crate) fn sets(self, on: Day) -> Vec<String> {
        match self {
            Self::Business(app) => vec![app.department()],
            Self::Developer { app, .. } if on >= GROUPS => vec![app.unit(on).developers()],
            Self::Operator(unit) if on >= GROUPS => vec![unit.operators()],
            Self::Platform
            | Self::Auditor
            | Self::Lead(_)
            | Self::Developer { .. }
            | Self::Operator(_) => Vec::new(),
        }
    }

    fn title(self) -> String {
        match self {
            Self::Platform => "platform team".to_owned(),
            Self::Auditor => "internal audit".to_owned(),
            Self::Lead(app) => format!("lead of {}", app.title),
            Self::Developer { app, .. } => format!("developer of {}", app.title),
            Self::Operator(unit) => format!("operator of {}", unit.name()),
            Self::Business(app) => format!("{} in {}", app.business, app.title),
        }
    }
}

/// The changes that give a post
pub(crate) fn appointment(user: &str, post: Post, on: Day) -> Vec<Change> {
    post.holdings(on).iter().map(|(granted, level)| grant(granted, level, user)).collect()
}

/// The personnel department's events of today
pub(crate) fn day(company: &mut Company) {
    let today = company.desk.today();
    report_late_leavers(company, today);
    if today.is_thursday() && company.dice.percent(36) {
        for _ in 0..company.dice.between(1, 2) {
            join(company, today.plus(4));
        }
    }
    if today.is_friday() && company.dice.percent(32) {
        leave(company, today);
    }
    if today.is_monday() && company.dice.percent(14) {
        change_team(company, today);
    }
}

/// A new person will start on a later day
fn join(company: &mut Company, start: Day) {
    let Some(app) = company.dice.pick(&APPS).copied() else {
        return;
    };
    let post = if company.dice.percent(45) {
        Post::Developer { app, prod: false }
    } else {
        Post::Business(app)
    };
    let name = company.names.next();
    let user = user("corp-idp", &name);
    let effective_at = start.at(0, 0).text();
    let reason = format!("{name} joins as {} on {}", post.title(), start.date());
    // The entry may name only what exists on the day when it is filed.
    let grants = appointment(&user, post, company.desk.today());
    if !grants.is_empty() {
        let lead = company.lead_of(app);
        company.desk.file_effective(&lead, &reason, effective_at.clone(), grants);
    }
    let members: Vec<Change> = post.sets(start).iter().map(|set| add_member(set, &user)).collect();
    if !members.is_empty() {
        company.desk.file_effective(SCIM, &reason, effective_at, members);
    }
    company.staff.push(Person { user, name, post, since: Some(start), cast: false });
}

/// A person has the last day; sometimes the ledger is told weeks later
fn leave(company: &mut Company, today: Day) {
    let Some(person) = pick_settled(company, today) else {
        return;
    };
    company.staff.retain(|other| other.user != person.user);
    company.requested.retain(|key| key.principal != person.user);
    if company.dice.percent(20) {
        let weeks = company.dice.between(2, 5);
        company.late_leavers.push((today.plus(7 * weeks), today, person.clone()));
        company.desk.model_mut().forget(&person.user);
        return;
    }
    let reason = format!("{} leaves the company", person.name);
    company.desk.wait_for(17, 0);
    company.desk.file(HR, &reason, vec![remove_principal(&person.user)]);
}

fn report_late_leavers(company: &mut Company, today: Day) {
    let (due, later): (Vec<_>, Vec<_>) =
        company.late_leavers.drain(..).partition(|(report, ..)| *report <= today);
    company.late_leavers = later;
    for (_, left, person) in due {
        let reason = format!("{} left on {}, told late by personnel", person.name, left.date());
        let changes = vec![remove_principal(&person.user)];
        company.desk.file_effective(HR, &reason, left.at(17, 0).text(), changes);
    }
}

/// A developer moves to another application
fn change_team(company: &mut Company, today: Day) {
    let Some(person) = pick_settled(company, today) else {
        return;
    };
    let Post::Developer { app: from, .. } = person.post else {
        return;
    };
    let Some(to) = company.dice.pick(&APPS).copied().filter(|to| to.id != from.id) else {
        return;
    };
    let post = Post::Developer { app: to, prod: false };
    let mine = company.desk.model().endless().filter(|key| key.principal == person.user);
    let mut changes: Vec<Change> = mine
        .filter(|key| from.has(&key.level))
        .map(|key| revoke(&key.granted, &key.level, &key.principal))
        .collect();
    changes.extend(appointment(&person.user, post, today));
    let reason = format!("{} moves from {} to {}", person.name, from.title, to.title);
    company.desk.file(INGRID, &reason, changes);

    let (old, new) = (company.desk.model().sets_of(&person.user), post.sets(today));
    let gone = old.iter().filter(|set| !new.contains(set));
    let come = new.iter().filter(|set| !old.contains(set));
    let members: Vec<Change> = gone
        .map(|set| remove_member(set, &person.user))
        .chain(come.map(|set| add_member(set, &person.user)))
        .collect();
    if !members.is_empty() {
        company.desk.file(SCIM, &reason, members);
    }
    company.requested.retain(|key| key.principal != person.user || !from.has(&key.level));
    for other in &mut company.staff {
        if other.user == person.user {
            other.post = post;
            other.since = Some(today);
        }
    }
}

fn pick_settled(company: &mut Company, today: Day) -> Option<Person> {
    let settled: Vec<&Person> =
        company.staff.iter().filter(|person| person.settled(today)).collect();
    company.dice.pick(&settled).map(|person| (*person).clone())
}
