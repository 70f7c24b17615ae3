//! What was fetched?

use serde_json::Value;
use tenure_core::Instant;

use crate::window::Window;

/// Which listing an answer is a page of
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum What {
    /// Organizations, `/v3/organizations`
    CfOrganizations,
    /// Spaces, `/v3/spaces`
    CfSpaces,
    /// Users, `/v3/users`
    CfUsers,
    /// Roles, `/v3/roles`
    CfRoles,
    /// Service keys and bindings, without their credentials, `/v3/service_credential_bindings`
    CfServiceCredentialBindings,
    /// Events about access, `/v3/audit_events`
    CfAuditEvents,
    /// Identity providers, `/sap/rest/identity-providers`
    XsuaaIdentityProviders,
    /// Users in the words of UAA, `/Users`
    XsuaaUsers,
    /// Role collections with users, groups and roles, `/sap/rest/authorization/v2/rolecollections`
    XsuaaRoleCollections,
    /// Records of the audit log, `/auditlog/v2/auditlogrecords`
    AuditLogRecords,
    /// Users of an identity provider, `/Users`
    ScimUsers,
    /// Groups of an identity provider, `/Groups`
    ScimGroups,
}

impl What {
    /// Its name, as `cf-roles`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CfOrganizations => "cf-organizations",
            Self::CfSpaces => "cf-spaces",
            Self::CfUsers => "cf-users",
            Self::CfRoles => "cf-roles",
            Self::CfServiceCredentialBindings => "cf-service-credential-bindings",
            Self::CfAuditEvents => "cf-audit-events",
            Self::XsuaaIdentityProviders => "xsuaa-identity-providers",
            Self::XsuaaUsers => "xsuaa-users",
            Self::XsuaaRoleCollections => "xsuaa-role-collections",
            Self::AuditLogRecords => "audit-log-records",
            Self::ScimUsers => "scim-users",
            Self::ScimGroups => "scim-groups",
        }
    }
}

/// One answer of a server: a page of a listing, as it came
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// When the request for this page was sent, by the clock of this machine, in UTC
    pub at: Instant,
    /// Which listing it is a page of
    pub what: What,
    /// The whole body; an empty array if an audit log answered that it has nothing
    pub body: Value,
    /// Which events were asked for, in a listing of events; `None` in a listing that shows how something is
    pub window: Option<Window>,
    /// Whether this is the last page: with it, the listing is whole, as far as the one who asks may see it
    ///
    /// Cloud Foundry shows the organizations in which the user has a role, and all only to a `global_auditor`. An answer
    /// does not say which of the two it is.
    pub complete: bool,
}
