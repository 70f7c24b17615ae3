//! Which people does the story name?
//!
//! Chance leaves these people alone, so that the questions get the intended answers.

use crate::estate::{App, INVOICING, ORDERS, PRICING, SHIPPING, Unit, WAREHOUSE, WEBSHOP};
use crate::names::user;
use crate::staff::{Person, Post};

pub(crate) const INGRID: &str = "user:sap.default/ingrid.solberg@acme.example";
pub(crate) const MAREK: &str = "user:sap.default/marek.novotny@acme.example";
pub(crate) const AYLIN: &str = "user:sap.default/aylin.kaya@acme.example";
pub(crate) const CHIDI: &str = "user:sap.default/chidi.okafor@acme.example";
pub(crate) const TOMASZ: &str = "user:corp-idp/tomasz.zielinski@acme.example";
pub(crate) const LENA: &str = "user:corp-idp/lena.hartmann@acme.example";
pub(crate) const RAHUL: &str = "user:corp-idp/rahul.menon@acme.example";
pub(crate) const SOFIA: &str = "user:corp-idp/sofia.lindqvist@acme.example";
pub(crate) const MATEO: &str = "user:corp-idp/mateo.vargas@acme.example";
pub(crate) const IBRAHIM: &str = "user:corp-idp/ibrahim.traore@acme.example";
pub(crate) const DANIEL: &str = "user:corp-idp/daniel.weber@acme.example";
pub(crate) const DANIELA: &str = "user:corp-idp/daniela.weber@acme.example";
pub(crate) const NOOR: &str = "user:corp-idp/noor.haddad@acme.example";
pub(crate) const JONAS: &str = "user:corp-idp/jonas.brandt@acme.example";
pub(crate) const PRIYA: &str = "user:corp-idp/priya.raman@acme.example";
pub(crate) const LUKAS: &str = "user:corp-idp/lukas.meier@acme.example";
pub(crate) const YUSUF: &str = "user:corp-idp/yusuf.demir@acme.example";
pub(crate) const BEATRIZ: &str = "user:corp-idp/beatriz.moreira@acme.example";

/// Tomasz has an account of SAP's identity provider too, from the company that Acme bought
pub(crate) const TOMASZ_AT_SAP: &str = "user:sap.default/tomasz.zielinski@acme.example";
pub(crate) const ANA: &str = "user:sap.default/ana.ruiz@contour.example";
/// The auditor that comes from outside once a year
pub(crate) const HELEN: &str = "user:corp-idp/helen.marsh@auditors.example";

/// The portal in which access is requested and approved
pub(crate) const PORTAL: &str = "client:sap.default/access-portal";
/// The feed that reports joiners and leavers
pub(crate) const HR: &str = "client:sap.default/hr-feed";
/// The provisioning client that reports the members of groups
pub(crate) const SCIM: &str = "client:corp-idp/scim";
/// The client that renews keys
pub(crate) const KEYS: &str = "client:sap.default/key-rotation";
/// The client that compares the ledger with the cockpit
pub(crate) const DRIFT: &str = "client:sap.default/drift-watch";
/// The client that does SAP's upgrade
pub(crate) const UPGRADER: &str = "client:sap.default/feature-set-upgrade";
/// The build pipeline
pub(crate) const PIPELINE: &str = "client:sap.default/sb-build-pipeline";

/// The people of the story at its beginning
pub(crate) fn cast() -> Vec<Person> {
    let default = "sap.default";
    let corp = "corp-idp";
    let developer = |app: &'static App| Post::Developer { app, prod: false };
    [
        (default, "Ingrid Solberg", Post::Platform),
        (default, "Marek Novotny", Post::Platform),
        (default, "Aylin Kaya", Post::Platform),
        (default, "Chidi Okafor", Post::Auditor),
        (corp, "Grace Mwangi", Post::Auditor),
        (corp, "Tomasz Zielinski", Post::Lead(&ORDERS)),
        (corp, "Lena Hartmann", Post::Developer { app: &ORDERS, prod: true }),
        (corp, "Rahul Menon", Post::Developer { app: &ORDERS, prod: true }),
        (corp, "Sofia Lindqvist", Post::Operator(Unit::Commerce)),
        (corp, "Mateo Vargas", Post::Operator(Unit::Commerce)),
        (corp, "Hye-jin Park", Post::Operator(Unit::Commerce)),
        (corp, "Ibrahim Traore", developer(&PRICING)),
        (corp, "Daniel Weber", Post::Business(&WEBSHOP)),
        (corp, "Daniela Weber", developer(&WEBSHOP)),
        (corp, "Noor Haddad", developer(&PRICING)),
        (corp, "Jonas Brandt", developer(&WAREHOUSE)),
        (corp, "Priya Raman", Post::Business(&INVOICING)),
        (corp, "Lukas Meier", developer(&SHIPPING)),
        (corp, "Yusuf Demir", Post::Developer { app: &SHIPPING, prod: true }),
        (corp, "Beatriz Moreira", developer(&WEBSHOP)),
    ]
    .into_iter()
    .map(|(origin, name, post)| Person {
        user: user(origin, name),
        name: name.to_owned(),
        post,
        since: None,
        cast: true,
    })
    .collect()
}
