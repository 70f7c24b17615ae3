//! What strangers and web pages of strangers send over HTTP changes nothing, and keeps nobody else from being served

mod common;

use std::net::SocketAddr;

use common::{Answer, Server, Start, entry, grant, landscape, raw};

const HOST: &str = "Host: localhost";
const JSON: &str = "Content-Type: application/json";

fn server(data: &tempfile::TempDir) -> Server {
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    server
}

/// The text of a grant that would be applied
fn body() -> String {
    entry(&[grant("mallory@evil.example")]).to_string()
}

/// Sends a request with these headers and nothing else, and reads the answer; its head comes too
fn ask(address: SocketAddr, line: &str, headers: &[&str], body: &str) -> (Answer, String) {
    let headers = headers.join("\r\n");
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{headers}\r\nContent-Length: {length}\r\n");
    parsed(&raw(address, format!("{head}Connection: close\r\n\r\n{body}").as_bytes()))
}

fn parsed(answer: &str) -> (Answer, String) {
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let head = head.to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
    let content_type = kind.unwrap_or_default().to_owned();
    (Answer { status, content_type, text: text.to_owned() }, head)
}

/// Asserts that an append with these headers is refused and changes nothing
#[track_caller]
fn refuses(server: &Server, headers: &[&str], status: u16, code: &str, parts: &[&str]) {
    let before = server.position();
    let (answer, head) = ask(server.address(), "POST /v1/entries", headers, &body());
    answer.is_problem(status, code, parts);
    assert!(!head.contains("access-control-"), "{head}");
    assert_eq!(server.position(), before, "{headers:?}");
}

#[test]
fn a_body_is_json_or_message_pack_and_says_so() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let code = "unsupported_media_type";
    for named in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
    ] {
        let kind = format!("Content-Type: {named}");
        refuses(&server, &[HOST, &kind], 415, code, &[named, "application/json"]);
    }
    refuses(&server, &[HOST], 415, code, &["no `content-type`", "application/msgpack"]);
    refuses(&server, &[HOST, JSON, JSON], 415, code, &["application/json, application/json"]);
    let (answer, _) = ask(server.address(), "POST /v1/check", &[HOST], "{\"checks\": []}");
    answer.is_problem(415, code, &["no `content-type`"]);
    for kind in [JSON, "content-type: Application/JSON; charset=utf-8"] {
        let (answer, _) = ask(server.address(), "POST /v1/entries", &[HOST, kind], &body());
        assert_eq!(answer.ok()["results"][0]["outcome"], "applied");
    }
    server.stop();
}

#[test]
fn an_encoded_body_is_refused_and_never_read_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    for encoding in ["gzip", "identity, gzip", "aes128gcm"] {
        let header = format!("Content-Encoding: {encoding}");
        let headers = [HOST, JSON, &header];
        refuses(&server, &headers, 415, "unsupported_media_type", &[encoding, "content-encoding"]);
    }
    let headers = [HOST, JSON, "Content-Encoding: identity"];
    let (answer, _) = ask(server.address(), "POST /v1/entries", &headers, &body());
    assert_eq!(answer.ok()["results"][0]["outcome"], "applied");
    server.stop();
}

#[test]
fn a_web_page_of_a_stranger_appends_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let own = format!("Host: {}", server.address());
    // What a browser sends for a page of a stranger without asking first.
    let simple = [&own, "Origin: https://evil.example", "Content-Type: text/plain;charset=UTF-8"];
    refuses(&server, &simple, 403, "foreign_origin", &["https://evil.example"]);
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "http://localhost",
        "http://127.0.0.1",
    ] {
        let origin = format!("Origin: {origin}");
        refuses(&server, &[&own, JSON, &origin], 403, "foreign_origin", &["web page"]);
    }
    for site in ["cross-site", "same-site", "else"] {
        let site = format!("Sec-Fetch-Site: {site}");
        refuses(&server, &[&own, JSON, &site], 403, "foreign_origin", &["another site"]);
    }
    // Pages of the server itself may, and a person who types an address is no page.
    let origin = format!("Origin: http://{}", server.address());
    for header in [origin.as_str(), "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"] {
        let (answer, _) = ask(server.address(), "POST /v1/entries", &[&own, JSON, header], &body());
        assert_eq!(answer.ok()["results"][0]["outcome"], "applied");
    }
    server.stop();
}

#[test]
fn a_web_page_of_a_stranger_gets_no_permission_and_reads_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let preflight = [HOST, "Origin: https://evil.example", "Access-Control-Request-Method: POST"];
    let (answer, head) = ask(server.address(), "OPTIONS /v1/entries", &preflight, "");
    answer.is_problem(403, "foreign_origin", &["https://evil.example"]);
    assert!(!head.contains("access-control-"), "{head}");
    let (answer, head) = ask(server.address(), "OPTIONS /v1/entries", &[HOST], "");
    answer.is_problem(405, "method_not_allowed", &[]);
    assert!(!head.contains("access-control-"), "{head}");
    let get = |headers: &[&str]| ask(server.address(), "GET /v1/levels", headers, "");
    let cross = "Sec-Fetch-Site: cross-site";
    for headers in [&[HOST, cross][..], &[HOST, cross, "Sec-Fetch-Mode: no-cors"]] {
        get(headers).0.is_problem(403, "foreign_origin", &["another site"]);
    }
    // A link may lead here. A page of a stranger that reads the answer does not get it from its browser.
    get(&[HOST, cross, "Sec-Fetch-Mode: navigate"]).0.ok();
    let (answer, head) = get(&[HOST, "Origin: https://evil.example"]);
    answer.ok();
    assert!(!head.contains("access-control-"), "{head}");
    server.stop();
}

#[test]
fn a_name_that_is_not_the_servers_is_refused_before_anything_else() {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).arg("--hosts", "ledger.acme.example,b.example:81").ready();
    server.append(&landscape());
    for host in
        ["evil.example", "evil.example:7480", "127.0.0.1.evil.example", "0.0.0.0", "b.example"]
    {
        let header = format!("Host: {host}");
        refuses(&server, &[&header, JSON], 421, "bad_host", &[host, "hosts"]);
        for path in ["/v1/levels", "/healthz", "/metrics", "/nothing"] {
            let (answer, _) = ask(server.address(), &format!("GET {path}"), &[&header], "");
            answer.is_problem(421, "bad_host", &[host]);
        }
    }
    for headers in
        [&[JSON][..], &[HOST, HOST, JSON], &["Host: a@localhost", JSON], &["Host:", JSON]]
    {
        refuses(&server, headers, 400, "bad_request", &["Host"]);
    }
    // A request target with a host goes before the header.
    let (answer, _) = ask(server.address(), "GET http://evil.example/v1/levels", &[HOST], "");
    answer.is_problem(400, "bad_request", &["another host"]);
    for host in [
        "localhost",
        "LOCALHOST.:1",
        "127.0.0.1",
        "127.1.2.3:80",
        "[::1]:7480",
        "ledger.acme.example",
        "Ledger.Acme.Example:443",
        "b.example:81",
    ] {
        let header = format!("Host: {host}");
        ask(server.address(), "GET /v1/levels", &[&header], "").0.ok();
    }
    server.stop();
}

#[test]
fn a_path_that_is_no_text_gets_a_problem_document() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let (answer, _) = ask(server.address(), "GET /v1/entries/%FF", &[HOST], "");
    answer.is_problem(400, "bad_request", &["UTF-8"]);
    server.get("/v1/who%FF").is_problem(404, "not_found", &[]);
    server.stop();
}
