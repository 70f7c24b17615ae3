//! In which world do the scenarios play?
//!
//! A handful of names: levels under both feature sets, principals of two origins, and three catalogues
//! that differ in all that a catalogue may differ in. Scenarios pick from these tables by number, and a
//! smaller number is a plainer pick, so a failure shrinks to plain names.

use std::sync::Arc;

use tenure_core::{
    Ability, Access, Attributes, Catalog, CatalogDocument, Direction, Environment, FeatureSet,
    GrantableText, HeldRow, LeafRow, Level, LevelKind, OperationRow, Principal, Requirement,
    RoleCollectionRow, RoleRow, RoleText,
};

use LevelKind::{CfOrg, CfSpace, Directory, GlobalAccount, ServiceInstance, Subaccount};

/// The ledger of all scenarios
pub const LEDGER: &str = "world";

/// Every level that scenarios name; the five before the ledgers are not there from the start, and the last one never
pub const LEVELS: [&str; 20] = [
    "subaccount:s1",
    "subaccount:s2",
    "global-account:g",
    "directory:d1",
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
    "ledger:world",
    "ledger:other",
];

/// Levels with the parents that they may have, and the number of their attributes
pub const CREATIONS: [(&str, Option<&str>, u8); 24] = [
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
];
/// How many of [`CREATIONS`] make the landscape that scenarios start with
pub const CREATIONS_AT_START: usize = 13;

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
        _ => Attributes {
            name: Some("Both".into()),
            environment: Some(Environment::Neo),
            feature_set: Some(FeatureSet::A),
            ..none
        },
    }
}
/// How many numbers [`attributes`] tells apart
pub const ATTRIBUTES: u8 = 10;

/// Users of two origins, one under two spellings
pub const USERS: [&str; 6] = [
    "user:corp/alice@x",
    "user:corp/bob@x",
    "user:sap.default/carol@x",
    "user:ldap/Carol@X",
    "user:corp/dan@x",
    "user:sap.default/alice@x",
];
/// Groups and attributes
pub const SETS: [&str; 3] =
    ["group:corp/Admins", "attribute:corp/dept=IT", "group:sap.default/Ops"];
/// Whoever may be granted something
pub const PRINCIPALS: [&str; 12] = [
    "user:corp/alice@x",
    "group:corp/Admins",
    "user:corp/bob@x",
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
pub const SEARCHED: [&str; 14] = [
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
pub const GRANTS: [(&str, &str); 32] = [
    ("subaccount:s1", "Admins"),
    ("subaccount:s1", "Custom"),
    ("directory:d1", "Admins"),
    ("subaccount:s1", "Viewers"),
    ("cf-org:o1", "role:cf/Org Manager"),
    ("service-instance:i1", "role:svc/Creds"),
    ("service-instance:i1", "role:sm/Creds"),
    ("global-account:g", "Admins"),
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
];

/// How many of [`GRANTS`] are lawful at the beginning or may become so, all by full names
pub const GRANTS_LAWFUL: usize = 22;

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
pub const CUSTOM_ROLES: [(&str, &str, &str, &str, u8); 12] = [
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
];

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
pub const ASKED: [(&str, &str); 47] = [
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
];

/// Abilities, some of which nothing ever defines
pub const ABILITIES: [&str; 32] = [
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
    "ledger.append",
    "role:tenure/Administrator",
    "role:Submitter",
    "role:tenure/Never",
    "operation:never",
    "role:Never",
    "scope:never",
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

const A: Option<FeatureSet> = Some(FeatureSet::A);
const B: Option<FeatureSet> = Some(FeatureSet::B);
const BOTH: Option<FeatureSet> = None;

fn texts(list: &[&str]) -> Vec<Arc<str>> {
    list.iter().map(|text| (*text).into()).collect()
}

fn sets(set: Option<FeatureSet>) -> Option<Vec<FeatureSet>> {
    set.map(|set| vec![set])
}

/// `application/name`, with `!` before what can be granted by itself
fn role(
    text: &str,
    template: &str,
    at: &[LevelKind],
    set: Option<FeatureSet>,
    scopes: &[&str],
) -> RoleRow {
    let (application, name) = text.trim_start_matches('!').split_once('/').unwrap();
    RoleRow {
        role: name.into(),
        application: application.into(),
        template: Some(template.into()),
        at: at.to_vec(),
        feature_sets: sets(set),
        environments: None,
        scopes: (!scopes.is_empty()).then(|| texts(scopes)),
        grantable: text.starts_with('!').then_some(true),
    }
}

fn collection(
    name: &str,
    at: &[LevelKind],
    set: Option<FeatureSet>,
    roles: &[&str],
) -> RoleCollectionRow {
    RoleCollectionRow {
        role_collection: name.into(),
        at: at.to_vec(),
        feature_sets: sets(set),
        environments: None,
        roles: texts(roles),
    }
}

fn operation(
    id: &str,
    at: &[LevelKind],
    set: Option<FeatureSet>,
    requires: Requirement<LeafRow>,
) -> OperationRow {
    OperationRow {
        operation: id.into(),
        title: None,
        at: at.to_vec(),
        feature_sets: sets(set),
        environments: None,
        requires,
        gives: None,
    }
}

fn any(parts: Vec<Requirement<LeafRow>>) -> Requirement<LeafRow> {
    Requirement::AnyOf(parts)
}

fn all(parts: Vec<Requirement<LeafRow>>) -> Requirement<LeafRow> {
    Requirement::AllOf(parts)
}

/// `role:<name>`, `role:<application>/<name>`, `scope:<name>` or `role-collection:<name>`
fn leaf(held: &str, direction: Direction, kinds: &[LevelKind]) -> Requirement<LeafRow> {
    let (sort, name) = held.split_once(':').unwrap();
    let held = match sort {
        "role" => HeldRow::Role { role: name.into(), application: None },
        "scope" => HeldRow::Scope(name.into()),
        _ => HeldRow::RoleCollection(name.into()),
    };
    Requirement::Leaf(LeafRow { held, direction, kinds: kinds.to_vec() })
}

fn at(held: &str, kinds: &[LevelKind]) -> Requirement<LeafRow> {
    leaf(held, Direction::At, kinds)
}

fn below(held: &str, kinds: &[LevelKind]) -> Requirement<LeafRow> {
    leaf(held, Direction::Below, kinds)
}

fn of_application(application: &str, name: &str, kinds: &[LevelKind]) -> Requirement<LeafRow> {
    Requirement::Leaf(LeafRow {
        held: HeldRow::Role { role: name.into(), application: Some(application.into()) },
        direction: Direction::At,
        kinds: kinds.to_vec(),
    })
}

fn catalog(document: CatalogDocument) -> Arc<Catalog> {
    Arc::new(Catalog::new(document).unwrap())
}

/// How many numbers [`catalogs`] has
pub const CATALOGS: usize = 3;

/// The catalogues, oldest first
pub fn catalogs() -> [Arc<Catalog>; CATALOGS] {
    [catalog(first()), catalog(second()), catalog(bare())]
}

fn first() -> CatalogDocument {
    let accounts = [GlobalAccount, Directory, Subaccount];
    CatalogDocument {
        version: "first".into(),
        custom_role_collections: Some(vec![GlobalAccount, Subaccount]),
        scope_aliases: Some([("old.read".into(), "read".into())].into()),
        roles: vec![
            role("dest/Viewer", "ViewT", &[Subaccount], B, &["read"]),
            role("dest/Admin", "AdminT", &accounts, BOTH, &["old.read", "manage"]),
            role("log1/Auditor", "AuditT", &[Subaccount], BOTH, &["audit"]),
            role("log2/Auditor", "AuditT", &[Subaccount], BOTH, &["audit", "read"]),
            role("!acct/Member", "MemberT", &[GlobalAccount], A, &["manage"]),
            role("!acct/Security Admin", "SecT", &[Subaccount], A, &["manage"]),
            role("!cf/Org Manager", "OrgT", &[CfOrg], BOTH, &["tunnels"]),
            role("!cf/Space Dev", "SpaceT", &[CfSpace], BOTH, &[]),
            role("!svc/Creds", "CredT", &[ServiceInstance], BOTH, &["instance"]),
            role("!sm/Creds", "SmT", &[ServiceInstance], BOTH, &["instance", "list"]),
            role("!neo/Neo Dev", "NeoT", &[LevelKind::Application], BOTH, &["read"]),
        ],
        role_collections: vec![
            collection("Viewers", &[Subaccount], B, &["Viewer"]),
            collection("Admins", &accounts, BOTH, &["dest/Admin"]),
            collection("Auditors", &[Subaccount], BOTH, &["log1/Auditor", "log2/Auditor"]),
        ],
        operations: vec![
            operation(
                "view",
                &[Subaccount],
                B,
                any(vec![at("role:Viewer", &[Subaccount]), at("role:Admin", &accounts)]),
            ),
            operation(
                "view",
                &[Subaccount],
                A,
                any(vec![
                    at("role:Member", &[GlobalAccount]),
                    all(vec![
                        at("role:Security Admin", &[Subaccount]),
                        any(vec![
                            below("role:Org Manager", &[CfOrg]),
                            below("role:cf/Space Dev", &[CfSpace]),
                        ]),
                    ]),
                ]),
            ),
            operation("manage", &[Subaccount, CfSpace], BOTH, at("scope:manage", &[Subaccount])),
            operation(
                "connect",
                &[Subaccount],
                BOTH,
                any(vec![
                    below("scope:tunnels", &[CfOrg]),
                    all(vec![
                        at("role-collection:Admins", &accounts),
                        below("role:svc/Creds", &[ServiceInstance]),
                    ]),
                ]),
            ),
            operation(
                "oversee",
                &[GlobalAccount, Directory],
                BOTH,
                any(vec![
                    at("role-collection:Admins", &[Directory, GlobalAccount]),
                    all(vec![
                        below("role-collection:Viewers", &[Subaccount]),
                        below("scope:old.read", &[Subaccount, Directory]),
                    ]),
                ]),
            ),
            operation(
                "look-down",
                &[GlobalAccount, Directory, Subaccount],
                BOTH,
                any(vec![
                    below("scope:manage", &accounts),
                    below("role-collection:Viewers", &[Subaccount]),
                ]),
            ),
            operation(
                "use",
                &[ServiceInstance],
                BOTH,
                all(vec![
                    any(vec![
                        at("role:Org Manager", &[CfOrg]),
                        at("role:Space Dev", &[CfSpace]),
                        at("role:sm/Creds", &[ServiceInstance]),
                    ]),
                    any(vec![
                        at("scope:instance", &[ServiceInstance]),
                        of_application("dest", "Admin", &[Subaccount]),
                    ]),
                ]),
            ),
            operation("list", &[CfSpace], B, at("role:Space Dev", &[CfSpace])),
        ],
    }
}

/// Wider here, narrower there: aliases the other way round, custom role collections in directories, a
/// predefined one of a name that may be custom
fn second() -> CatalogDocument {
    let accounts = [GlobalAccount, Directory, Subaccount];
    let document = first();
    let mut roles = document.roles;
    roles.retain(|row| *row.role != *"Viewer");
    roles.push(role("dest/Viewer", "ViewT", &[Subaccount], BOTH, &["list", "audit"]));
    roles.push(role("own/Own", "T", &[Subaccount], B, &["manage"]));
    let mut operations = document.operations;
    operations
        .retain(|row| *row.operation != *"list" && row.feature_sets != Some(vec![FeatureSet::A]));
    operations.push(operation(
        "list",
        &[CfSpace],
        BOTH,
        any(vec![at("role:Space Dev", &[CfSpace]), at("scope:read", &[Subaccount])]),
    ));
    CatalogDocument {
        version: "second".into(),
        custom_role_collections: Some(vec![GlobalAccount, Directory, Subaccount]),
        scope_aliases: Some([("read".into(), "list".into())].into()),
        roles,
        role_collections: vec![
            collection("Viewers", &[Subaccount], BOTH, &["Viewer", "log1/Auditor"]),
            collection("Admins", &accounts, B, &["Admin"]),
            collection("Ops", &[Subaccount], BOTH, &["Admin"]),
            collection("Custom", &[GlobalAccount], BOTH, &["Admin"]),
        ],
        operations,
    }
}

/// Next to nothing
fn bare() -> CatalogDocument {
    CatalogDocument {
        version: "bare".into(),
        custom_role_collections: None,
        scope_aliases: None,
        roles: vec![
            role("cf/Org Manager", "OrgT", &[CfOrg], BOTH, &["tunnels"]),
            role("dest/Viewer", "ViewT", &[Subaccount], B, &["old.read"]),
        ],
        role_collections: vec![collection("Viewers", &[Subaccount], B, &["Viewer"])],
        operations: vec![operation(
            "view",
            &[Subaccount],
            B,
            all(vec![at("role-collection:Viewers", &[Subaccount])]),
        )],
    }
}
