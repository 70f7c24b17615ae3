//! Which principal do the claims of a token name?

use serde_json::{Map, Value};
use tenure_core::{Principal, PrincipalKind};

use crate::hall::caller::vouched;

/// How the claims of an issuer's tokens name users and clients
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mapping {
    /// Origin of its users and clients
    pub(super) origin: String,
    /// The claim that names a user
    pub(super) user: Option<String>,
    /// The claim that says the origin of a user, if not all have [`Mapping::origin`]
    pub(super) user_origin: Option<String>,
    /// The claim that names a client, in tokens that name no user
    pub(super) client: Option<String>,
}

impl Mapping {
    /// The user of a token, or the client where it names no user
    pub(super) fn principal(&self, claims: &Map<String, Value>) -> Result<Principal, &'static str> {
        let text = |claim: &Option<String>| {
            let value = claims.get(claim.as_deref()?)?.as_str()?;
            Some(value).filter(|value| !value.is_empty())
        };
        let (kind, origin, name) = if let Some(name) = text(&self.user) {
            if self.user.as_deref() == Some("email")
                && claims.get("email_verified").is_some_and(|verified| !is_true(verified))
            {
                return Err("the issuer of the token has not verified the e-mail address in it");
            }
            let origin = match &self.user_origin {
                None => &self.origin,
                said => text(said).ok_or("the token does not say the origin of its user")?,
            };
            (PrincipalKind::User, origin, name)
        } else {
            let client = text(&self.client);
            let none = "the token has none of the claims that name a user or a client";
            (PrincipalKind::Client, self.origin.as_str(), client.ok_or(none)?)
        };
        // An origin with a `/` would take a part of the name for its own.
        if origin.contains('/') {
            return Err("the origin of the token's user is none");
        }
        let principal = Principal::parse(&format!("{}:{origin}/{name}", kind.as_str()));
        let principal = principal.map_err(|_| "the name in the token is no name of a principal")?;
        vouched(principal).map_err(|_| "the token names a principal that no issuer may name")
    }
}

/// Some issuers write truth as a text
fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(mapping: &Mapping, claims: Value) -> Result<String, &'static str> {
        let Value::Object(claims) = claims else { panic!("no claims") };
        mapping.principal(&claims).map(|principal| principal.to_string())
    }

    #[test]
    fn claims_name_a_user_else_a_client() {
        let claim = |name: &str| Some(name.to_owned());
        let xsuaa = Mapping {
            origin: "xsuaa".into(),
            user: claim("user_name"),
            user_origin: claim("origin"),
            client: claim("client_id"),
        };
        let user = json!({"user_name": "Ann@x", "origin": "corp", "client_id": "sb-app"});
        assert_eq!(named(&xsuaa, user).unwrap(), "user:corp/ann@x");
        let client = json!({"client_id": "sb-app!t1", "origin": "corp"});
        assert_eq!(named(&xsuaa, client).unwrap(), "client:xsuaa/sb-app!t1");
        for (claims, part) in [
            (json!({"user_name": "ann@x", "client_id": "a"}), "origin of its user"),
            (json!({"user_name": "ann@x", "origin": "tenure"}), "no issuer may name"),
            (json!({"user_name": "crm", "origin": "nats"}), "no issuer may name"),
            (json!({"user_name": "b", "origin": "corp/a"}), "is none"),
            (json!({"user_name": 7, "client_id": ""}), "none of the claims"),
            (json!({"user_name": "a\nb", "origin": "corp"}), "no name"),
        ] {
            let said = named(&xsuaa, claims.clone()).unwrap_err();
            assert!(said.contains(part), "{claims} {said}");
        }
    }

    #[test]
    fn an_address_counts_where_the_issuer_verified_it_or_says_nothing_of_it() {
        let mapping = Mapping {
            origin: "ias".into(),
            user: Some("email".into()),
            user_origin: None,
            client: None,
        };
        for verified in [json!(true), json!("true")] {
            let claims = json!({"email": "a@x", "email_verified": verified});
            assert_eq!(named(&mapping, claims).unwrap(), "user:ias/a@x");
        }
        assert_eq!(named(&mapping, json!({"email": "a@x"})).unwrap(), "user:ias/a@x");
        for verified in [json!(false), json!("false"), json!(null), json!(1)] {
            let claims = json!({"email": "a@x", "email_verified": verified});
            assert!(named(&mapping, claims).unwrap_err().contains("verified"));
        }
        assert!(named(&mapping, json!({"client_id": "x"})).is_err());
    }
}
