//! In which world do the scenarios play?
//!
//! A handful of names: levels under both feature sets, principals of two origins, and three catalogues
//! that differ in all that a catalogue may differ in. Scenarios pick from these tables by number, and a
//! smaller number is a plainer pick, so a failure shrinks to plain names.

mod catalogs;

use std::sync::Arc;

use tenure_core::{
    Ability, Access, Attributes, Environment, FeatureSet, GrantableText, Level, Principal,
    Requirement, RoleText, Rule, RuleLeaf,
};

pub use catalogs::{CATALOGS, catalogs};

/// The ledger of all scenarios
pub const LEDGER: &str = "world";

/// Every level that scenarios name; the six before the ledgers are not there from the start, and the last one never
pub const LEVELS: [&str; 23] = [
    "subaccount:s1",
    "subaccount:s2",
    "global-account:g",
    "directory:d1",
    "application:a2",
    "subaccount:n1",
    "service-instance:i1",
    "cf-org:o1",
    "cf-space:p1",
    "directory:d2",
    "cf-org:o2",
    "cf-space:p2",
    "service-instance:i2",
    "application:a1",
    "global-account:h",
    "subaccount:s3",
    "directory:d3",
    "cf-org:o3",
    "cf-space:p3",
    "service-instance:i3",
    "application:a3",
    "ledger:world",
    "ledger:other",
];

/// Levels with the parents that they may have, and the number of their attributes
pub const CREATIONS: [(&str, Option<&str>, u8); 27] = [
    ("global-account:g", None, 0),
    ("directory:d1", Some("global-account:g"), 1),
    ("subaccount:s1", Some("directory:d1"), 0),
    ("cf-org:o1", Some("subaccount:s1"), 0),
    ("cf-space:p1", Some("cf-org:o1"), 0),
    ("service-instance:i1", Some("cf-space:p1"), 0),
    ("service-instance:i2", Some("subaccount:s1"), 0),
    ("global-account:h", None, 3),
    ("directory:d2", Some("directory:d1"), 0),
    ("subaccount:s2", Some("global-account:h"), 0),
    ("cf-org:o2", Some("subaccount:s2"), 0),
    ("cf-space:p2", Some("cf-org:o2"), 0),
    ("application:a1", Some("subaccount:s2"), 5),
    ("subaccount:n1", Some("global-account:g"), 10),
    ("application:a2", Some("subaccount:n1"), 0),
    // From here on: not there from the start, or under another parent.
    ("subaccount:s3", Some("directory:d2"), 3),
    ("directory:d3", Some("directory:d2"), 1),
    ("cf-org:o3", Some("subaccount:s3"), 0),
    ("cf-space:p3", Some("cf-org:o1"), 0),
    ("service-instance:i3", Some("cf-space:p1"), 0),
    ("subaccount:s1", Some("global-account:h"), 3),
    ("subaccount:s2", Some("directory:d2"), 4),
    ("directory:d2", Some("global-account:g"), 1),
    ("directory:d1", Some("directory:d2"), 2),
    ("cf-space:p1", Some("cf-org:o2"), 0),
    ("service-instance:i1", Some("subaccount:s1"), 0),
    ("application:a3", Some("subaccount:n1"), 14),
];
/// How many of [`CREATIONS`] make the landscape that scenarios start with
pub const CREATIONS_AT_START: usize = 15;

/// Attributes of levels, by number
pub fn attributes(number: u8) -> Attributes {
    let none = Attributes::default();
    match number {
        0 => none,
        1 => Attributes { authorizations: Some(true), ..none },
        2 => Attributes { authorizations: Some(false), ..none },
        3 => Attributes { feature_set: Some(FeatureSet::A), ..none },
        4 => Attributes { feature_set: Some(FeatureSet::B), ..none },
        5 => Attributes { name: Some("Named".into()), ..none },
        6 => Attributes { region: Some("eu10".into()), ..none },
        8 => Attributes { access: Some(Access::Enforced), ..none },
        9 => Attributes { access: Some(Access::Open), ..none },
        10 => Attributes { environment: Some(Environment::Neo), ..none },
        11 => Attributes { environment: Some(Environment::Multi), ..none },
        12 => Attributes { identity_provider: Some("corp".into()), ..none },
        13 => Attributes { identity_provider: Some("sap.default".into()), ..none },
        14 => Attributes { role_provider: Some("successfactors".into()), ..none },
        15 => Attributes { role_provider: Some("platform".into()), ..none },
        _ => Attributes {
            name: Some("Both".into()),
            environment: Some(Environment::Neo),
            feature_set: Some(FeatureSet::A),
            ..none
        },
    }
}
/// How many numbers [`attributes`] tells apart
pub const ATTRIBUTES: u8 = 16;

/// Users of two origins, one under two spellings
pub const USERS: [&str; 6] = [
    "user:corp/alice@x",
    "user:corp/bob@x",
    "user:sap.default/carol@x",
    "user:ldap/Carol@X",
    "user:corp/dan@x",
    "user:sap.default/alice@x",
];
/// What observes
pub const SOURCES: [&str; 3] = ["listing", "Audit log", "nightly listing"];
/// Groups and attributes
pub const SETS: [&str; 6] = [
    "group:corp/Admins",
    "attribute:corp/dept=IT",
    "group:sap.default/Ops",
    "group:corp/Rules",
    "attribute:corp/dept=HR",
    "group:corp/Ops",
];
/// Whoever may be granted something
pub const PRINCIPALS: [&str; 13] = [
    "user:corp/alice@x",
    "group:corp/Admins",
    "user:corp/bob@x",
    "group:corp/Rules",
    "user:sap.default/carol@x",
    "everyone:corp",
    "attribute:corp/dept=IT",
    "client:corp/CI",
    "user:ldap/Carol@X",
    "user:corp/dan@x",
    "user:sap.default/alice@x",
    "group:sap.default/Ops",
    "everyone:sap.ids",
];
/// Texts that are searched for: parts of names, words in any order, and texts that nothing contains
pub const SEARCHED: [&str; 16] = [
    "ed",
    "neo",
    "a",
    "ALICE",
    "admins",
    "s1",
    " x  ali ",
    "named a1",
    "Ádmins",
    "read",
    "app reader",
    "view",
    "op",
    "corp",
    "nothing",
    "x@alice",
];
/// A user whom nothing ever names
pub const NOBODY: &str = "user:corp/nobody@x";

/// Levels with what may be granted there, `role:` before a single role; what is granted most, first
pub const GRANTS: [(&str, &str); 38] = [
    ("subaccount:s1", "Admins"),
    ("subaccount:s1", "Custom"),
    ("directory:d1", "Admins"),
    ("subaccount:s1", "Viewers"),
    ("cf-org:o1", "role:cf/Org Manager"),
    ("subaccount:n1", "role:neo/Administrator"),
    ("global-account:g", "Admins"),
    ("application:a2", "role:own/Reader"),
    ("service-instance:i1", "role:svc/Creds"),
    ("service-instance:i1", "role:sm/Creds"),
    ("subaccount:s2", "role:acct/Security Admin"),
    ("subaccount:s1", "Ops"),
    ("subaccount:s2", "Admins"),
    ("subaccount:s2", "Custom"),
    ("global-account:g", "Custom"),
    ("global-account:h", "role:acct/Member"),
    ("directory:d1", "Custom"),
    ("directory:d2", "Admins"),
    ("cf-org:o2", "role:cf/Org Manager"),
    ("cf-space:p1", "role:cf/Space Dev"),
    ("cf-space:p2", "role:cf/Space Dev"),
    ("service-instance:i2", "role:svc/Creds"),
    ("service-instance:i2", "role:sm/Creds"),
    ("application:a1", "role:neo/Neo Dev"),
    ("subaccount:n1", "role:neo/Developer"),
    ("subaccount:n1", "role:own/Editor"),
    ("application:a2", "role:neo/Neo Dev"),
    // Bare names, and what is mostly refused.
    ("cf-org:o1", "role:Org Manager"),
    ("cf-space:p1", "role:Space Dev"),
    ("global-account:h", "role:Member"),
    ("subaccount:s1", "role:Viewer"),
    ("subaccount:s1", "role:Auditor"),
    ("service-instance:i1", "role:Creds"),
    ("service-instance:i2", "role:Creds"),
    ("cf-org:o1", "Admins"),
    ("subaccount:s3", "Viewers"),
    ("subaccount:s2", "role:Security Admin"),
    ("subaccount:n1", "Admins"),
];

/// How many of [`GRANTS`] are lawful at the beginning or may become so, all by full names
pub const GRANTS_LAWFUL: usize = 27;

/// Rights over the ledger, what is given most first; the last are never there
pub const RIGHTS: [(&str, &str); 10] = [
    ("ledger:world", "Administrator"),
    ("ledger:world", "Submitter"),
    ("global-account:g", "Submitter"),
    ("subaccount:s1", "Administrator"),
    ("directory:d1", "Submitter"),
    ("ledger:world", "Auditor"),
    ("cf-org:o1", "Administrator"),
    ("ledger:world", "Door"),
    ("subaccount:s1", "Door"),
    ("subaccount:s2", "Never"),
];

/// Who may be given rights; the last never may
pub const HOLDERS: [&str; 6] = [
    "client:corp/CI",
    "user:corp/alice@x",
    "client:nats/hr",
    "user:corp/bob@x",
    "client:tenure/anonymous",
    "group:corp/Admins",
];

/// Names of role collections
pub const ROLE_COLLECTIONS: [&str; 5] = ["Custom", "Ops", "Viewers", "Admins", "Never"];

/// Roles of a custom role collection, by number
pub const ROLE_LISTS: [&[&str]; 11] = [
    &["Admin"],
    &["Viewer", "log1/Auditor"],
    &[],
    &["Own"],
    &["Admin", "own/Own", "dest/Admin"],
    &["log2/Auditor"],
    &["dest/My Viewer"],
    &["own/My Viewer"],
    &["Auditor"],
    &["Unheard", "Auditor"],
    &["Admin", "tenure/Auditor"],
];

/// Custom roles: level, application, name, template, and the number of their scopes
pub const CUSTOM_ROLES: [(&str, &str, &str, &str, u8); 18] = [
    ("subaccount:s1", "own", "Own", "T", 1),
    ("subaccount:s1", "dest", "Viewer", "ViewT", 0),
    ("subaccount:s1", "dest", "My Viewer", "ViewT", 0),
    ("cf-org:o1", "cf", "Org Manager", "OrgT", 2),
    ("subaccount:s1", "log3", "Auditor", "T", 3),
    ("global-account:g", "own", "Own", "T", 2),
    ("directory:d1", "dest", "Admin", "AdminT", 0),
    ("subaccount:s2", "dest", "Own", "AdminT", 0),
    ("subaccount:s1", "own", "My Viewer", "ViewT", 0),
    ("subaccount:s1", "tenure", "Own", "T", 1),
    ("ledger:world", "own", "Own", "T", 1),
    ("subaccount:s1", "tenure", "Auditor", "T", 1),
    ("application:a2", "own", "Reader", "T", 1),
    ("subaccount:n1", "own", "Editor", "ViewT", 0),
    ("subaccount:n1", "own", "Reader", "T", 2),
    ("application:a1", "own", "Reader", "T", 1),
    ("subaccount:n1", "neo", "Developer", "NeoT", 0),
    ("application:a2", "neo", "Own Dev", "NeoT", 0),
];

/// Applications with permissions, the roles that give each, and its paths; the last one is no application
pub const PERMISSIONS: [(&str, &str, &[&str], &[&str]); 12] = [
    ("application:a2", "read", &["Reader"], &["/"]),
    ("application:a2", "edit", &["Editor", "AccountDeveloper"], &["/edit", "/admin"]),
    ("application:a2", "all", &["Everyone"], &["/public"]),
    ("application:a2", "admin", &["AccountAdministrator"], &["/admin"]),
    ("application:a2", "read", &["Own Dev", "Everyone"], &[]),
    ("application:a2", "edit", &[], &["/edit"]),
    ("application:a2", "admin", &["Unheard"], &["/admin/users"]),
    ("application:a1", "read", &["Own", "Reader", "Security Admin"], &["/", "/public"]),
    ("application:a3", "read", &["Everyone"], &["/"]),
    ("application:a2", "read", &["Reader", "Developer"], &["/edit/", "/public"]),
    ("application:a1", "edit", &[], &[]),
    ("subaccount:n1", "read", &["Editor"], &[]),
];

/// Groups that may have a rule
pub const RULED: [&str; 3] = ["group:corp/Rules", "group:corp/Admins", "group:sap.default/Ops"];

/// How many numbers [`rule`] tells apart
pub const RULES: usize = 11;

/// An origin and a rule, by number
pub fn rule(number: usize) -> (&'static str, Rule) {
    let equals = |attribute, value| Requirement::Leaf(RuleLeaf::equals(attribute, value).unwrap());
    let matches =
        |attribute, pattern| Requirement::Leaf(RuleLeaf::matches(attribute, pattern).unwrap());
    let it = equals("dept", "IT");
    let (origin, expression) = match number {
        0 => ("corp", it),
        1 => ("corp", Requirement::Leaf(RuleLeaf::Everyone)),
        2 => ("corp", matches("dept", "(I|H).*")),
        3 => ("corp", equals("Groups", "Admins")),
        4 => ("corp", matches("Groups", "(Ad|Op)[a-z]{1,4}")),
        5 => {
            let both = vec![it, matches("Groups", ".*")];
            ("corp", Requirement::AnyOf(vec![equals("dept", "HR"), Requirement::AllOf(both)]))
        }
        6 => ("sap.default", Requirement::Leaf(RuleLeaf::Everyone)),
        7 => ("sap.default", matches("Groups", "O.s")),
        8 => ("corp", Requirement::AllOf(vec![it, equals("dept", "HR")])),
        // Nobody was added to what these look at: one is the set itself, and the other of another origin.
        9 => ("corp", matches("Groups", "Rule.?")),
        _ => ("sap.default", it),
    };
    (origin, Rule::new(expression).unwrap())
}

/// Scopes of a custom role, by number
pub fn scopes(number: u8) -> Option<Vec<Arc<str>>> {
    match number {
        0 => None,
        1 => Some(vec!["manage".into(), "old.read".into()]),
        2 => Some(vec!["old.read".into(), "tunnels".into()]),
        _ => Some(Vec::new()),
    }
}

/// Abilities with levels where it makes sense to ask for them
pub const ASKED: [(&str, &str); 71] = [
    ("view", "subaccount:s1"),
    ("manage", "subaccount:s1"),
    ("connect", "subaccount:s1"),
    ("connect", "subaccount:s2"),
    ("role:Admin", "subaccount:s1"),
    ("role:Viewer", "subaccount:s1"),
    ("role-collection:Custom", "subaccount:s1"),
    ("role-collection:Ops", "subaccount:s1"),
    ("role-collection:Admins", "subaccount:s1"),
    ("role-collection:Viewers", "subaccount:s1"),
    ("scope:read", "subaccount:s1"),
    ("scope:old.read", "subaccount:s1"),
    ("scope:manage", "subaccount:s1"),
    ("view", "global-account:g"),
    ("oversee", "global-account:g"),
    ("oversee", "directory:d1"),
    ("oversee", "directory:d2"),
    ("look-down", "global-account:g"),
    ("look-down", "directory:d1"),
    ("look-down", "subaccount:s1"),
    ("role:My Viewer", "subaccount:s1"),
    ("role:own/Own", "subaccount:s1"),
    ("role-collection:Admins", "directory:d1"),
    ("role-collection:Custom", "directory:d1"),
    ("role-collection:Admins", "global-account:g"),
    ("role:Member", "global-account:h"),
    ("role:acct/Security Admin", "subaccount:s2"),
    ("view", "subaccount:s2"),
    ("use", "service-instance:i1"),
    ("use", "service-instance:i2"),
    ("role:Creds", "service-instance:i1"),
    ("role:sm/Creds", "service-instance:i2"),
    ("scope:instance", "service-instance:i1"),
    ("role:Org Manager", "cf-org:o1"),
    ("scope:tunnels", "cf-org:o1"),
    ("list", "cf-space:p1"),
    ("role:Space Dev", "cf-space:p2"),
    ("role:Auditor", "subaccount:s1"),
    ("role:Neo Dev", "application:a1"),
    ("ledger.append", "subaccount:s1"),
    ("ledger.administer", "ledger:world"),
    ("ledger.administer", "cf-org:o1"),
    ("ledger.append", "ledger:world"),
    ("ledger.read", "directory:d1"),
    ("role:tenure/Administrator", "ledger:world"),
    ("role:tenure/Submitter", "global-account:g"),
    ("look-down", "ledger:world"),
    ("permission:read", "application:a2"),
    ("permission:edit", "application:a2"),
    ("permission:all", "application:a2"),
    ("permission:admin", "application:a2"),
    ("permission:read", "application:a1"),
    ("path:/", "application:a2"),
    ("path:/admin/users", "application:a2"),
    ("path:/public/a", "application:a2"),
    ("path:/edit", "application:a2"),
    ("role:own/Reader", "application:a2"),
    ("role:neo/Developer", "subaccount:n1"),
    ("role:neo/Administrator", "subaccount:n1"),
    ("scope:read", "application:a2"),
    ("members", "subaccount:n1"),
    ("deploy", "application:a2"),
    ("deploy", "subaccount:n1"),
    ("ledger.append", "application:a2"),
    ("permission:read", "application:a3"),
    // Reached by steps.
    ("use", "service-instance:i1"),
    ("role:svc/Creds", "service-instance:i1"),
    ("role:Space Dev", "cf-space:p1"),
    ("list", "cf-space:p1"),
    ("manage", "subaccount:s1"),
    ("role-collection:Custom", "subaccount:s1"),
];

/// Abilities, some of which nothing ever defines
pub const ABILITIES: [&str; 40] = [
    "operation:view",
    "manage",
    "connect",
    "oversee",
    "look-down",
    "use",
    "list",
    "role:Admin",
    "role:Viewer",
    "role:My Viewer",
    "role:Own",
    "role:own/Own",
    "role:Auditor",
    "role:log1/Auditor",
    "role:log3/Auditor",
    "role:Org Manager",
    "role:Creds",
    "role-collection:Admins",
    "role-collection:Custom",
    "role-collection:Ops",
    "scope:read",
    "scope:list",
    "scope:old.read",
    "scope:tunnels",
    "permission:read",
    "permission:edit",
    "permission:all",
    "path:/admin",
    "path:/public",
    "deploy",
    "members",
    "ledger.append",
    "role:tenure/Administrator",
    "role:Submitter",
    "role:tenure/Never",
    "operation:never",
    "role:Never",
    "scope:never",
    "permission:never",
    "role-collection:Never",
];

/// The level of that text
pub fn level(text: &str) -> Level {
    Level::parse(text).unwrap()
}

/// The principal of that text
pub fn principal(text: &str) -> Principal {
    Principal::parse(text).unwrap()
}

/// The ability of that text
pub fn ability(text: &str) -> Ability {
    Ability::parse(text).unwrap()
}

/// A role collection, or a role after `role:`
pub fn grantable(text: &str) -> GrantableText {
    match text.strip_prefix("role:") {
        Some(role) => GrantableText::Role(RoleText::parse(role).unwrap()),
        None => GrantableText::RoleCollection(text.into()),
    }
}

/// One of [`PRINCIPALS`], or beyond them one of a crowd of users
pub fn one_of_all(number: usize) -> Principal {
    match PRINCIPALS.get(number) {
        Some(text) => principal(text),
        None => one_of_crowd(number - PRINCIPALS.len()),
    }
}

/// One of [`USERS`], or beyond them one of the same crowd
pub fn one_of_users(number: usize) -> Principal {
    match USERS.get(number) {
        Some(text) => principal(text),
        None => one_of_crowd(number - USERS.len()),
    }
}

/// Users whose names are not in the order of their numbers
fn one_of_crowd(number: usize) -> Principal {
    principal(&format!("user:corp/u{}-{number}@x", number * 7_919 % 1_009))
}

/// Every principal that a question may be about; whoever is granted most, first
pub fn principals() -> Vec<Principal> {
    let all = PRINCIPALS.iter().chain(&[NOBODY]);
    all.map(|text| principal(text)).collect()
}

/// How many there are of [`submitters`]
pub const SUBMITTERS: usize = 4;

/// Those who hand entries in; some of them are named in changes too
pub fn submitters() -> [Principal; SUBMITTERS] {
    ["client:tenure/local", "client:corp/CI", "user:corp/alice@x", "client:nats/hr"].map(principal)
}

/// The submitter of an entry, by its number
pub fn submitter(number: u64) -> Principal {
    let [local, ci, alice, hr] = submitters();
    match number * number % 7 {
        0 => alice,
        1 => local,
        2 => hr,
        _ => ci,
    }
}
