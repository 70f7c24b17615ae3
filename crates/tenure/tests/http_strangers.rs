//! What strangers and web pages of strangers send over HTTP changes nothing, and keeps nobody else from being served
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::http2::{Http2, block_on};
use common::{
    Answer, PATIENCE, Server, Start, command, entry, grant, landscape, poll, poll_for, raw,
};
use serde_json::Value;
use ureq::http::Request;

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
fn http_2_names_its_host_and_its_origin_as_http_1_does() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let before = server.position();
    let sent = |request: Request<()>| {
        block_on(async {
            let mut http_2 = Http2::connect(server.address()).await;
            let mut asked = http_2.send(request, false).await;
            asked.part(body(), true).await;
            asked.answer().await
        })
    };
    let post = |host: &str| {
        Request::post(format!("http://{host}/v1/entries"))
            .header("content-type", "application/json")
    };
    let refused = sent(post("evil.example").body(()).unwrap());
    refused.is_problem(421, "bad_host", &["evil.example", "hosts"]);
    let refused = sent(post("localhost").header("host", "evil.example").body(()).unwrap());
    refused.is_problem(400, "bad_request", &["another host"]);
    let foreign = post("localhost").header("origin", "https://evil.example").body(()).unwrap();
    sent(foreign).is_problem(403, "foreign_origin", &["https://evil.example"]);
    let text = Request::post("http://localhost/v1/entries").header("content-type", "text/plain");
    sent(text.body(()).unwrap()).is_problem(415, "unsupported_media_type", &["text/plain"]);
    assert_eq!(server.position(), before);
    let own = format!("http://{}", server.address());
    let request = post(&server.address().to_string()).header("origin", own).body(()).unwrap();
    assert_eq!(sent(request).ok()["results"][0]["outcome"], "applied");
    server.stop();
}

const PORTAL: &str = "Origin: https://portal.acme.example";
const CROSS: &str = "Sec-Fetch-Site: cross-site";

#[test]
fn a_page_of_an_origin_that_the_operator_named_may_ask_and_append() {
    let data = tempfile::tempdir().unwrap();
    let start = Start::on(data.path())
        .arg("--cors-origins", "https://portal.acme.example,http://localhost:3000");
    let server = start.ready();
    server.append(&landscape());
    let allowed = "access-control-allow-origin: https://portal.acme.example";
    let preflight = [
        HOST,
        PORTAL,
        CROSS,
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization,content-type",
    ];
    for path in ["/v1/entries", "/v1/levels", "/access/v1/evaluation"] {
        let (answer, head) = ask(server.address(), &format!("OPTIONS {path}"), &preflight, "");
        assert_eq!(answer.status, 200, "{head}");
        for line in [
            allowed,
            "access-control-allow-methods: get,post",
            "access-control-allow-headers: authorization,content-type",
        ] {
            assert!(head.contains(line), "{line}: {head}");
        }
        assert!(!head.contains("access-control-allow-credentials"), "{head}");
    }
    let (answer, head) = ask(server.address(), "GET /v1/levels", &[HOST, PORTAL, CROSS], "");
    answer.ok();
    assert!(head.contains(allowed) && head.contains("vary:"), "{head}");
    let (answer, head) =
        ask(server.address(), "POST /v1/entries", &[HOST, JSON, PORTAL, CROSS], &body());
    assert_eq!(answer.ok()["results"][0]["outcome"], "applied");
    assert!(head.contains(allowed), "{head}");
    // What goes wrong is told to the page as well.
    let (answer, head) = ask(server.address(), "GET /v1/entries/4711", &[HOST, PORTAL], "");
    answer.is_problem(404, "unknown_entry", &[]);
    assert!(head.contains(allowed), "{head}");
    server.stop();
}

#[test]
fn a_page_of_another_origin_gets_nothing_of_it() {
    let data = tempfile::tempdir().unwrap();
    let server =
        Start::on(data.path()).arg("--cors-origins", "https://portal.acme.example").ready();
    server.append(&landscape());
    for origin in [
        "https://evil.example",
        "https://portal.acme.example.evil.example",
        "null",
        "http://portal.acme.example",
        "https://portal.acme.example:8443",
        "https://acme.example",
    ] {
        let origin = format!("Origin: {origin}");
        refuses(&server, &[HOST, JSON, &origin], 403, "foreign_origin", &["web page"]);
        refuses(&server, &[HOST, JSON, PORTAL, &origin], 403, "foreign_origin", &["web page"]);
        let preflight = [HOST, &origin, "Access-Control-Request-Method: POST"];
        let (answer, head) = ask(server.address(), "OPTIONS /v1/entries", &preflight, "");
        answer.is_problem(403, "foreign_origin", &[]);
        assert!(!head.contains("access-control-"), "{head}");
        let (answer, head) = ask(server.address(), "GET /v1/levels", &[HOST, &origin, CROSS], "");
        answer.is_problem(403, "foreign_origin", &[]);
        assert!(!head.contains("access-control-allow-origin"), "{head}");
    }
    // The origin that is named gets no more than it was named for.
    let (answer, head) = ask(server.address(), "OPTIONS /metrics", &[HOST, PORTAL], "");
    answer.is_problem(403, "foreign_origin", &[]);
    assert!(!head.contains("access-control-"), "{head}");
    let (_, head) = ask(server.address(), "GET /metrics", &[HOST, PORTAL], "");
    assert!(!head.contains("access-control-allow-origin"), "{head}");
    refuses(&server, &["Host: evil.example", JSON, PORTAL], 421, "bad_host", &[]);
    for wrong in ["*", "https://portal.acme.example/page", "portal.acme.example", "null"] {
        let ran = Start::on(data.path()).arg("--cors-origins", wrong).listening().unwrap_err();
        ran.exits(2).complains(&["--cors-origins", "an origin is"]);
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

#[test]
fn an_address_that_strangers_reach_is_listened_at_only_where_that_is_said() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7480"] {
        let ran = Start::at(&data, listen).attempt().unwrap_err();
        ran.exits(3).complains(&[listen, "--allow-open", "access is not enforced", "unix:"]);
        assert!(!data.exists(), "{listen}");
    }
    let refused = Start::at(&data, "0.0.0.0:0").arg("--allow-open", "false").attempt();
    refused.unwrap_err().exits(3).complains(&["--allow-open"]);
    // While access is enforced, who is not known may nothing, wherever he comes from.
    Start::on(&data).ready().stop();
    let governed = |arguments: &[&str]| {
        common::tenure_on(&data, &[&["govern"], arguments].concat()).exits(0);
        Start::at(&data, "0.0.0.0:0")
    };
    Start::at(&data, "0.0.0.0:0").attempt().unwrap_err().exits(3).complains(&["tenure govern"]);
    let server = governed(&["--administrator", "user:corp/root@x"]).listening().unwrap();
    let here = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let get = |path: &str| ask(here, &format!("GET {path}"), &["Host: 127.0.0.1"], "").0;
    poll(|| (get("/readyz").status == 200).then_some(())).unwrap();
    get("/v1/levels").is_problem(403, "forbidden", &[]);
    assert!(server.stderr().contains("not encrypted"));
    server.stop();
    governed(&["--open"]).attempt().unwrap_err().exits(3).complains(&["access is not enforced"]);
    let data = home.path().join("open");
    let server =
        Start::at(&data, "0.0.0.0:0").env("TENURE_ALLOW_OPEN", "true").listening().unwrap();
    assert!(server.stderr().contains("everybody who reaches the address"));
    // A name that a page of a stranger may have is refused there too.
    let here = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let get = |host: &str| ask(here, "GET /healthz", &[&format!("Host: {host}")], "").0;
    get("evil.example").is_problem(421, "bad_host", &[]);
    // Nor is an address enough that the connection did not come to.
    get("0.0.0.0").is_problem(421, "bad_host", &[]);
    get("192.0.2.1").is_problem(421, "bad_host", &[]);
    get("127.0.0.1").ok();
    if let Some(own) = own_address() {
        let there = SocketAddr::new(own, server.address().port());
        ask(there, "GET /healthz", &[&format!("Host: {there}")], "").0.ok();
        let (answer, _) = ask(here, "GET /healthz", &[&format!("Host: {there}")], "");
        answer.is_problem(421, "bad_host", &[]);
    }
    server.stop();
}

/// An address of this machine that is not loopback, if it has one
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // This sends nothing. The address belongs to no machine (TEST-NET-1).
    socket.connect("192.0.2.1:9").ok()?;
    let own = socket.local_addr().unwrap().ip();
    (!own.is_loopback()).then_some(own)
}

/// A server at a Unix socket, killed when it goes out of scope
struct AtSocket(Child);

impl AtSocket {
    fn start(data: &Path, socket: &Path) -> Self {
        let mut command = command();
        command.arg("serve").arg("--listen").arg(format!("unix:{}", socket.display()));
        command.arg("--data").arg(data).stderr(Stdio::null());
        let mut server = Self(command.spawn().unwrap());
        poll(|| {
            assert!(server.0.try_wait().unwrap().is_none(), "the server has ended");
            (ask_at(socket, "GET /readyz", &[HOST], "")?.status == 200).then_some(())
        })
        .unwrap();
        server
    }

    fn stop(mut self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for AtSocket {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Asks at a Unix socket; `None` if nobody listens there
fn ask_at(socket: &Path, line: &str, headers: &[&str], body: &str) -> Option<Answer> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n");
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Some(parsed(&answer).0)
}

#[test]
fn a_unix_socket_is_for_its_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let (data, socket) = (home.path().join("data"), home.path().join("tenure.sock"));
    let server = AtSocket::start(&data, &socket);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    for entry in landscape() {
        let sent = ask_at(&socket, "POST /v1/entries", &[HOST, JSON], &entry.to_string());
        assert_eq!(sent.unwrap().ok()["results"][0]["outcome"], "applied");
    }
    // A host may be absent here. A wrong one is refused all the same, and so is a foreign page.
    for headers in [&[JSON][..], &["Host:", JSON]] {
        let sent = ask_at(&socket, "POST /v1/entries", headers, &body());
        assert_eq!(sent.unwrap().ok()["results"][0]["outcome"], "applied");
    }
    let refused = ask_at(&socket, "GET /v1/levels", &["Host: evil.example"], "").unwrap();
    refused.is_problem(421, "bad_host", &[]);
    let refused = ask_at(&socket, "POST /v1/entries", &[JSON, "Origin: http://x"], &body());
    refused.unwrap().is_problem(403, "foreign_origin", &[]);
    // A socket at which a server listens is left alone, and so is a file that is no socket.
    let listen = format!("unix:{}", socket.display());
    let other = Start::at(&home.path().join("other"), &listen).attempt().unwrap_err();
    other.exits(3).complains(&["cannot listen", "another process"]);
    let file = home.path().join("thesis.txt");
    fs::write(&file, "years of work").unwrap();
    let other = Start::at(&home.path().join("more"), &format!("unix:{}", file.display())).attempt();
    other.unwrap_err().exits(3).complains(&["something else than a socket"]);
    assert_eq!(fs::read(&file).unwrap(), b"years of work");
    // One that was killed leaves its socket behind, and the next one replaces it.
    drop(server);
    assert!(socket.exists());
    AtSocket::start(&data, &socket).stop();
    assert!(!socket.exists());
}

/// Connects and sends these bytes, and no more
fn half(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Whether liveness is answered at an address within this time
fn lives(address: SocketAddr, within: Duration) -> bool {
    let mut stream = half(address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.set_read_timeout(Some(within)).unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).is_ok() && begin == *b"HTTP/1.1 200"
}

#[test]
fn bodies_that_never_come_keep_nobody_from_being_served() {
    let data = tempfile::tempdir().unwrap();
    let start = Start::on(data.path()).arg("--requests-max", "2");
    let server = start.arg("--request-timeout-ms", "3000").ready();
    let head = format!("POST /v1/entries HTTP/1.1\r\n{HOST}\r\n{JSON}\r\n");
    let nothing = format!("{head}Content-Length: 100\r\n\r\n");
    let begun = format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"act\r\n");
    let asks_first = format!("{head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n");
    let mut slow: Vec<TcpStream> = [nothing, begun, asks_first]
        .iter()
        .flat_map(|head| (0..5).map(|_| half(server.address(), head.as_bytes())))
        .collect();
    poll(|| (server.metric("tenure_requests_in_flight") >= Some(15.0)).then_some(())).unwrap();
    server.append(&landscape());
    server.get("/v1/levels").ok();
    for stream in &mut slow {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
        parsed(answer).0.is_problem(408, "slow_body", &["nothing was appended"]);
    }
    assert_eq!(server.metric("tenure_requests_in_flight"), Some(0.0));
    server.stop();
}

#[test]
fn heads_that_never_come_do_not_hide_liveness_from_operators() {
    let data = tempfile::tempdir().unwrap();
    // 16 connections at once, and operators have others.
    let start = Start::on(data.path()).arg("--requests-max", "1");
    let server = start.arg("--operators-listen", "127.0.0.1:0").ready();
    let operators = operators_address(&server);
    let slow: Vec<TcpStream> = (0..16)
        .map(|_| half(server.address(), b"GET /v1/levels HTTP/1.1\r\nHost: localhost\r\nX-Slow: "))
        .collect();
    assert!(!lives(server.address(), Duration::from_secs(1)), "the connections are not taken");
    assert!(lives(operators, PATIENCE));
    for path in ["/readyz", "/metrics"] {
        assert_eq!(ask(operators, &format!("GET {path}"), &[HOST], "").0.status, 200, "{path}");
    }
    // Nothing of the history is there, and no stranger's name.
    let (answer, _) = ask(operators, "GET /v1/levels", &[HOST], "");
    answer.is_problem(404, "not_found", &[]);
    let (answer, _) = ask(operators, "GET /metrics", &["Host: evil.example"], "");
    answer.is_problem(421, "bad_host", &[]);
    // A head is waited for for ten seconds.
    assert!(lives(server.address(), Duration::from_secs(30)));
    drop(slow);
    server.stop();
}

/// Where a server says that operators are answered
fn operators_address(server: &Server) -> SocketAddr {
    let said = server.stderr();
    let events = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut addresses =
        events.filter_map(|event| event["fields"]["operators"].as_str()?.parse().ok());
    addresses.next().unwrap()
}

#[test]
fn answers_that_nobody_reads_are_given_up() {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).arg("--requests-max", "1").ready();
    // More than the buffers of a connection hold.
    let many = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(300);
    let unread: Vec<TcpStream> = (0..16).map(|_| half(server.address(), many.as_bytes())).collect();
    assert!(!lives(server.address(), Duration::from_secs(5)), "the connections are not taken");
    assert!(lives(server.address(), Duration::from_secs(120)));
    drop(unread);
    server.stop();
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that does less says so")]
fn one_peer_has_a_share_of_the_connections() {
    let Some(own) = own_address() else {
        eprintln!("not tested: this machine has no address beside loopback");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let start = Start::at(data.path(), "0.0.0.0:0").arg("--allow-open", "true");
    let server = start.arg("--requests-max", "1").listening().unwrap();
    let port = server.address().port();
    let (here, there) = (SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::new(own, port));
    // 16 connections at once, and four of one peer.
    let connect = |_| {
        let stream = TcpStream::connect(there).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        stream
    };
    let mut held: Vec<TcpStream> = (0..20).map(connect).collect();
    let closed = |stream: &mut TcpStream| match stream.read(&mut [0]) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    poll_for(Duration::from_secs(5), || {
        held.retain_mut(|stream| !closed(stream));
        (held.len() <= 4).then_some(())
    });
    assert_eq!(held.len(), 4);
    assert!(lives(here, PATIENCE));
    drop(held);
    poll(|| lives(there, Duration::from_secs(5)).then_some(())).unwrap();
    server.stop();
}
