//! What is everything called?
//!
//! Names are derived from numbers. They are made of lawful characters only, so reading one cannot fail.

use std::sync::Arc;

use tenure_core::{Level, Principal, RoleText};

const AREAS: [&str; 12] = [
    "orders",
    "payments",
    "shipping",
    "pricing",
    "catalog",
    "returns",
    "planning",
    "invoices",
    "sourcing",
    "payroll",
    "field-service",
    "analytics",
];
const STAGES: [&str; 4] = ["prod", "test", "dev", "sandbox"];
const FIRST: [&str; 16] = [
    "maria", "jonas", "priya", "noor", "lukas", "daniela", "mateo", "ibrahim", "yusuf", "anna",
    "chen", "olga", "samuel", "ines", "tomas", "aiko",
];
const LAST: [&str; 16] = [
    "weber", "brandt", "raman", "haddad", "meier", "lopez", "vargas", "traore", "demir", "novak",
    "wang", "petrova", "okafor", "silva", "kowalski", "tanaka",
];
const DUTIES: [&str; 8] =
    ["Approver", "Clerk", "Viewer", "Operator", "Auditor", "Manager", "Planner", "Support"];

/// Users of this origin are whom `everyone:` is granted for, which is why few are of it
pub(crate) const PARTNERS: &str = "partners";

fn nth<'a>(names: &[&'a str], n: u32) -> &'a str {
    let length = u32::try_from(names.len()).unwrap_or(1);
    names.get((n % length) as usize).copied().unwrap_or_default()
}

#[expect(clippy::expect_used, reason = "names here are made of lawful characters")]
pub(crate) fn level(text: &str) -> Level {
    Level::parse(text).expect("a lawful level")
}

#[expect(clippy::expect_used, reason = "names here are made of lawful characters")]
fn principal(text: &str) -> Principal {
    Principal::parse(text).expect("a lawful principal")
}

#[expect(clippy::expect_used, reason = "names here have at most one slash")]
pub(crate) fn role(text: &str) -> RoleText {
    RoleText::parse(text).expect("a lawful role")
}

/// What a subaccount and all below it are called after
pub(crate) fn place(subaccount: u32, generation: u32) -> String {
    let area = nth(&AREAS, subaccount);
    let stage = nth(&STAGES, subaccount / 12);
    if generation == 0 {
        format!("{area}-{stage}-{subaccount}")
    } else {
        format!("{area}-{stage}-{subaccount}.{generation}")
    }
}

/// A custom role collection; those of one area share their names, as copies of one application do
pub(crate) fn role_collection(subaccount: u32, custom: u32, generation: u32) -> Arc<str> {
    let area = nth(&AREAS, subaccount);
    let duty = nth(&DUTIES, custom);
    let number = custom / 8 + 1;
    if generation == 0 {
        format!("{area} {duty} {number}").into()
    } else {
        format!("{area} {duty} {number} v{}", generation + 1).into()
    }
}

pub(crate) fn user(n: u32) -> Principal {
    // 70% of the company's own identity provider, 25% of SAP's, 5% partners.
    let origin = match n % 20 {
        0..14 => "corp",
        14..19 => "sap.default",
        _ => PARTNERS,
    };
    let (first, last) = (nth(&FIRST, n), nth(&LAST, n / 16));
    principal(&format!("user:{origin}/{first}.{last}.{n}@acme.example"))
}

pub(crate) fn client(n: u32) -> Principal {
    principal(&format!("client:sap.default/sb-{}-{n}", nth(&AREAS, n)))
}

/// Nine groups, then an attribute value
pub(crate) fn set(n: u32) -> Principal {
    if n % 10 == 9 {
        principal(&format!("attribute:corp/department={}-{n}", nth(&AREAS, n)))
    } else {
        principal(&format!("group:corp/{}-{}-{n}", nth(&AREAS, n), nth(&STAGES, n / 10)))
    }
}

pub(crate) fn everyone() -> Principal {
    Principal::everyone(PARTNERS)
}

/// Who records most of what happens
pub(crate) fn provisioning() -> Principal {
    principal("client:sap.default/iam-provisioning")
}

pub(crate) fn administrator(n: u32) -> Principal {
    principal(&format!("user:corp/admin.{n}@acme.example"))
}

/// Somebody whom nothing names but an attempt that is refused
pub(crate) fn stranger(n: u64) -> Principal {
    principal(&format!("user:corp/stranger.{n}@acme.example"))
}
