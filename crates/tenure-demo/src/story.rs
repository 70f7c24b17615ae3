//! What happens to the people of the cast?
//!
//! The scenes that the questions ask about, each on its day.

use tenure_core::RefusalCode;
use tenure_wire::v1::{Access, Change};

use crate::calendar::day as date;
use crate::cast::{
    ANA, BEATRIZ, CHIDI, DANIEL, DANIELA, DRIFT, HELEN, IBRAHIM, INGRID, JONAS, LENA, LUKAS, MAREK,
    MATEO, NOOR, PORTAL, PRIYA, RAHUL, SCIM, TOMASZ, TOMASZ_AT_SAP, YUSUF,
};
use crate::change::{
    add_member, collection, create, create_collection, grant, grant_until, observe, remove_member,
    revoke, role, set_access, void,
};
use crate::company::{Company, Correction, Scene};
use crate::estate::{CONTOUR, ORDERS, PAYMENTS, SHIPPING, Stage, TREASURY, Unit, WEBSHOP};

const SCENES: [Scene; 18] = [
    (date(2024, 4, 22), priya_looks_at_payments),
    (date(2024, 6, 11), lena_makes_a_key),
    (date(2024, 10, 7), release_crew),
    (date(2024, 11, 4), lukas_works_for_shipping),
    (date(2024, 11, 19), yusuf_makes_a_key),
    (date(2025, 3, 10), the_wrong_weber),
    (date(2025, 4, 14), the_right_weber),
    (date(2025, 6, 2), lukas_moves),
    (date(2025, 9, 15), yusuf_moves),
    (date(2025, 11, 10), ibrahim_follows_mateo),
    (date(2025, 11, 14), noor_for_three_days),
    (date(2025, 12, 9), jonas_is_reported_late),
    (date(2026, 1, 12), the_ledger_is_closed),
    (date(2026, 2, 16), beatriz_gets_a_key),
    (date(2026, 3, 2), contour_is_bought),
    (date(2026, 4, 7), contour_is_listed),
    (date(2026, 5, 5), contour_is_watched),
    (date(2026, 6, 30), the_ledger_is_opened),
];

const DESTINATIONS: &str = "Destination Administrator";
const KEY: &str = "Service Credentials";

/// Plays the scenes of today
pub(crate) fn day(company: &mut Company) {
    let today = company.desk.today();
    for (when, scene) in SCENES {
        if when == today {
            company.desk.wait_for(9, 12);
            scene(company);
        }
    }
}

fn priya_looks_at_payments(company: &mut Company) {
    let viewer = collection("Subaccount Viewer");
    let changes = vec![grant(&viewer, &PAYMENTS.subaccount(Stage::Prod), PRIYA)];
    let lead = company.lead_of(&PAYMENTS);
    let reason = company.ticketed("REQ", "Priya Raman checks payment runs");
    company.desk.file(&lead, &reason, changes);
}

fn lena_makes_a_key(company: &mut Company) {
    let changes = vec![grant(&role(KEY), &ORDERS.destination(Stage::Test), LENA)];
    let reason = company.ticketed("INC", "a service key to debug a destination");
    company.desk.file(LENA, &reason, changes);
}

fn release_crew(company: &mut Company) {
    let level = ORDERS.subaccount(Stage::Prod);
    let name = "Release Crew";
    let roles = ["Destination Configuration Administrator", "Destination Certificate Viewer"];
    let changes =
        vec![create_collection(&level, name, &roles), grant(&collection(name), &level, RAHUL)];
    let reason = company.ticketed("REQ", "Rahul Menon releases Orders");
    company.desk.file(TOMASZ, &reason, changes);
}

fn lukas_works_for_shipping(company: &mut Company) {
    let lead = company.lead_of(&SHIPPING);
    let changes = vec![
        grant(&collection("Subaccount Viewer"), &SHIPPING.subaccount(Stage::Prod), LUKAS),
        grant(&collection(DESTINATIONS), &SHIPPING.subaccount(Stage::Dev), LUKAS),
    ];
    let reason = company.ticketed("REQ", "Lukas Meier maintains the carriers of Shipping");
    company.desk.file(&lead, &reason, changes);
}

fn yusuf_makes_a_key(company: &mut Company) {
    let changes = vec![grant(&role(KEY), &SHIPPING.destination(Stage::Prod), YUSUF)];
    let reason = company.ticketed("INC", "a service key for a script that resends labels");
    company.desk.file(YUSUF, &reason, changes);
}

/// The ticket means Daniela, but the entry says Daniel for five weeks
fn the_wrong_weber(company: &mut Company) {
    let ticket = company.next_ticket();
    let reason = format!("REQ-{ticket} D. Weber connects the new payment provider");
    let wrong = company.desk.file(MAREK, &reason, vec![payment_provider(DANIEL)]);
    let since = company.desk.now();
    company.correction = Some(Correction { wrong, ticket, since });
}

/// The wrong entry is voided, and the right one holds since the wrong one was filed
fn the_right_weber(company: &mut Company) {
    let Some(Correction { wrong, ticket, since }) = company.correction.take() else {
        return;
    };
    company.desk.wait_for(10, 40);
    let note = format!("REQ-{ticket} is for Daniela Weber; Daniel Weber never had it");
    let reason = format!("AUD-2025-04 correction of REQ-{ticket}");
    company.desk.together(|desk| {
        desk.file(CHIDI, &reason, vec![void(&wrong, &note)]);
        let right = payment_provider(DANIELA);
        desk.file_effective(CHIDI, &reason, since.text(), vec![right]);
    });
    let again = vec![void(&wrong, "The same finding, from the other auditor's list")];
    company.desk.attempt(CHIDI, &reason, again, RefusalCode::AlreadyVoided);
}

fn payment_provider(to: &str) -> Change {
    let until = Some(date(2025, 9, 30).at(0, 0).text());
    grant_until(&collection(DESTINATIONS), &ORDERS.subaccount(Stage::Prod), to, until)
}

/// Lukas works for Shipping until June and for Payments afterwards, with a month to hand over
fn lukas_moves(company: &mut Company) {
    let developer = role("Space Developer");
    let viewer = collection("Subaccount Viewer");
    let destinations = collection(DESTINATIONS);
    let handover = Some(date(2025, 7, 1).at(0, 0).text());
    let changes = vec![
        revoke(&developer, &SHIPPING.space(Stage::Dev), LUKAS),
        revoke(&developer, &SHIPPING.space(Stage::Test), LUKAS),
        revoke(&destinations, &SHIPPING.subaccount(Stage::Dev), LUKAS),
        grant_until(&viewer, &SHIPPING.subaccount(Stage::Prod), LUKAS, handover),
        grant(&developer, &PAYMENTS.space(Stage::Dev), LUKAS),
        grant(&developer, &PAYMENTS.space(Stage::Test), LUKAS),
        grant(&destinations, &PAYMENTS.subaccount(Stage::Dev), LUKAS),
        grant(&viewer, &PAYMENTS.subaccount(Stage::Prod), LUKAS),
    ];
    let reason = "Lukas Meier moves from Shipping to Payments";
    company.desk.file(INGRID, reason, changes);
    let members = vec![
        remove_member(&Unit::Logistics.developers(), LUKAS),
        add_member(&Unit::Finance.developers(), LUKAS),
    ];
    company.desk.file(SCIM, reason, members);
}

/// Everything is taken back except a key that nobody remembers
fn yusuf_moves(company: &mut Company) {
    let developer = role("Space Developer");
    let mut changes: Vec<_> =
        Stage::ALL.map(|stage| revoke(&developer, &SHIPPING.space(stage), YUSUF)).into();
    changes.push(grant(&developer, &TREASURY.space(Stage::Dev), YUSUF));
    let reason = "Yusuf Demir moves from Shipping to Treasury";
    company.desk.file(INGRID, reason, changes);
    let members = vec![
        remove_member(&Unit::Logistics.developers(), YUSUF),
        add_member(&Unit::Finance.developers(), YUSUF),
    ];
    company.desk.file(SCIM, reason, members);
}

fn ibrahim_follows_mateo(company: &mut Company) {
    let operators = Unit::Commerce.operators();
    let members = vec![remove_member(&operators, MATEO), add_member(&operators, IBRAHIM)];
    company.desk.file(SCIM, "Ibrahim Traore follows Mateo Vargas", members);
}

/// A typing error, then the grant, then the same grant again from a client that got no answer
fn noor_for_three_days(company: &mut Company) {
    let level = ORDERS.subaccount(Stage::Prod);
    let reason =
        company.ticketed("INC", "Black Friday rehearsal: Noor Haddad repairs destinations");
    let until = Some(date(2025, 11, 17).at(9, 30).text());
    let slip = vec![grant_until(&collection("Destination Admin"), &level, NOOR, until.clone())];
    company.desk.attempt(PORTAL, &reason, slip, RefusalCode::UnknownRoleCollection);
    company.desk.wait_for(9, 30);
    let changes = vec![grant_until(&collection(DESTINATIONS), &level, NOOR, until)];
    company.desk.file_effective(PORTAL, &reason, date(2025, 11, 14).at(9, 30).text(), changes);
    company.desk.retry();
}

/// A grant was made by hand in the cockpit on a night in November, and is found weeks later
fn jonas_is_reported_late(company: &mut Company) {
    let level = ORDERS.subaccount(Stage::Prod);
    let destinations = collection(DESTINATIONS);
    let reason = "Drift: done by hand in the cockpit, found in its audit log";
    let given = date(2025, 11, 20).at(21, 40).text();
    let taken = date(2025, 11, 25).at(7, 30).text();
    company.desk.together(|desk| {
        desk.file_effective(DRIFT, reason, given, vec![grant(&destinations, &level, JONAS)]);
        desk.file_effective(DRIFT, reason, taken, vec![revoke(&destinations, &level, JONAS)]);
    });
}

/// Who may read and write the ledger is recorded in it like everything else
fn the_ledger_is_closed(company: &mut Company) {
    let ledger = company.ledger.clone();
    let auditor = role("tenure/Auditor");
    let changes = vec![
        grant(&role("tenure/Administrator"), &ledger, MAREK),
        grant(&auditor, &ledger, CHIDI),
        set_access(&ledger, Access::Enforced),
    ];
    company.desk.file(MAREK, "From now on the ledger is read by auditors alone", changes);
    let until = Some(date(2026, 4, 1).at(0, 0).text());
    let changes = vec![grant_until(&auditor, &PAYMENTS.subaccount(Stage::Prod), HELEN, until)];
    company.desk.file(MAREK, "AUD-2026-01 the yearly audit of Payments", changes);
}

/// Whoever tries the demo has no token, and may ask all the same
fn the_ledger_is_opened(company: &mut Company) {
    let changes = vec![set_access(&company.ledger, Access::Open)];
    company.desk.file(MAREK, "This ledger is a demo: everybody may read it", changes);
}

fn beatriz_gets_a_key(company: &mut Company) {
    let until = Some(date(2026, 8, 31).at(0, 0).text());
    let changes = vec![grant_until(&role(KEY), &WEBSHOP.destination(Stage::Prod), BEATRIZ, until)];
    let reason = company.ticketed("REQ", "a service key for the new storefront's tests");
    company.desk.file(BEATRIZ, &reason, changes);
}

/// The subaccount of a company that was bought comes under Acme's global account; who holds what there nobody knows
fn contour_is_bought(company: &mut Company) {
    let changes = vec![create(CONTOUR, &Unit::Commerce.directory(), "Contour Portal")];
    company.desk.file(INGRID, "Acme has bought Contour: its portal is ours now", changes);
}

/// Five weeks later somebody looks for the first time, and finds what was given at a time that nobody wrote down
fn contour_is_listed(company: &mut Company) {
    let destinations = collection(DESTINATIONS);
    let given = [ANA, TOMASZ_AT_SAP].map(|user| grant(&destinations, CONTOUR, user));
    let reason = "Found by the first listing";
    let not_before = date(2026, 3, 2).at(0, 0).text();
    company.desk.together(|desk| {
        desk.file_between(DRIFT, reason, not_before, given.into());
        desk.file(DRIFT, reason, vec![observe(CONTOUR, None)]);
    });
}

/// The portal's audit log is read as well, back to the first listing
fn contour_is_watched(company: &mut Company) {
    let since = date(2026, 4, 7).at(12, 0).text();
    company.desk.file(DRIFT, "The audit log of four weeks", vec![observe(CONTOUR, Some(since))]);
}
