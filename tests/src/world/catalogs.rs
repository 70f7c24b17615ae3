//! Which catalogues are published in the world of the scenarios?
//!
//! Three that differ in all that a catalogue may differ in.

use std::sync::Arc;

use tenure_core::{
    Catalog, CatalogDocument, Direction, Environment, FeatureSet, GivenRow, GivesRow, HeldRow,
    LeafRow, LevelKind, OperationRow, Requirement, RoleCollectionRow, RoleRow, RoleText,
};

use LevelKind::{
    Application, CfOrg, CfSpace, Directory, GlobalAccount, ServiceInstance, Subaccount,
};

const A: Option<FeatureSet> = Some(FeatureSet::A);
const B: Option<FeatureSet> = Some(FeatureSet::B);
const BOTH: Option<FeatureSet> = None;

fn texts(list: &[&str]) -> Vec<Arc<str>> {
    list.iter().map(|text| (*text).into()).collect()
}

/// A row of a catalogue that is for Neo, and for the multi-environment too or not
trait InNeo: Sized {
    fn environments(&mut self) -> &mut Option<Vec<Environment>>;

    fn in_neo(mut self, in_both: bool) -> Self {
        let multi = in_both.then_some(Environment::Multi);
        *self.environments() = Some(multi.into_iter().chain([Environment::Neo]).collect());
        self
    }
}

impl InNeo for RoleRow {
    fn environments(&mut self) -> &mut Option<Vec<Environment>> {
        &mut self.environments
    }
}

impl InNeo for RoleCollectionRow {
    fn environments(&mut self) -> &mut Option<Vec<Environment>> {
        &mut self.environments
    }
}

impl InNeo for OperationRow {
    fn environments(&mut self) -> &mut Option<Vec<Environment>> {
        &mut self.environments
    }
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

fn giving(row: OperationRow, gives: Vec<GivesRow>) -> OperationRow {
    OperationRow { gives: Some(gives), ..row }
}

fn given_here(what: GivenRow) -> GivesRow {
    GivesRow { what, below: None }
}

fn given_below(what: GivenRow, kinds: &[LevelKind]) -> GivesRow {
    GivesRow { what, below: Some(kinds.to_vec()) }
}

fn anything() -> GivenRow {
    GivenRow::AnyRoleCollection
}

fn given_collection(name: &str) -> GivenRow {
    GivenRow::RoleCollection(name.into())
}

fn given_role(text: &str) -> GivenRow {
    GivenRow::Role(RoleText::parse(text).unwrap())
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
            role("!neo/Neo Dev", "NeoT", &[Application], BOTH, &["read"]).in_neo(true),
            role("!neo/Administrator", "T", &[Subaccount], BOTH, &["manage"]).in_neo(false),
            role("!neo/Developer", "T", &[Subaccount], BOTH, &[]).in_neo(false),
        ],
        role_collections: vec![
            collection("Viewers", &[Subaccount], B, &["Viewer"]),
            collection("Admins", &accounts, BOTH, &["dest/Admin"]),
            collection("Auditors", &[Subaccount], BOTH, &["log1/Auditor", "log2/Auditor"]),
            collection("Never There", &[Subaccount], BOTH, &["neo/Developer"]).in_neo(false),
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
            operation(
                "deploy",
                &[Application, Subaccount],
                BOTH,
                any(vec![
                    at("role:neo/Developer", &[Subaccount]),
                    below("role:Neo Dev", &[Application]),
                ]),
            )
            .in_neo(true),
            // What follows gives whoever does it something: one leads to the next.
            giving(
                operation("assign", &accounts, BOTH, at("role:Admin", &[GlobalAccount, Directory])),
                vec![given_below(anything(), &[Directory, Subaccount])],
            ),
            giving(
                operation("collect", &[Subaccount], BOTH, at("scope:manage", &[Subaccount])),
                vec![
                    given_here(anything()),
                    given_below(given_role("cf/Org Manager"), &[CfOrg]),
                    given_here(given_role("Auditor")),
                ],
            ),
            giving(
                operation("staff", &[CfOrg], BOTH, at("role:Org Manager", &[CfOrg])),
                vec![given_below(given_role("Space Dev"), &[CfSpace])],
            ),
            giving(
                operation("bind", &[CfSpace], BOTH, at("role:cf/Space Dev", &[CfSpace])),
                vec![
                    given_below(given_role("svc/Creds"), &[ServiceInstance]),
                    given_below(given_role("Creds"), &[ServiceInstance]),
                ],
            ),
            giving(
                operation(
                    "members",
                    &[Subaccount],
                    BOTH,
                    at("role:neo/Administrator", &[Subaccount]),
                )
                .in_neo(false),
                vec![
                    given_here(given_role("neo/Developer")),
                    given_below(given_role("Reader"), &[Application]),
                    given_here(given_collection("Admins")),
                ],
            ),
            giving(
                operation(
                    "deputise",
                    &[Application],
                    BOTH,
                    at("role:neo/Developer", &[Subaccount]),
                )
                .in_neo(false),
                vec![given_here(given_role("neo/Neo Dev"))],
            ),
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
    // Some give something else, and one gives nothing any more.
    for row in &mut operations {
        match &*row.operation {
            "assign" => row.gives = Some(vec![given_here(given_collection("Admins"))]),
            "staff" => row.gives = None,
            "members" => row.gives = Some(vec![given_here(given_role("own/Editor"))]),
            "deputise" => row.environments = None,
            _ => {}
        }
    }
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
