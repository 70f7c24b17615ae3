//! Do the questions get the answers that their hints promise?

use std::collections::BTreeSet;

use tenure_core::answer::{
    Answer, Answered, AskError, GrantedName, Holding, Observed, Subject, Who,
};
use tenure_core::{
    Ability, AsOf, DEFAULT_ORIGIN, EffectiveAt, JoinedBy, Known, KnownAt, Level, Now, Principal,
    Question, Reading,
};
use tenure_wire::question::{self, Texts};

use super::{FOLDED, at, instant};
use crate::{DemoQuestion, demo_questions};

/// `ingrid.solberg` for `user:sap.default/ingrid.solberg@acme.example`; the name of another principal as it is
fn short(principal: &Principal) -> String {
    let text = principal.as_str();
    let name = text.split_once('/').map_or(text, |(_, name)| name);
    name.strip_suffix("@acme.example").unwrap_or(name).to_owned()
}

fn shown(holding: &Holding) -> String {
    let granted = match &holding.granted {
        GrantedName::RoleCollection(name) | GrantedName::Role(name) => name,
    };
    let via = holding.via.as_ref().map_or(String::new(), |via| format!(" via {}", short(via)));
    let since: String = holding.since.to_string().chars().take(10).collect();
    let until = holding.until.map_or(String::new(), |until| {
        format!("..{}", until.to_string().chars().take(10).collect::<String>())
    });
    format!("{granted} {since}{until}{via}")
}

/// The question of that number
fn question(number: usize) -> Question {
    read(demo_questions().swap_remove(number - 1).question)
}

fn read(texts: Texts) -> Question {
    question::read(texts.name, texts.parameters, DEFAULT_ORIGIN).unwrap().question
}

fn answered(question: &Question) -> Answered {
    let ledger = &FOLDED.0;
    let newest = KnownAt::from(ledger.newest_position().unwrap());
    question.ask(ledger, Now { at: EffectiveAt::LAST, newest }).unwrap()
}

fn ask(question: &Question) -> Answer {
    answered(question).answer
}

fn who(question: &Question) -> Who<Vec<Holding>> {
    let Answer::Who(who) = ask(question) else { panic!("{question:?}") };
    who
}

fn table(who: &Who<Vec<Holding>>) -> Vec<String> {
    let rows = who.subjects.iter().chain(&who.sets);
    rows.map(|subject| {
        let because: Vec<String> = subject.detail.iter().map(shown).collect();
        format!("{}: {}", short(&subject.principal), because.join(", "))
    })
    .collect()
}

#[test]
fn the_questions_are_eleven_and_short() {
    let questions = demo_questions();
    assert_eq!(questions.len(), 11);
    for DemoQuestion { asked, see, .. } in questions {
        assert!(asked.ends_with('?') && see.ends_with('.'), "{asked} {see}");
    }
}

#[test]
fn the_first_question_finds_seven_people_and_a_group() {
    assert_eq!(
        table(&who(&question(1))),
        [
            "daniela.weber: Destination Administrator 2025-03-10..2025-09-30",
            "hyejin.park: Destination Administrator 2024-09-02 via BTP_Commerce_Operators",
            "mateo.vargas: Destination Administrator 2024-09-02 via BTP_Commerce_Operators",
            "rahul.menon: Release Crew 2024-10-07",
            "sofia.lindqvist: Destination Administrator 2024-09-02 via BTP_Commerce_Operators",
            "tomasz.zielinski: Subaccount Administrator 2024-02-10",
            "ingrid.solberg: Subaccount Administrator 2024-02-10",
            "BTP_Commerce_Operators: Destination Administrator 2024-09-02",
        ]
    );
}

#[test]
fn the_second_question_finds_what_was_believed_before_the_correction() {
    let (now, then) = (table(&who(&question(1))), table(&who(&question(2))));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|row| !those.contains(row)).cloned().collect()
    };
    let terms = "Destination Administrator 2025-03-10..2025-09-30";
    assert_eq!(only(&then, &now), [format!("daniel.weber: {terms}")]);
    assert_eq!(only(&now, &then), [format!("daniela.weber: {terms}")]);
}

#[test]
fn the_third_question_finds_who_had_three_days() {
    let during = |known_at: Known| -> Vec<String> {
        let asked = question(3).map_as_of(|as_of| AsOf { known_at, ..as_of });
        let Answer::WhoDuring(answer) = ask(&asked) else { panic!("{asked:?}") };
        let subjects = answer.subjects.iter().chain(&answer.sets);
        subjects
            .flat_map(|subject| {
                subject.detail.iter().map(|interval| {
                    let until = interval.span.until().unwrap();
                    format!("{} {} {until}", short(&subject.principal), interval.span.from())
                })
            })
            .collect()
    };
    let (from, until) = ("2025-11-01T00:00:00Z", "2025-12-01T00:00:00Z");
    let jonas = "jonas.brandt 2025-11-20T21:40:00Z 2025-11-25T07:30:00Z".to_owned();
    let found = during(Known::Newest);
    let handover = found[1].split(' ').nth(1).unwrap();
    assert!(handover.starts_with("2025-11-10T09:"), "{handover}");
    assert_eq!(
        found,
        [
            format!("hyejin.park {from} {until}"),
            format!("ibrahim.traore {handover} {until}"),
            jonas.clone(),
            format!("mateo.vargas {from} {handover}"),
            "noor.haddad 2025-11-14T09:30:00Z 2025-11-17T09:30:00Z".to_owned(),
            format!("rahul.menon {from} {until}"),
            format!("sofia.lindqvist {from} {until}"),
            format!("tomasz.zielinski {from} {until}"),
            format!("ingrid.solberg {from} {until}"),
            format!("BTP_Commerce_Operators {from} {until}"),
        ]
    );
    // Before the report nobody knew of Jonas Brandt.
    let before = during(Known::By(instant("2025-12-09")));
    assert_eq!(before, found.into_iter().filter(|row| *row != jonas).collect::<Vec<_>>());
}

#[test]
fn the_fourth_question_finds_a_power_that_nobody_gave() {
    let Answer::Timeline(found) = ask(&question(4)) else { panic!() };
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((only.span.from(), only.span.until()), (at("2026-02-03"), Some(at("2026-07-01"))));
    let because: Vec<String> = only.because.iter().map(shown).collect();
    assert_eq!(because, ["Subaccount Viewer 2024-04-22"]);
}

#[test]
fn the_fifth_question_finds_what_a_mover_gained_and_lost() {
    let Answer::Diff { diff: found, .. } = ask(&question(5)) else { panic!() };
    let rows = |holdings: &[Holding]| -> Vec<String> {
        holdings.iter().map(|h| format!("{} {}", h.level, shown(h))).collect()
    };
    assert_eq!(
        rows(&found.gained),
        [
            "cf-space:payments-dev-app cloud-foundry/Space Developer 2025-06-02",
            "cf-space:payments-test-app cloud-foundry/Space Developer 2025-06-02",
            "subaccount:payments-dev Destination Administrator 2025-06-02",
            "subaccount:payments-prod Subaccount Viewer 2025-06-02",
        ]
    );
    assert_eq!(
        rows(&found.lost),
        [
            "cf-space:shipping-dev-app cloud-foundry/Space Developer 2023-07-03",
            "cf-space:shipping-test-app cloud-foundry/Space Developer 2023-07-03",
            "subaccount:shipping-dev Destination Administrator 2024-11-04",
        ]
    );
    let [(before, after)] = found.changed.as_slice() else { panic!("{:?}", found.changed) };
    assert_eq!(shown(before), "Subaccount Viewer 2024-11-04");
    assert_eq!(shown(after), "Subaccount Viewer 2024-11-04..2025-07-01");
    let entries: BTreeSet<_> =
        found.gained.iter().chain([after]).map(|holding| holding.entry).collect();
    assert_eq!(entries.len(), 1);
}

#[test]
fn the_sixth_question_finds_keys_and_one_that_was_forgotten() {
    let Answer::WhoAnywhere(found) = ask(&question(6)) else { panic!() };
    let rows: Vec<String> = found
        .subjects
        .iter()
        .map(|subject| {
            let levels: Vec<String> = subject
                .detail
                .levels
                .iter()
                .map(|level| level.to_string().replace("service-instance:", ""))
                .collect();
            format!("{}: {}", short(&subject.principal), levels.join(" "))
        })
        .collect();
    let both = |client: &str, app: &str| {
        format!("sb-{client}: {app}-prod-destination {app}-test-destination")
    };
    assert_eq!(
        rows,
        [
            both("invoicing-batch", "invoicing"),
            both("orders-api", "orders"),
            both("payments-gateway", "payments"),
            both("pricing-engine", "pricing"),
            both("returns-portal", "returns"),
            both("shipping-labels", "shipping"),
            both("warehouse-sync", "warehouse"),
            both("webshop-backend", "webshop"),
            "beatriz.moreira: webshop-prod-destination".to_owned(),
            "lena.hartmann: orders-test-destination".to_owned(),
            "yusuf.demir: shipping-prod-destination".to_owned(),
        ]
    );
    assert!(found.sets.is_empty());
}

#[test]
fn the_seventh_question_finds_what_nobody_looked_at() {
    let found = answered(&question(7));
    let Answer::Who(who) = found.answer else { panic!() };
    assert!(who.subjects.is_empty() && who.sets.is_empty(), "{who:?}");
    let Some(Observed::At { first, before: None, after }) = found.observed else { panic!() };
    assert_eq!(after, Some(first));
    assert!(first.to_string().starts_with("2026-04-07T"), "{first}");
    // From the second look on there is no gap.
    let later =
        answered(&question(7).map_as_of(|as_of| AsOf { at: Some(at("2026-04-20")), ..as_of }));
    let Some(Observed::At { before, after, .. }) = later.observed else { panic!() };
    assert_eq!((before, after), (Some(at("2026-04-20")), Some(at("2026-04-20"))));
}

#[test]
fn the_eighth_question_finds_an_account_of_another_origin() {
    let found = answered(&question(8));
    let Answer::Check(check) = &found.answer else { panic!() };
    assert!(!check.allowed);
    let known = found.known.unwrap();
    let elsewhere: Vec<String> = known.elsewhere.iter().map(ToString::to_string).collect();
    assert_eq!(elsewhere, ["user:sap.default/tomasz.zielinski@acme.example"]);
    let other = Question::Check {
        principal: known.elsewhere[0].clone(),
        can: Ability::parse("destinations.manage").unwrap().into(),
        on: Level::parse("subaccount:contour-portal").unwrap(),
        as_of: AsOf { at: Some(at("2026-05-15")), known_at: Known::Newest },
        reading: Reading::Assigned,
    };
    let Answer::Check(check) = ask(&other) else { panic!() };
    assert!(check.allowed);
    assert_eq!(check.because[0].not_before, Some(at("2026-03-02")));
}

#[test]
fn the_ninth_question_finds_who_could_read_the_ledger() {
    assert_eq!(
        table(&who(&question(9))),
        [
            "helen.marsh@auditors.example: tenure/Auditor 2026-01-12..2026-04-01",
            "chidi.okafor: tenure/Auditor 2026-01-12",
            "marek.novotny: tenure/Administrator 2026-01-12",
        ]
    );
    // At the end it is open: who tries the demo is nobody that the ledger knows.
    let ledger = &FOLDED.0;
    let newest = KnownAt::from(ledger.newest_position().unwrap());
    assert!(!ledger.enforces_access(newest));
    let governed = Known::By(instant("2026-03-03"));
    let asked = question(9).map_as_of(|as_of| AsOf { known_at: governed, ..as_of });
    assert!(ledger.enforces_access(answered(&asked).as_of.known_at));
}

#[test]
fn the_tenth_question_finds_two_people_through_a_rule() {
    let found = who(&question(10));
    assert_eq!(
        table(&found),
        [
            "beatriz.moreira: staff-portal/Payroll Clerk 2023-09-04 via payroll",
            "priya.raman: staff-portal/Payroll Clerk 2023-09-04 via payroll",
            "payroll: staff-portal/Payroll Clerk 2023-08-21",
        ]
    );
    let by = |subject: &Subject<Vec<Holding>>| subject.detail[0].membership.clone().unwrap().by;
    assert!(found.subjects.iter().map(by).all(|by| matches!(by, JoinedBy::Rule(_))));
    // Nine days later Lukas Meier follows Priya Raman, and after the migration nobody is protected by permissions.
    let then = |day| question(10).map_as_of(|as_of| AsOf { at: Some(at(day)), ..as_of });
    let names = |who: Who<Vec<Holding>>| -> Vec<String> {
        who.subjects.iter().map(|subject| short(&subject.principal)).collect()
    };
    assert_eq!(names(who(&then("2025-06-11"))), ["beatriz.moreira", "lukas.meier"]);
    assert_eq!(names(who(&then("2026-03-03"))), [""; 0]);
    // Of Benefits the ledger can say until it takes its roles from elsewhere.
    let approver = |day: &str| {
        let texts = Texts::named("who").with("can", "role:Approver").with("at", day);
        let asked = read(texts.with("on", "application:benefits"));
        let newest = KnownAt::from(FOLDED.0.newest_position().unwrap());
        asked.ask(&FOLDED.0, Now { at: EffectiveAt::LAST, newest })
    };
    assert!(approver("2024-09-30").is_ok());
    assert!(matches!(approver("2024-10-02"), Err(AskError::DecidedElsewhere(_))));
}

#[test]
fn the_eleventh_question_finds_two_more_who_could_have_helped_themselves() {
    let found = who(&question(11));
    let all = found.subjects.iter().chain(&found.sets);
    let not: Vec<String> = all
        .filter(|subject| subject.assigned == Some(false))
        .map(|subject| short(&subject.principal))
        .collect();
    assert_eq!(not, ["aylin.kaya", "marek.novotny"]);
    assert_eq!((found.subjects.len(), found.sets.len()), (9, 1));
    let check = |who: &str| {
        let texts = Texts::named("check").with("principal", who).with("reading", "latent");
        let texts = texts.with("can", "destinations.manage").with("at", "2025-03-20");
        let Answer::Check(check) = ask(&read(texts.with("on", "subaccount:orders-prod"))) else {
            panic!()
        };
        check
    };
    let marek = check("user:sap.default/marek.novotny@acme.example");
    assert!(marek.allowed && marek.because.is_empty());
    assert_eq!(&*marek.steps[0].operation, "subaccounts.add-self-as-administrator");
    assert!(!check("user:corp-idp/lukas.meier@acme.example").allowed);
}

#[test]
fn before_the_upgrade_members_and_security_administrators_could() {
    let texts = Texts::named("who")
        .with("can", "destinations.manage")
        .with("on", "subaccount:orders-prod")
        .with("at", "2024-02-01")
        .with("explain", "true");
    assert_eq!(
        table(&who(&read(texts))),
        [
            "tomasz.zielinski: cloud-foundry/Org Manager 2023-07-03, \
             feature-set-a/Security Administrator 2023-07-03",
            "aylin.kaya: feature-set-a/Global Account Member 2023-07-03",
            "ingrid.solberg: feature-set-a/Global Account Member 2023-07-03",
            "marek.novotny: feature-set-a/Global Account Member 2023-07-03",
        ]
    );
}
