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
