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

use bytes::Bytes;
use common::http2::{Asked, Http2, block_on};
use common::{ADMIN, Events, PATIENCE, Server, Start, entry, grant, landscape, poll, server};
use h2::client::Builder;
use serde_json::json;
use tokio::time::timeout;
use ureq::http::Request;

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

/// A request to append, whose body is still to come
fn appending() -> Request<()> {
    let request = Request::post("http://localhost/v1/entries");
    request.header("content-type", "application/json").body(()).unwrap()
}

#[test]
fn a_body_that_comes_slowly_holds_up_nobody_on_its_http_2_connection() {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).arg("--request-timeout-ms", "3000").ready();
    server.append(&landscape());
    block_on(async {
        let mut http_2 = Http2::connect(server.address()).await;
        let mut slow = Vec::new();
        for bytes in [&b""[..], b"{\"act"] {
            let mut asked = http_2.send(appending(), false).await;
            asked.part(bytes, false).await;
            slow.push(asked);
        }
        http_2.get("/v1/levels").await.ok();
        let mut whole = http_2.send(appending(), false).await;
        whole.part(late_body(), true).await;
        assert_eq!(whole.answer().await.ok()["results"][0]["outcome"], "applied");
        for asked in slow {
            asked.answer().await.is_problem(408, "slow_body", &["nothing was appended"]);
        }
        http_2.get("/v1/levels").await.ok();
    });
    server.stop();
}

#[test]
fn bodies_on_one_http_2_connection_hold_no_more_memory_than_on_many() {
    let data = tempfile::tempdir().unwrap();
    // Memory for one large body at once, beside small ones
    let server = Start::on(data.path()).arg("--requests-max", "4").ready();
    server.append(&landscape());
    block_on(async {
        let mut http_2 = Http2::connect(server.address()).await;
        let large = Bytes::from(vec![b' '; 800_000]);
        let mut first = http_2.send(appending(), false).await;
        first.part(large.clone(), false).await;
        let mut second = http_2.send(appending(), false).await;
        // It is refused before it is whole.
        let sent = async {
            for _ in 0..80 {
                second.body.reserve_capacity(10_000);
                let capacity = std::future::poll_fn(|context| second.body.poll_capacity(context));
                let Some(Ok(may)) = capacity.await else { return };
                let part = large.slice(..may.min(10_000));
                if second.body.send_data(part, false).is_err() {
                    return;
                }
            }
        };
        timeout(PATIENCE, sent).await.expect("the body is not read");
        second.answer().await.is_problem(503, "overloaded", &["large bodies"]);
        // A small one is still read, and the first one comes to its end.
        let mut small = http_2.send(appending(), false).await;
        small.part(late_body(), true).await;
        assert_eq!(small.answer().await.ok()["results"][0]["outcome"], "applied");
        first.part(late_body(), true).await;
        assert_eq!(first.answer().await.ok()["results"][0]["outcome"], "applied");
    });
    server.stop();
}

#[test]
fn each_request_at_once_on_an_http_2_connection_counts_as_a_connection() {
    let data = tempfile::tempdir().unwrap();
    // 16 connections at once. A question that waits for an entry takes two seconds, or its body never comes.
    let server = Start::on(data.path()).arg("--requests-max", "1").ready();
    block_on(async {
        let mut http_2 = Http2::connect(server.address()).await;
        let mut held: Vec<Asked> = Vec::new();
        for _ in 0..20 {
            held.push(http_2.send(appending(), false).await);
        }
        // Which of them are served is not said: sixteen at most.
        let mut last = http_2.get("/healthz").await;
        for _ in 0..100 {
            if last.status != 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            last = http_2.get("/healthz").await;
        }
        last.is_problem(503, "overloaded", &["too many requests", "nothing was done"]);
        // One connection may have been let in before there were so many requests.
        let before = Http2::connect(server.address()).await;
        let other = timeout(Duration::from_secs(1), async {
            Http2::connect(server.address()).await.get("/healthz").await
        });
        assert!(other.await.is_err(), "another connection is taken");
        drop((held, before));
        let free = async {
            while http_2.get("/healthz").await.status != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, free).await.expect("their places are free again");
        for _ in 0..4 {
            http_2.get("/healthz").await.ok();
            Http2::connect(server.address()).await.get("/healthz").await.ok();
        }
    });
    server.stop();
}

#[test]
fn a_client_of_http_2_that_takes_nothing_of_an_answer_is_cut_off() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    // It opens no window for what it asks, and goes on to say that it is there.
    let cut_off = async |window: u32, path: &str| {
        let mut closed = Builder::new();
        closed.initial_window_size(window);
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        let mut http_2 = Http2::over(stream, &closed).await;
        let request = Request::get(format!("http://localhost{path}")).body(()).unwrap();
        let asked = http_2.send(request, true).await;
        let answer = timeout(PATIENCE, asked.answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        http_2.end().await;
        drop(answer);
    };
    // Of the last one only the end waits: it is not in hand any more.
    block_on(async {
        // A client that takes all that there is may wait for more for as long as it likes.
        let mut follows = Http2::connect(server.address()).await;
        let request = Request::get("http://localhost/v1/changes?after=12").body(()).unwrap();
        let changes = timeout(PATIENCE, follows.send(request, true).await.answer);
        let mut changes = changes.await.unwrap().unwrap().into_body();
        let mut seen = 0;
        while seen < 3 {
            let part = timeout(PATIENCE, changes.data()).await.unwrap().unwrap().unwrap();
            seen += String::from_utf8_lossy(&part).matches("event: ").count();
        }
        futures::join!(
            cut_off(0, "/openapi.json"),
            cut_off(1_000, "/openapi.json"),
            cut_off(1, "/healthz"),
        );
        server.append(&[entry(&[grant("carol@acme.example")])]);
        let more = async {
            let mut text = String::new();
            while !text.contains("carol@acme.example") {
                let part = changes.data().await.unwrap().unwrap();
                text.push_str(&String::from_utf8_lossy(&part));
            }
        };
        timeout(PATIENCE, more).await.expect("what was appended");
    });
    server.get("/healthz").ok();
    server.stop();
}

#[test]
fn an_http_2_connection_that_asks_nothing_is_closed_as_one_of_http_1_is() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let began = std::time::Instant::now();
    block_on(async {
        let mut asked = Http2::connect(server.address()).await;
        asked.get("/healthz").await.ok();
        let never = Http2::connect(server.address()).await;
        // One that follows the changes asks something, however long nothing comes.
        let mut follows = Http2::connect(server.address()).await;
        let request = Request::get("http://localhost/v1/changes?after=15").body(()).unwrap();
        let changes = follows.send(request, true).await;
        let changes = timeout(PATIENCE, changes.answer).await.unwrap().unwrap();
        asked.end().await;
        never.end().await;
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        follows.get("/healthz").await.ok();
        drop(changes);
    });
    // A client that begins with HTTP/2 and says no more, or only half of the beginning
    for begin in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"PRI * HT", b""] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(begin).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(stream.read(&mut [0]).is_ok_and(|count| count == 0), "it is not closed");
    }
    server.stop();
}

#[test]
fn requests_that_are_taken_back_at_once_leave_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    block_on(async {
        for _ in 0..4 {
            let mut http_2 = Http2::connect(server.address()).await;
            // Either the server puts up with it, or it ends that connection.
            for _ in 0..500 {
                if http_2.ended.is_finished() {
                    break;
                }
                let request = Request::get("http://localhost/v1/levels").body(()).unwrap();
                let Some(mut asked) = http_2.try_send(request).await else { break };
                asked.body.send_reset(h2::Reason::CANCEL);
            }
        }
    });
    let gone = poll(|| (server.metric("tenure_requests_in_flight") == Some(0.0)).then_some(()));
    assert!(gone.is_some(), "{}", server.get("/metrics").text);
    server.append(&[entry(&[grant("carol@acme.example")])]);
    server.stop();
}
