//! A server of each version starts, keeps its port and its store, and is removed

use std::net::TcpStream;

use tenure_test_nats::{Server, Start, Version};

#[test]
fn a_server_accepts_connections_at_the_same_port_until_it_is_removed() {
    for version in Version::ALL {
        let mut server = Server::start(version);
        let port = server.port();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        server.kill();
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
        server.start_again();
        assert_eq!(server.port(), port);
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(server.store().exists());
        server.pause();
        server.go_on();
        server.stop();
        server.lose_store();
        server.start_again();
        let folder = server.store();
        drop(server);
        assert!(!folder.exists());
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    }
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let config = "jetstream { sync_interval: always }";
    let said = Start::with(Version::Debian, config).attempt().unwrap_err();
    assert!(said.contains("sync_interval"), "{said}");
    let newest = Start::with(Version::Newest, config).running();
    assert!(newest.version().can_sync_always());
}
