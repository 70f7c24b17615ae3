//! What happens every week?
//!
//! People are on call, put out fires, request access and give it back; keys are renewed and grants reviewed. Chance
//! decides to whom it happens. It never touches the cast, and it gives nobody destinations in a production
//! subaccount.

use tenure_core::RefusalCode;

use crate::calendar::Day;
use crate::cast::{INGRID, KEYS, PORTAL};
use crate::change::{Granted, collection, grant, grant_until, revoke, role};
use crate::company::{Company, FIRST_DAY};
use crate::estate::{APPS, App, READER, READERS, SANDBOX, Stage, UPGRADE, Unit};
use crate::model::Key;
use crate::staff::{Person, Post};

/// Days between two renewals of a key, or two reviews: 13 weeks
const QUARTER_DAYS: i64 = 91;
/// Days for which a key holds: a week more than a quarter
const KEY_DAYS: i64 = 98;

/// The end of a key that is made on a day
pub(crate) fn key_until(made: Day) -> Option<String> {
    Some(made.plus(KEY_DAYS).at(0, 0).text())
}

/// The events before the working day
pub(crate) fn night(company: &mut Company) {
    let today = company.desk.today();
    if company.dice.percent(4) {
        firefighter(company);
    }
    let mut first = FIRST_DAY;
    for app in APPS {
        first = first.plus(8);
        if let Some(client) = app.client.filter(|_| today.recurs(QUARTER_DAYS, first)) {
            company.desk.wait_for(3, 0);
            let key = role("Service Credentials");
            let renew =
                |stage| grant_until(&key, &app.destination(stage), client, key_until(today));
            let changes = [Stage::Test, Stage::Prod].map(renew);
            let reason = format!("Renewal of the service keys of {}", app.title);
            company.desk.file(KEYS, &reason, changes.into());
        }
    }
    if today.is_monday() {
        company.desk.wait_for(7, 30);
        on_call(company, today);
    }
}

/// The events of a working day
pub(crate) fn day(company: &mut Company) {
    let today = company.desk.today();
    for _ in 0..company.dice.between(0, 5) {
        let minutes = company.dice.between(3, 95);
        company.desk.wait_minutes(minutes);
        request(company, today);
    }
    if company.dice.percent(30) {
        give_back(company);
    }
    for (app, weekday) in APPS.into_iter().zip((1..5).cycle()) {
        if today.recurs(QUARTER_DAYS, FIRST_DAY.plus(42 + weekday)) {
            review(company, app, today);
        }
    }
}

fn operators(staff: &[Person], unit: Unit) -> Vec<&Person> {
    staff.iter().filter(|person| person.post == Post::Operator(unit)).collect()
}

/// In turn, one operator of each unit is on call for a week
fn on_call(company: &mut Company, today: Day) {
    let until = today.plus(7).at(8, 0).text();
    let week = usize::try_from(today.weeks_since(FIRST_DAY)).unwrap_or_default();
    let mut rota = Vec::new();
    for unit in Unit::ALL {
        let operator = operators(&company.staff, unit).into_iter().cycle().nth(week % 3);
        let Some(operator) = operator.cloned() else {
            continue;
        };
        let ticket = company.next_ticket();
        let mut changes = Vec::new();
        for app in unit.apps(today) {
            if today < UPGRADE {
                let space = app.space(Stage::Prod);
                let manager = role("Space Manager");
                changes.push(grant_until(&manager, &space, &operator.user, Some(until.clone())));
            } else {
                let subaccount = app.subaccount(Stage::Prod);
                for name in ["Subaccount Service Administrator", "Cloud Connector Administrator"] {
                    let until = Some(until.clone());
                    changes.push(grant_until(
                        &collection(name),
                        &subaccount,
                        &operator.user,
                        until,
                    ));
                }
            }
        }
        let unit = unit.name();
        rota.push((format!("INC-{ticket} on-call rotation {unit}: {}", operator.name), changes));
    }
    company.desk.together(|desk| {
        for (reason, changes) in rota {
            desk.file(PORTAL, &reason, changes);
        }
    });
}

/// An operator gets access to production for a night
fn firefighter(company: &mut Company) {
    let Some(app) = company.dice.pick(&APPS).copied() else {
        return;
    };
    let unit = app.unit(company.desk.today());
    let Some(operator) = company.dice.pick(&operators(&company.staff, unit)).map(|p| (*p).clone())
    else {
        return;
    };
    company.desk.wait_for(company.dice.between(0, 5), company.dice.between(0, 59));
    let until = Some(company.desk.now().plus(6 * 3_600).text());
    let ticket = company.next_ticket();
    let reason = format!("INC-{ticket} firefighter: {} is down, {}", app.title, operator.name);
    let developer = role("Space Developer");
    let change = grant_until(&developer, &app.space(Stage::Prod), &operator.user, until);
    company.desk.file(PORTAL, &reason, vec![change]);
}

fn request(company: &mut Company, today: Day) {
    let chance: Vec<&Person> = company.staff.iter().filter(|person| !person.cast).collect();
    let Some(person) = company.dice.pick(&chance).map(|person| (*person).clone()) else {
        return;
    };
    let Some((granted, level, app)) = wish(company, &person, today) else {
        return;
    };
    let key =
        Key { principal: person.user.clone(), level: level.clone(), granted: granted.clone() };
    if company.desk.model().holds(&key) {
        return;
    }
    let days = company.dice.percent(35).then(|| company.dice.between(14, 120));
    let until = days.map(|days| today.plus(days).at(0, 0).text());
    let ticket = company.next_ticket();
    let at = level.split_once(':').map_or(level.as_str(), |(_, id)| id);
    let reason = format!("REQ-{ticket} {granted} in {at} for {}", person.name);
    let lead = app.map_or_else(|| INGRID.to_owned(), |app| company.lead_of(app));
    let actor = if company.dice.percent(60) { PORTAL } else { lead.as_str() };

    let slip = company.dice.between(1, 100);
    if slip <= 2 {
        let typo = level.replace("-dev", "-devel").replace("-prod", "-production");
        if typo != level {
            let change = grant(&granted, &typo, &person.user);
            company.desk.attempt(actor, &reason, vec![change], RefusalCode::UnknownLevel);
        }
    } else if slip == 3
        && let Granted::Collection(name) = &granted
    {
        let change = grant(&collection(&name.to_ascii_lowercase()), &level, &person.user);
        let code = RefusalCode::UnknownRoleCollection;
        company.desk.attempt(actor, &reason, vec![change], code);
    }
    let endless = until.is_none();
    company.desk.file(actor, &reason, vec![grant_until(&granted, &level, &person.user, until)]);
    if company.dice.percent(1) {
        company.desk.retry();
    }
    if endless {
        company.requested.push(key);
    }
}

/// A grant that a person asks for, its level, and the application of that level
fn wish(
    company: &mut Company,
    person: &Person,
    today: Day,
) -> Option<(Granted, String, Option<&'static App>)> {
    let upgraded = today >= UPGRADE;
    let own = match person.post {
        Post::Lead(app) | Post::Developer { app, .. } | Post::Business(app) => Some(app),
        Post::Platform | Post::Auditor | Post::Operator(_) => None,
    };
    let any = company.dice.pick(&APPS).copied()?;
    let app = if company.dice.percent(60) { own.unwrap_or(any) } else { any };
    let stage = match company.dice.between(1, 100) {
        1..=45 => Stage::Dev,
        46..=75 => Stage::Test,
        _ => Stage::Prod,
    };
    if let Post::Business(_) = person.post {
        let mut names = vec![app.business];
        if upgraded {
            names.push("Subaccount Viewer");
        }
        let name = company.dice.pick(&names).copied()?;
        return Some((collection(name), app.subaccount(Stage::Prod), Some(app)));
    }
    let sandbox = "Destination Administrator";
    if upgraded && company.dice.percent(4) && today < crate::reform::SANDBOX_DELETION {
        return Some((collection(sandbox), SANDBOX.to_owned(), None));
    }
    let of_space: &[&str] = match stage {
        Stage::Dev | Stage::Test => &["Space Developer", "Space Auditor"],
        Stage::Prod => &["Space Auditor", "Space Supporter"],
    };
    if !upgraded || company.dice.percent(35) {
        let name = company.dice.pick(of_space).copied()?;
        return Some((role(name), app.space(stage), Some(app)));
    }
    let of_subaccount: &[&str] = match stage {
        Stage::Dev | Stage::Test => {
            &["Destination Administrator", "Cloud Connector Administrator", "Subaccount Viewer"]
        }
        Stage::Prod if today >= READERS => &["Subaccount Viewer", READER],
        Stage::Prod => &["Subaccount Viewer"],
    };
    let name = company.dice.pick(of_subaccount).copied()?;
    Some((collection(name), app.subaccount(stage), Some(app)))
}

fn give_back(company: &mut Company) {
    let Some(key) = company.dice.pick(&company.requested).cloned() else {
        return;
    };
    company.requested.retain(|other| *other != key);
    if !company.desk.model().endless().any(|held| *held == key) {
        return;
    }
    let ticket = company.next_ticket();
    let reason = format!("REQ-{ticket} {} is no longer needed", key.granted);
    let change = revoke(&key.granted, &key.level, &key.principal);
    company.desk.file(PORTAL, &reason, vec![change.clone()]);
    if company.dice.percent(5) {
        let reason = format!("REQ-{ticket} once more, by hand");
        company.desk.attempt(INGRID, &reason, vec![change], RefusalCode::NotHeld);
    }
}

/// The lead of an application reviews the requested grants, and takes back a third of them
fn review(company: &mut Company, app: &App, today: Day) {
    let mut changes = Vec::new();
    let mut kept = Vec::new();
    for key in std::mem::take(&mut company.requested) {
        let held = company.desk.model().endless().any(|held| *held == key);
        if held && app.has(&key.level) && company.dice.percent(35) {
            changes.push(revoke(&key.granted, &key.level, &key.principal));
        } else {
            kept.push(key);
        }
    }
    company.requested = kept;
    if changes.is_empty() {
        return;
    }
    let lead = company.lead_of(app);
    let reason = format!("Access review of {}, {}", app.title, today.date());
    company.desk.file(&lead, &reason, changes);
}
