//! The door over HTTP: how many at once, for how long, and a stop that loses nothing
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{ADMIN, Events, PATIENCE, Server, Start, entry, grant, landscape, poll, server};
use serde_json::json;

/// A request that takes a place and waits for two seconds
fn waiting(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let question = b"GET /v1/levels?min_position=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(question).unwrap();
    stream
}

/// The bytes that came, up to a whole answer
fn said(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    while !text.contains('}') {
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

#[test]
fn so_many_at_once_and_each_for_so_long() {
    let data = tempfile::tempdir().unwrap();
    let start =
        Start::on(data.path()).arg("--requests-max", "2").arg("--request-timeout-ms", "700");
    let server = start.ready();
    server.append(&landscape());
    let before = server.position();
    let mut slow: Vec<TcpStream> = (0..4).map(|_| waiting(&server)).collect();
    poll(|| (server.metric("tenure_requests_in_flight") >= Some(2.0)).then_some(()))
        .expect("two requests that are served");
    // A liveness request is always answered. A question waits, or is told to ask again.
    server.get("/healthz").ok();
    assert_eq!(server.position(), before);
    let question = server.get("/v1/levels");
    if question.status != 200 {
        assert!(["overloaded", "timeout"].contains(&question.json()["code"].as_str().unwrap()));
        question.is_problem(
            503,
            question.json()["code"].as_str().unwrap(),
            &["0.7 s", "ask again"],
        );
    }
    for stream in &mut slow {
        let text = said(stream);
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert!(text.contains("application/problem+json"), "{text}");
        assert!(text.contains("\"timeout\"") || text.contains("\"overloaded\""), "{text}");
    }
    // The places of the slow requests are free again.
    for _ in 0..4 {
        server.get("/v1/levels").ok();
    }
    server.append(&[entry(&[grant("carol@acme.example")])]);
    server.stop();
}

#[test]
fn a_request_that_timed_out_is_no_longer_in_flight() {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).arg("--request-timeout-ms", "100").ready();
    let text = said(&mut waiting(&server));
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    assert!(text.contains("\"timeout\"") && text.contains("ask again"), "{text}");
    let gone = common::poll_for(Duration::from_secs(5), || {
        (server.metric("tenure_requests_in_flight") == Some(0.0)).then_some(())
    });
    assert!(gone.is_some(), "{}", server.get("/metrics").text);
    server.stop();
}

#[test]
fn what_is_no_http_is_turned_away() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\nnonsense\r\n\r\n",
        b"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let head = format!(
        "GET /v1/levels HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    let answer = common::raw(server.address(), head.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(server.position(), 15);
    server.stop();
}

#[test]
fn heads_that_do_not_come_take_no_place() {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).arg("--requests-max", "4").ready();
    let half = |_| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"GET /v1/levels HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
        stream
    };
    let slow: Vec<TcpStream> = (0..30).map(half).collect();
    server.append(&landscape());
    server.get("/v1/levels").ok();
    assert_eq!(server.metric("tenure_requests_in_flight"), Some(0.0));
    drop(slow);
    server.stop();
}

#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let connect = || TcpStream::connect(server.address()).unwrap();
    let silent = connect();
    let mut kept = connect();
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(said(&mut kept).contains("alive"));
    let stream = Events::of(&server, "/v1/changes?after=15", None);
    server.stop();
    assert_eq!(stream.next_or_end(), None);
    drop((silent, kept));
}

#[test]
fn many_clients_append_at_once_and_each_is_told_its_place() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let told: Vec<(String, u64)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let server = &server;
                scope.spawn(move || {
                    let one = |n: usize| {
                        let entry = entry(&[grant(&format!("c{client}-{n}@acme.example"))]);
                        let result = server.append(&[entry])[0].clone();
                        (
                            result["id"].as_str().unwrap().to_owned(),
                            result["position"].as_u64().unwrap(),
                        )
                    };
                    (0..25).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let log = server.log();
    assert_eq!(log.len(), 15 + told.len());
    for (id, position) in told {
        assert_eq!(log[usize::try_from(position).unwrap() - 1]["id"], id);
    }
    let times: Vec<&str> = log.iter().map(|row| row["recorded_at"].as_str().unwrap()).collect();
    assert!(
        times.is_sorted_by_key(|time| (time.len(), *time)) || times.is_sorted(),
        "time steps back"
    );
    server.stop();
}

#[test]
fn told_to_stop_it_finishes_what_it_began() {
    let data = tempfile::tempdir().unwrap();
    let mut server = server(&data);
    let acknowledged = AtomicUsize::new(0);
    let told: Vec<(String, u64)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (server, acknowledged) = (&server, &acknowledged);
                scope.spawn(move || {
                    let mut told = Vec::new();
                    for n in 0.. {
                        let entry = entry(&[grant(&format!("c{client}-{n}@acme.example"))]);
                        let body = serde_json::to_vec(&entry).unwrap();
                        let answer = server.try_post("/v1/entries", "application/json", &body);
                        let Some(answer) = answer else { break };
                        let result = answer.ok()["results"][0].clone();
                        told.push((
                            result["id"].as_str().unwrap().to_owned(),
                            result["position"].as_u64().unwrap(),
                        ));
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    told
                })
            })
            .collect();
        poll(|| (acknowledged.load(Ordering::Relaxed) > 40).then_some(())).expect("some appended");
        // Another request is half sent at the stop: it is answered.
        let mut late = slow_but_whole(&server);
        server.terminate();
        late.write_all(&late_body()[6..]).unwrap();
        let answer = said(&mut late);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let status = server.ended();
    assert_eq!(status.code(), Some(0), "{}", server.stderr());
    let server = Start::on(data.path()).ready();
    let log = server.log();
    for (id, position) in &told {
        assert_eq!(log[usize::try_from(*position).unwrap() - 1]["id"], *id);
    }
    assert!(log.iter().any(|row| row["entry"]["reason"] == "late"));
    // Only entries whose answer was on its way are there without an answer.
    assert!(log.len() <= 15 + told.len() + 5, "{} {}", log.len(), told.len());
    server.stop();
}

fn late_body() -> Vec<u8> {
    serde_json::to_vec(
        &json!({ "actor": ADMIN, "reason": "late", "changes": [grant("late@acme.example")] }),
    )
    .unwrap()
}

/// A request whose head and first bytes have arrived, and which is in flight
fn slow_but_whole(server: &Server) -> TcpStream {
    let in_flight = "tenure_requests_in_flight";
    let body = late_body();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body[..6]].concat()).unwrap();
    // Other requests come and go; this one stays.
    poll(|| (server.metric(in_flight) >= Some(1.0)).then_some(())).expect("it is served");
    stream
}

#[test]
fn a_stop_that_comes_while_it_starts_is_heard() {
    let data = tempfile::tempdir().unwrap();
    server(&data).stop();
    for _ in 0..3 {
        let mut server = Start::on(data.path()).listening().unwrap();
        server.terminate();
        let status = server.ended();
        assert_eq!(status.code(), Some(0), "{}", server.stderr());
    }
    Start::on(data.path()).ready().stop();
}
