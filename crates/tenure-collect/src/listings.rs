//! Which listings does a source of each kind have?

use form_urlencoded::Serializer;
use tenure_core::Instant;

use crate::fetched::What;
use crate::settings::Kind;
use crate::source::Source;
use crate::window::Window;

/// Events of Cloud Foundry that are about access, or about what access is given to
const CF_EVENT_TYPES: [&str; 41] = [
    "audit.user.space_auditor_add",
    "audit.user.space_auditor_remove",
    "audit.user.space_supporter_add",
    "audit.user.space_supporter_remove",
    "audit.user.space_developer_add",
    "audit.user.space_developer_remove",
    "audit.user.space_manager_add",
    "audit.user.space_manager_remove",
    "audit.user.organization_user_add",
    "audit.user.organization_user_remove",
    "audit.user.organization_auditor_add",
    "audit.user.organization_auditor_remove",
    "audit.user.organization_billing_manager_add",
    "audit.user.organization_billing_manager_remove",
    "audit.user.organization_manager_add",
    "audit.user.organization_manager_remove",
    "audit.organization.create",
    "audit.organization.update",
    "audit.organization.delete-request",
    "audit.space.create",
    "audit.space.update",
    "audit.space.delete-request",
    "audit.service_instance.create",
    "audit.service_instance.delete",
    "audit.service_instance.purge",
    "audit.service_instance.share",
    "audit.service_instance.unshare",
    "audit.service_instance.start_create",
    "audit.service_instance.start_update",
    "audit.service_instance.start_delete",
    "audit.service_binding.create",
    "audit.service_binding.delete",
    "audit.service_binding.start_create",
    "audit.service_binding.start_delete",
    "audit.service_key.create",
    "audit.service_key.delete",
    "audit.service_key.show",
    "audit.service_key.start_create",
    "audit.service_key.start_delete",
    "audit.user_provided_service_instance.create",
    "audit.user_provided_service_instance.delete",
];
/// Largest page that Cloud Foundry gives
const CF_PER_PAGE: &str = "5000";
/// Largest page that an identity provider and a UAA both give
pub(crate) const SCIM_COUNT: u64 = 100;

/// How a listing is cut into pages
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paging {
    /// It has one page, an array
    One,
    /// Each page says the URL of the next (Cloud Foundry)
    NextUrl,
    /// Each page is asked for by the number of its first resource (SCIM)
    StartIndex,
    /// A header names a handle of the next page (audit log)
    Handle,
}

/// A listing that is asked for
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) what: What,
    pub(crate) paging: Paging,
    /// Where it is, without a query
    pub(crate) path: String,
    /// Its first page
    pub(crate) first: String,
    /// Which events it has
    pub(crate) window: Option<Window>,
}

/// All listings of a source, in the order in which they are asked for
///
/// What names people and levels comes before what is said of them, and how things are before what happened.
pub(crate) fn listings(source: &Source, window: Window) -> Vec<Listing> {
    let base = &source.base;
    let at = |what, paging, path: &str, query: &[(&str, &str)], window| {
        let path = base.at(path);
        let first = match query {
            [] => path.clone(),
            _ => {
                let query = Serializer::new(String::new()).extend_pairs(query).finish();
                format!("{path}?{query}")
            }
        };
        Listing { what, paging, path, first, window }
    };
    let cf = |what, path| {
        let query = [("per_page", CF_PER_PAGE), ("order_by", "created_at")];
        at(what, Paging::NextUrl, path, &query, None)
    };
    let scim = |what, path| {
        let count = SCIM_COUNT.to_string();
        at(what, Paging::StartIndex, path, &[("startIndex", "1"), ("count", &count)], None)
    };
    match source.kind {
        Kind::Cf => {
            let mut all = vec![
                cf(What::CfOrganizations, "/v3/organizations"),
                cf(What::CfSpaces, "/v3/spaces"),
                cf(What::CfUsers, "/v3/users"),
                cf(What::CfRoles, "/v3/roles"),
                cf(What::CfServiceCredentialBindings, "/v3/service_credential_bindings"),
            ];
            if window.from() < window.until() {
                let query = [
                    ("per_page", CF_PER_PAGE),
                    ("order_by", "created_at"),
                    ("created_ats[gte]", &window.from().to_string()),
                    ("created_ats[lt]", &window.until().to_string()),
                    ("types", &CF_EVENT_TYPES.join(",")),
                ];
                let (what, path) = (What::CfAuditEvents, "/v3/audit_events");
                all.push(at(what, Paging::NextUrl, path, &query, Some(window)));
            }
            all
        }
        Kind::Xsuaa => {
            let collections =
                [("showGroups", "true"), ("showRoles", "true"), ("showUsers", "true")];
            vec![
                at(
                    What::XsuaaIdentityProviders,
                    Paging::One,
                    "/sap/rest/identity-providers",
                    &[],
                    None,
                ),
                scim(What::XsuaaUsers, "/Users"),
                at(
                    What::XsuaaRoleCollections,
                    Paging::One,
                    "/sap/rest/authorization/v2/rolecollections",
                    &collections,
                    None,
                ),
            ]
        }
        Kind::AuditLog => {
            let piece = |piece: Window| {
                let (from, until) = (audit_log_time(piece.from()), audit_log_time(piece.until()));
                let query = [
                    ("time_from", from.as_str()),
                    ("time_to", until.as_str()),
                    ("category", "audit.configuration,audit.security-events"),
                ];
                let (what, path) = (What::AuditLogRecords, "/auditlog/v2/auditlogrecords");
                at(what, Paging::Handle, path, &query, Some(piece))
            };
            window.pieces().into_iter().map(piece).collect()
        }
        Kind::Scim => vec![scim(What::ScimUsers, "/Users"), scim(What::ScimGroups, "/Groups")],
    }
}

/// A whole second in UTC as an audit log reads it, without a zone
fn audit_log_time(instant: Instant) -> String {
    instant.to_string().trim_end_matches('Z').to_owned()
}
