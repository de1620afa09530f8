//! Who is connected to and believed, and how connections are kept.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_again() {
    let world = World::new();
    world.homeserver("5.5.5.5:8448", &["5.5.5.5"]);
    for _ in 0..3 {
        world.ask("5.5.5.5").await.unwrap();
    }
    assert_eq!(world.internet.connected().len(), 1);
    // A name with the same address is another server.
    world.ask("5.5.5.5:8448").await.unwrap();
    assert_eq!(world.internet.connected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn http2_is_spoken_with_who_speaks_it() {
    let world = World::new();
    world.internet.name("a.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:1", &["a.example"]);
    world
        .internet
        .speaks_http2("5.5.5.5:1", &world.authority, &["a.example"]);
    for _ in 0..3 {
        world.ask("a.example:1").await.unwrap();
    }
    assert_eq!(world.internet.connected().len(), 1);
    for asked in world.asked("/") {
        assert_eq!(asked.version, Version::HTTP_2);
        assert_eq!(asked.host, "a.example:1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_between_two_requests_is_replaced() {
    let world = World::new();
    world.homeserver("5.5.5.5:8448", &["5.5.5.5"]);
    world.internet.cuts_off_after("5.5.5.5:8448", 1);
    for _ in 0..3 {
        assert_eq!(world.ask("5.5.5.5").await.unwrap(), "5.5.5.5:8448");
    }
    assert_eq!(world.internet.connected().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_whole_is_told_so() {
    let world = World::new();
    world.homeserver("5.5.5.5:8448", &["5.5.5.5"]);
    world.internet.cuts_off_after("5.5.5.5:8448", 0);
    let answer = world.ask("5.5.5.5").await;
    assert!(matches!(answer, Err(TransportError::BrokenOff(_))));
    assert_eq!(world.internet.connected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn certificates_of_strangers_are_not_believed() {
    let world = World::new();
    let stranger = Authority::new();
    let handler = |_: &Request<()>| answer(200, "");
    world
        .internet
        .site("5.5.5.5:8448", &stranger, &["5.5.5.5"], handler);
    let reason = world.refusal("5.5.5.5").await;
    assert!(reason.contains("invalid peer certificate"), "{reason}");
    assert_eq!(world.asked("/"), []);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_must_be_for_the_name() {
    let world = World::new();
    world.internet.name("a.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:1", &["b.example", "5.5.5.5"]);
    let reason = world.refusal("a.example:1").await;
    assert!(reason.contains("not valid for name"), "{reason}");
    assert_eq!(world.asked("/"), []);
}

#[tokio::test(start_paused = true)]
async fn private_addresses_are_judged_after_the_name_is_resolved() {
    for (server, address) in [
        ("inside.example:1", "10.0.0.1:1"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("[::1]:1", "[::1]:1"),
        ("[::ffff:7f00:1]:1", "[::ffff:127.0.0.1]:1"),
    ] {
        let names = ["inside.example", "127.0.0.1", "::1", "::ffff:127.0.0.1"];
        let world = World::new();
        world.internet.name("inside.example", &["10.0.0.1"]);
        world.homeserver(address, &names);
        let reason = world.refusal(server).await;
        assert!(reason.contains("not a public address"), "{reason}");
        assert!(world.internet.connected().is_empty());

        let world = World::with_guard(EgressGuard::new(true));
        world.internet.name("inside.example", &["10.0.0.1"]);
        world.homeserver(address, &names);
        assert_eq!(world.ask(server).await.unwrap(), address);
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_addresses_the_first_that_answers_is_taken() {
    let world = World::new();
    let addresses = ["10.0.0.1", "5.5.5.5", "2a00::5", "6.6.6.6"];
    world.internet.name("a.example", &addresses);
    world.internet.silence("[2a00::5]:1");
    world.homeserver("6.6.6.6:1", &["a.example"]);
    assert_eq!(world.ask("a.example:1").await.unwrap(), "6.6.6.6:1");
    let tried = world.internet.connected();
    assert_eq!(tried, ["[2a00::5]:1", "5.5.5.5:1", "6.6.6.6:1"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_address_is_unreachable() {
    let world = World::new();
    let reason = world.refusal("nowhere.example:1").await;
    assert_eq!(reason, "nowhere.example has no address");
    world.internet.silence("a.example");
    let reason = world.refusal("a.example:1").await;
    assert_eq!(reason, "the name server for a.example does not answer");
}
