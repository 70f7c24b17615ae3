//! Who sends a token that a known issuer signed is the user or the client that it names, and nobody else gets in by one
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
mod issuer;

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Server, Start, assert_sentence, poll_for, tenure};
use issuer::{Issuer, Key, now};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How the issuer of these tests names users and clients
const MAPPING: &str = "origin = \"corp\"\nuser = \"email\"\nclient = \"client_id\"";
const NOBODY: &str = "say who you are";

/// A server that believes these issuers
fn believing(tables: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenure.toml");
    fs::write(&file, tables).unwrap();
    let server = Start::on(&folder.path().join("data")).arg("--config", file.to_str().unwrap());
    (server.ready(), folder)
}

/// The status and the JSON of a question with a token
fn ask(server: &Server, token: &str) -> (u16, Value) {
    let request = server.agent().get(format!("{}/v1/levels", server.url()));
    let mut answer = request.header("authorization", format!("Bearer {token}")).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
}

fn status(server: &Server, token: &str) -> u16 {
    ask(server, token).0
}

/// Who a token is taken for: the submitter of what is appended with it
fn who(server: &Server, token: &str) -> String {
    let change = json!({ "type": "revoke", "level": "subaccount:dev", "role_collection": "x",
                         "from": "user:corp/nobody" });
    let request = server.agent().post(format!("{}/v1/entries", server.url()));
    let request = request.header("authorization", format!("Bearer {token}"));
    let appended: Value = request
        .send_json(json!({ "actor": "user:corp/somebody", "changes": [change] }))
        .unwrap()
        .body_mut()
        .read_json()
        .unwrap();
    let position = &appended["results"][0]["position"];
    assert!(position.is_u64(), "{appended:#}");
    let request = server.agent().get(format!("{}/v1/entries/{position}", server.url()));
    let mut row = request.header("authorization", format!("Bearer {token}")).call().unwrap();
    let row: Value = row.body_mut().read_json().unwrap();
    row["submitter"].as_str().unwrap().to_owned()
}

fn refused(server: &Server, token: &str, part: &str) {
    let (status, problem) = ask(server, token);
    assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{problem:#}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(part), "{detail} / {part}");
    assert_sentence(detail);
    let signature = token.rsplit('.').next().unwrap();
    assert!(signature.len() < 9 || !server.stderr().contains(signature), "a token is shown");
}

/// A token whose header and claims say this, with a signature of nothing
fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", text(header), text(claims))
}

#[test]
fn a_token_is_of_the_user_or_the_client_that_it_names() {
    let rsa = Key::rsa("r1");
    let curve = Key::curve("e1");
    let issuer = Issuer::with(&[&rsa, &curve]);
    let xsuaa = Issuer::with(&[&rsa]);
    let tables = issuer.table(MAPPING)
        + &xsuaa.table(
            "algorithms = [\"RS256\"]\norigin = \"xsuaa\"\nuser = \"user_name\"\nuser-origin = \"origin\"\nclient = \"cid\"",
        );
    let (server, _folder) = believing(&tables);
    let ann = issuer.claims(json!({ "email": "Ann@x", "email_verified": true }));
    assert_eq!(who(&server, &rsa.sign(&ann)), "user:corp/ann@x");
    assert_eq!(who(&server, &curve.sign(&ann)), "user:corp/ann@x");
    let ci = issuer.claims(json!({ "client_id": "ci" }));
    assert_eq!(who(&server, &rsa.sign(&ci)), "client:corp/ci");
    let several = issuer.claims(json!({ "client_id": "ci", "aud": ["other", issuer::AUDIENCE] }));
    assert_eq!(who(&server, &rsa.sign(&several)), "client:corp/ci");
    let bob = xsuaa.claims(json!({ "user_name": "bob@x", "origin": "sap.default", "cid": "app" }));
    assert_eq!(who(&server, &rsa.sign(&bob)), "user:sap.default/bob@x");
    let app = xsuaa.claims(json!({ "cid": "app" }));
    assert_eq!(who(&server, &rsa.sign(&app)), "client:xsuaa/app");
    // The other issuer signs by this one algorithm alone.
    let other = xsuaa.claims(json!({ "cid": "app" }));
    refused(&server, &curve.sign(&other), "algorithm");
    // Without a key id there must be one key only that it can be.
    let nameless = |key: &Key| key.sign_as(&Header::new(key.algorithm), &ann);
    assert_eq!(who(&server, &nameless(&rsa)), "user:corp/ann@x");
    let nobody = server.get("/v1/levels");
    nobody.is_problem(401, "unauthenticated", &[NOBODY]);
}

#[test]
fn a_token_that_is_not_whole_true_or_of_now_is_refused() {
    let key = Key::rsa("r1");
    let foreign = Key::rsa("r1");
    let issuer = Issuer::with(&[&key]);
    let (server, _folder) = believing(&issuer.table(MAPPING));
    let claims = |more: Value| issuer.claims(more);
    let ann = || claims(json!({ "email": "ann@x" }));
    let with = |more: Value| {
        let mut claims = ann();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key.sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = ann();
        claims.as_object_mut().unwrap().remove(name);
        key.sign(&claims)
    };
    let good = key.sign(&ann());
    assert_eq!(status(&server, &good), 200);
    for (token, part) in [
        (with(json!({ "exp": now() - 61 })), "expired"),
        (with(json!({ "nbf": now() + 120 })), "not valid yet"),
        (with(json!({ "iat": now() + 120 })), "in the future"),
        (with(json!({ "aud": "other" })), "another audience"),
        (with(json!({ "aud": [] })), "another audience"),
        (with(json!({ "iss": "https://evil.example" })), "none that this server believes"),
        (with(json!({ "iss": [issuer.name()] })), "cannot be read"),
        (with(json!({ "exp": "soon" })), "lacks one of the claims"),
        (with(json!({ "email": "x".repeat(17_000) })), "longer than"),
        (with(json!({ "email_verified": false })), "has not verified"),
        (with(json!({ "email": "a\u{0}b" })), "no name"),
        (without("exp"), "lacks one of the claims"),
        (without("aud"), "lacks one of the claims"),
        (without("iss"), "cannot be read"),
        (without("email"), "none of the claims"),
        (foreign.sign(&ann()), "signature of the token is wrong"),
        ("a.b.c".to_owned(), "cannot be read"),
        ("..".to_owned(), "cannot be read"),
    ] {
        refused(&server, &token, part);
    }
    // The claims of one token under the signature of another
    let parts: Vec<&str> = good.split('.').collect();
    let root = URL_SAFE_NO_PAD.encode(claims(json!({ "email": "root@x" })).to_string());
    refused(
        &server,
        &format!("{}.{root}.{}", parts[0], parts[2]),
        "signature of the token is wrong",
    );
    // No signature, or one that anybody can make who has the public key
    for algorithm in ["none", "None", "HS256", "RS512"] {
        let header = json!({ "alg": algorithm, "kid": "r1", "typ": "JWT" });
        for signature in ["", parts[2]] {
            let (status, problem) = ask(&server, &unsigned(&header, &ann(), signature));
            assert_eq!(status, 401, "{algorithm} {problem:#}");
        }
    }
    let modulus = URL_SAFE_NO_PAD.decode(key.public()["n"].as_str().unwrap()).unwrap();
    let public = key.public().to_string();
    for secret in [modulus.as_slice(), public.as_bytes()] {
        let header = Header { kid: Some("r1".into()), ..Header::new(Algorithm::HS256) };
        let forged = encode(&header, &ann(), &EncodingKey::from_secret(secret).unwrap()).unwrap();
        refused(&server, &forged, "algorithm");
    }
    // A header that asks for what this server does not do, or that brings its own key
    let header = Header { kid: Some("r1".into()), ..Header::new(Algorithm::RS256) };
    let critical = Header { crit: Some(vec!["exp".into()]), ..header.clone() };
    refused(&server, &key.sign_as(&critical, &ann()), "cannot be read");
    let jwk = serde_json::from_value(foreign.public()).unwrap();
    let own_key = Header { jwk: Some(jwk), ..header.clone() };
    refused(&server, &foreign.sign_as(&own_key, &ann()), "signature of the token is wrong");
    let own_url =
        Header { jku: Some(format!("{}/keys", issuer.name())), kid: Some("r2".into()), ..header };
    refused(&server, &foreign.sign_as(&own_url, &ann()), "none of its issuer's");
    assert_eq!(status(&server, &good), 200);
}

#[test]
fn keys_rotate_and_an_issuer_that_is_away_is_still_believed() {
    let (old, new, late) = (Key::rsa("old"), Key::rsa("new"), Key::rsa("late"));
    let issuer = Issuer::with(&[&old]);
    let (server, _folder) = believing(&issuer.table(MAPPING));
    let claims = || issuer.claims(json!({ "email": "ann@x" }));
    assert_eq!(status(&server, &old.sign(&claims())), 200);

    // A key of a kind that is not known, one that encrypts, and a broken one spoil nothing.
    let mut encrypts = old.public();
    encrypts["use"] = json!("enc");
    let others =
        [json!({ "kty": "future", "kid": "f" }), encrypts, json!({ "kty": "RSA", "kid": 7 })];
    let mut keys = vec![new.public()];
    keys.extend(others);
    issuer.publish(&keys);
    let patience = Duration::from_secs(20);
    let taken = || (status(&server, &new.sign(&claims())) == 200).then_some(());
    poll_for(patience, taken).expect("the new key is fetched when a token has it");
    refused(&server, &old.sign(&claims()), "none of its issuer's");

    // Whoever sends keys that nobody has makes the server ask no more often.
    let before = issuer.asked();
    for n in 0..100 {
        let header = Header { kid: Some(n.to_string()), ..Header::new(Algorithm::RS256) };
        assert_eq!(status(&server, &late.sign_as(&header, &claims())), 401);
    }
    assert!(issuer.asked() - before <= 20, "{} times", issuer.asked() - before);

    issuer.is_away(true);
    issuer.publish(&[late.public()]);
    let away = || {
        let (status, problem) = ask(&server, &late.sign(&claims()));
        assert_eq!(status, 401);
        problem["detail"].as_str().unwrap().contains("could not be asked").then_some(())
    };
    poll_for(patience, away).expect("an unknown key while the issuer is away");
    assert_eq!(status(&server, &new.sign(&claims())), 200, "a key of before is still taken");
    issuer.is_away(false);
    let back = || (status(&server, &late.sign(&claims())) == 200).then_some(());
    poll_for(patience, back).expect("the issuer is asked again");
}

#[test]
fn keys_may_be_in_a_file() {
    let (old, new) = (Key::rsa("old"), Key::rsa("new"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let write =
        |key: &Key| fs::write(&file, json!({ "keys": [key.public()] }).to_string()).unwrap();
    write(&old);
    let issuer = Issuer::with(&[]);
    let table = issuer.table(MAPPING);
    let url = format!("{}/keys", issuer.name());
    let (server, _folder) = believing(&table.replace(&url, file.to_str().unwrap()));
    let claims = || issuer.claims(json!({ "email": "ann@x" }));
    assert_eq!(status(&server, &old.sign(&claims())), 200);
    write(&new);
    let taken = || (status(&server, &new.sign(&claims())) == 200).then_some(());
    poll_for(Duration::from_secs(20), taken).expect("the file is read again");
    assert_eq!(issuer.asked(), 0);
}

#[test]
fn an_issuer_that_cannot_be_used_stops_the_start_with_a_sentence() {
    let good = Issuer::with(&[]).table(MAPPING);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenure.toml");
    for (table, part) in [
        (good.replace("http://", "http://evil.example/"), "https"),
        (good.replace("\"tenure\"", ""), "audiences"),
        (good.replace("corp", "tenure"), "the ledger gives itself"),
        (good.replace("corp", "nats"), "the ledger gives itself"),
        (good.replace("corp", "a/b"), "origin key"),
        (good.replace("user = ", "user-origin = ").replace("client = ", "# "), "say by `user`"),
        (good.clone() + "algorithms = [\"HS256\"]", "shared secret"),
        (good.clone() + "algorithms = [\"none\"]", "shared secret"),
        (good.clone() + "algorithms = []", "at least one"),
        (good.clone() + "ca = \"/none\"", "`/none` cannot be read"),
        (good.clone() + &good, "twice"),
        (good.clone() + "usr = \"very-secret\"", "line 8"),
        (good.clone() + "ca = \"very-secret", "line 8"),
    ] {
        fs::write(&file, &table).unwrap();
        let data = folder.path().join("data");
        let ran = tenure(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--config",
            file.to_str().unwrap(),
            "--data",
            data.to_str().unwrap(),
        ]);
        ran.exits(3).complains(&[part]);
        assert!(!ran.stderr.contains("very-secret"), "{}", ran.stderr);
    }
}

#[test]
fn the_tokens_of_an_issuer_and_of_the_file_are_taken_side_by_side() {
    let key = Key::rsa("r1");
    let issuer = Issuer::with(&[&key]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenure.toml");
    let tokens = folder.path().join("tokens.toml");
    fs::write(&file, issuer.table(MAPPING)).unwrap();
    let made = tenure(&["token", "new", "--principal", "client:corp/pipeline"]);
    fs::write(&tokens, &made.stdout).unwrap();
    common::set_mode(&tokens, 0o600);
    let server = Start::on(&folder.path().join("data"))
        .arg("--config", file.to_str().unwrap())
        .arg("--tokens", tokens.to_str().unwrap())
        .ready();
    let own = made.stdout.lines().next().unwrap().trim_start_matches("# ");
    assert_eq!(who(&server, own), "client:corp/pipeline");
    let signed = key.sign(&issuer.claims(json!({ "email": "ann@x" })));
    assert_eq!(who(&server, &signed), "user:corp/ann@x");
    assert_eq!(status(&server, "neither"), 401);
}
