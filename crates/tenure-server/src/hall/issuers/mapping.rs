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
    /// The user of a token, or the client of one that a client got for itself
    pub(super) fn principal(&self, claims: &Map<String, Value>) -> Result<Principal, &'static str> {
        if let Some(user) = self.user(claims)? {
            return Ok(user);
        }
        let none = "the token has none of the claims that name a user or a client";
        let client = text(claims, self.client.as_deref()).ok_or(none)?;
        if !is_clients_own(claims, client) {
            return Err(
                "the token names a client and no user, and does not say that the client got it for itself",
            );
        }
        named(PrincipalKind::Client, &self.origin, client)
    }

    /// The user of a token; `None` where it has no claim that names one
    pub(super) fn user(
        &self,
        claims: &Map<String, Value>,
    ) -> Result<Option<Principal>, &'static str> {
        let Some(claim) = self.user.as_deref().filter(|claim| claims.contains_key(*claim)) else {
            return Ok(None);
        };
        // Whom an unclear name stands for is not guessed: not the client of the user either.
        let name =
            text(claims, Some(claim)).ok_or("the name of the user in the token is no text")?;
        if claim == "email"
            && claims.get("email_verified").is_some_and(|verified| !is_true(verified))
        {
            return Err("the issuer of the token has not verified the e-mail address in it");
        }
        let origin = match self.user_origin.as_deref() {
            None => &self.origin,
            said => text(claims, said).ok_or("the token does not say the origin of its user")?,
        };
        named(PrincipalKind::User, origin, name).map(Some)
    }
}

/// The text of a claim, unless it is empty
fn text<'c>(claims: &'c Map<String, Value>, claim: Option<&str>) -> Option<&'c str> {
    claims.get(claim?)?.as_str().filter(|value| !value.is_empty())
}

/// Whether a token says that a client got it for itself and not for a user, in one of the ways that issuers have
fn is_clients_own(claims: &Map<String, Value>, client: &str) -> bool {
    let said = |name: &str| claims.get(name).and_then(Value::as_str);
    let subject = said("sub");
    subject.is_none()
        || subject == Some(client)
        || said("grant_type") == Some("client_credentials")
        || said("gty") == Some("client-credentials")
        || said("idtyp") == Some("app")
}

fn named(kind: PrincipalKind, origin: &str, name: &str) -> Result<Principal, &'static str> {
    // An origin with a `/` would take a part of the name for its own.
    if origin.contains('/') {
        return Err("the origin of the token's user is none");
    }
    let principal = Principal::parse(&format!("{}:{origin}/{name}", kind.as_str()));
    let principal = principal.map_err(|_| "the name in the token is no name of a principal")?;
    vouched(principal).map_err(|_| "the token names a principal that no issuer may name")
}

/// Some issuers write truth as a text
fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapped(mapping: &Mapping, claims: Value) -> Result<String, &'static str> {
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
        assert_eq!(mapped(&xsuaa, user).unwrap(), "user:corp/ann@x");
        let client = json!({"client_id": "sb-app!t1", "origin": "corp"});
        assert_eq!(mapped(&xsuaa, client).unwrap(), "client:xsuaa/sb-app!t1");
        for own in [
            json!({"sub": "sb-app", "client_id": "sb-app"}),
            json!({"sub": "x", "grant_type": "client_credentials", "client_id": "sb-app"}),
            json!({"sub": "x", "idtyp": "app", "client_id": "sb-app"}),
        ] {
            assert_eq!(mapped(&xsuaa, own).unwrap(), "client:xsuaa/sb-app");
        }
        for (claims, part) in [
            (json!({"user_name": "ann@x", "client_id": "a"}), "origin of its user"),
            (json!({"user_name": "ann@x", "origin": "tenure"}), "no issuer may name"),
            (json!({"user_name": "crm", "origin": "nats"}), "no issuer may name"),
            (json!({"user_name": "b", "origin": "corp/a"}), "is none"),
            (json!({"client_id": ""}), "none of the claims"),
            // A user whom the token does not name well is not the client that it was made for.
            (json!({"user_name": 7, "client_id": "sb-app"}), "no text"),
            (json!({"user_name": "", "client_id": "sb-app"}), "no text"),
            (json!({"user_name": null, "client_id": "sb-app"}), "no text"),
            (json!({"sub": "a-person", "client_id": "sb-app"}), "got it for itself"),
            (json!({"user_name": "a\nb", "origin": "corp"}), "no name"),
        ] {
            let said = mapped(&xsuaa, claims.clone()).unwrap_err();
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
            assert_eq!(mapped(&mapping, claims).unwrap(), "user:ias/a@x");
        }
        assert_eq!(mapped(&mapping, json!({"email": "a@x"})).unwrap(), "user:ias/a@x");
        for verified in [json!(false), json!("false"), json!(null), json!(1)] {
            let claims = json!({"email": "a@x", "email_verified": verified});
            assert!(mapped(&mapping, claims).unwrap_err().contains("verified"));
        }
        assert!(mapped(&mapping, json!({"client_id": "x"})).is_err());
    }
}
