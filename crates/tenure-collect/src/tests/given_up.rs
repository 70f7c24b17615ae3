//! Does a collection that is given up end within a second?

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::server::{Reply, Server};
use super::{cf_server, client_source, roles, window};
use crate::{CollectError, What, collect};

/// Gives up after 300 milliseconds
fn check(server: &Server) {
    let given_up = AtomicBool::new(false);
    let mut source = client_source("cf", server);
    source.limits.pages_max = 200;
    let begun = Instant::now();
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            given_up.store(true, Ordering::SeqCst);
        });
        collect(&source, window(), &|| given_up.load(Ordering::SeqCst), &mut |_| Ok(()))
    });
    assert!(matches!(ended, Err(CollectError::GivenUp)), "{ended:?}");
    let took = begun.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_millis(1_300)).contains(&took), "{took:?}");
}

#[test]
fn while_an_answer_is_slow() {
    check(&cf_server(|seen, _| roles(seen, &[], 0, None).after(Duration::from_secs(5))));
}

#[test]
fn while_a_token_is_slow() {
    check(&Server::run(|_| Reply::status(500).after(Duration::from_secs(5))));
}

#[test]
fn while_it_waits_as_long_as_a_server_asks() {
    check(&cf_server(|_, _| Reply::status(503).header("retry-after", "4")));
}

#[test]
fn while_pages_come_one_after_the_other() {
    check(&cf_server(|seen, asked| {
        let page = roles(seen, &[&format!("x{asked}")], 1_000_000, Some(asked + 1));
        page.after(Duration::from_millis(10))
    }));
}

#[test]
fn between_two_pages_that_are_handed_over() {
    let server = cf_server(|seen, asked| match asked {
        1 => roles(seen, &["a"], 2, Some(2)),
        _ => roles(seen, &["b"], 2, None),
    });
    let given_up = AtomicBool::new(false);
    let mut pages = 0;
    let source = client_source("cf", &server);
    let ended = collect(&source, window(), &|| given_up.load(Ordering::SeqCst), &mut |one| {
        if one.what == What::CfRoles {
            pages += 1;
            given_up.store(true, Ordering::SeqCst);
        }
        Ok(())
    });
    assert!(matches!(ended, Err(CollectError::GivenUp)), "{ended:?}");
    assert_eq!(pages, 1);
}

#[test]
fn a_sink_that_is_full_ends_it_with_its_own_reason() {
    let server = cf_server(|seen, _| roles(seen, &[], 0, None));
    let ended =
        collect(&client_source("cf", &server), window(), &|| false, &mut |_| Err("full".into()));
    match ended {
        Err(CollectError::Sink(reason)) => assert_eq!(reason.to_string(), "full"),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.seen_at("/v3/spaces").len(), 0);
}
