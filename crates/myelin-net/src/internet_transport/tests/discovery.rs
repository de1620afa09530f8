//! Where a server is found: the steps of the specification, one by one.

use super::*;

/// Asks for `server`; the request must reach `address` with this `Host`, over a connection that was
/// opened for `sni`.
async fn assert_reached(world: &World, server: &str, address: &str, host: &str, sni: Option<&str>) {
    assert_eq!(world.ask(server).await.unwrap(), address, "{server}");
    let asked = world.asked("/_matrix/").pop().unwrap();
    assert_eq!(asked.host, host, "{server}");
    assert_eq!(asked.sni.as_deref(), sni, "{server}");
    assert_eq!(asked.path, "/_matrix/key/v2/server?x=%2F");
}

#[tokio::test(start_paused = true)]
async fn step_1_an_address_is_used_as_it_is() {
    let world = World::new();
    world.homeserver("5.5.5.5:8448", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:1", &["5.5.5.5"]);
    world.homeserver("[2a00::5]:8448", &["2a00::5"]);
    world.homeserver("[2a00::5]:1", &["2a00::5"]);
    for (server, address) in [
        ("5.5.5.5", "5.5.5.5:8448"),
        ("5.5.5.5:1", "5.5.5.5:1"),
        ("[2a00::5]", "[2a00::5]:8448"),
        ("[2a00::5]:1", "[2a00::5]:1"),
    ] {
        assert_reached(&world, server, address, server, None).await;
    }
    assert_eq!(world.well_knowns_asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn step_2_a_name_with_a_port_is_looked_up() {
    let world = World::new();
    world.internet.name("a.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:443", &["a.example"]);
    world
        .internet
        .service("_matrix-fed._tcp.a.example", 1, 1, "b.example");
    let name = Some("a.example");
    assert_reached(
        &world,
        "a.example:443",
        "5.5.5.5:443",
        "a.example:443",
        name,
    )
    .await;
    assert_eq!(world.well_knowns_asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn step_3_1_the_delegate_is_an_address() {
    for (delegate, address) in [
        ("5.5.5.5", "5.5.5.5:8448"),
        ("5.5.5.5:1", "5.5.5.5:1"),
        ("[2a00::5]:1", "[2a00::5]:1"),
    ] {
        let world = World::new();
        world.internet.name("a.example", &["6.6.6.6"]);
        world.well_known("6.6.6.6", "a.example", delegates_to(delegate));
        world.homeserver(address, &["5.5.5.5", "2a00::5"]);
        assert_reached(&world, "a.example", address, delegate, None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn step_3_2_the_delegate_has_a_port() {
    let world = World::new();
    world.internet.name("a.example", &["6.6.6.6"]);
    world.well_known("6.6.6.6", "a.example", delegates_to("b.example:1"));
    world.internet.name("b.example", &["5.5.5.5"]);
    world
        .internet
        .service("_matrix-fed._tcp.b.example", 1, 2, "c.example");
    world.homeserver("5.5.5.5:1", &["b.example"]);
    assert_reached(
        &world,
        "a.example",
        "5.5.5.5:1",
        "b.example:1",
        Some("b.example"),
    )
    .await;
    let asked = world.asked(WELL_KNOWN);
    assert_eq!(asked[0].host, "a.example");
    assert_eq!(asked[0].sni.as_deref(), Some("a.example"));
}

#[tokio::test(start_paused = true)]
async fn step_3_3_the_delegate_has_a_service() {
    let world = World::new();
    world.internet.name("a.example", &["6.6.6.6"]);
    world.well_known("6.6.6.6", "a.example", delegates_to("b.example"));
    world
        .internet
        .service("_matrix-fed._tcp.b.example", 1, 2, "c.example");
    world
        .internet
        .service("_matrix._tcp.b.example", 1, 3, "d.example");
    world.internet.name("c.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:2", &["b.example"]);
    assert_reached(
        &world,
        "a.example",
        "5.5.5.5:2",
        "b.example",
        Some("b.example"),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn step_3_4_the_delegate_has_a_service_of_the_old_name() {
    let world = World::new();
    world.internet.name("a.example", &["6.6.6.6"]);
    world.well_known("6.6.6.6", "a.example", delegates_to("b.example"));
    world
        .internet
        .service("_matrix._tcp.b.example", 1, 3, "d.example");
    world.internet.name("d.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:3", &["b.example"]);
    assert_reached(
        &world,
        "a.example",
        "5.5.5.5:3",
        "b.example",
        Some("b.example"),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn step_3_5_the_delegate_is_found_at_8448() {
    let world = World::new();
    world.internet.name("a.example", &["6.6.6.6"]);
    world.well_known("6.6.6.6", "a.example", delegates_to("b.example"));
    world.internet.name("b.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:8448", &["b.example"]);
    assert_reached(
        &world,
        "a.example",
        "5.5.5.5:8448",
        "b.example",
        Some("b.example"),
    )
    .await;
    // The delegate's own well-known file is of no account.
    assert_eq!(world.well_knowns_asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn step_4_a_service_without_a_well_known_file() {
    let world = World::new();
    world.internet.name("a.example", &["6.6.6.6"]);
    world
        .internet
        .service("_matrix-fed._tcp.a.example", 1, 2, "c.example");
    world
        .internet
        .service("_matrix._tcp.a.example", 1, 3, "d.example");
    world.internet.name("c.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:2", &["a.example"]);
    assert_reached(
        &world,
        "a.example",
        "5.5.5.5:2",
        "a.example",
        Some("a.example"),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn step_5_a_service_of_the_old_name_without_a_well_known_file() {
    let world = World::new();
    world
        .internet
        .service("_matrix._tcp.a.example", 1, 3, "d.example");
    world.internet.name("d.example", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:3", &["a.example"]);
    assert_reached(
        &world,
        "a.example",
        "5.5.5.5:3",
        "a.example",
        Some("a.example"),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn step_6_the_name_itself_at_8448() {
    let world = World::new();
    world.internet.name("hs1", &["5.5.5.5"]);
    world.homeserver("5.5.5.5:8448", &["hs1"]);
    assert_reached(&world, "hs1", "5.5.5.5:8448", "hs1", Some("hs1")).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_or_web_site_only_delays() {
    let world = World::new();
    world.internet.name("a.example", &["6.6.6.6"]);
    world.internet.silence("6.6.6.6:443");
    world.internet.silence("_matrix-fed._tcp.a.example");
    world.internet.silence("_matrix._tcp.a.example");
    world.homeserver("6.6.6.6:8448", &["a.example"]);
    let before = tokio::time::Instant::now();
    assert_reached(
        &world,
        "a.example",
        "6.6.6.6:8448",
        "a.example",
        Some("a.example"),
    )
    .await;
    // The time of the test is simulated: it passes only in what is waited for.
    assert_eq!(before.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn servers_of_a_service_are_tried_in_order() {
    let world = World::new();
    let service = "_matrix-fed._tcp.a.example";
    world.internet.service(service, 20, 2, "c.example");
    world.internet.service(service, 10, 1, "b.example");
    world.internet.name("b.example", &["5.5.5.5"]);
    world.internet.name("c.example", &["6.6.6.6"]);
    world.homeserver("6.6.6.6:2", &["a.example"]);
    assert_reached(
        &world,
        "a.example",
        "6.6.6.6:2",
        "a.example",
        Some("a.example"),
    )
    .await;
    assert_eq!(world.internet.connected(), ["5.5.5.5:1", "6.6.6.6:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_may_say_that_there_is_none() {
    let world = World::new();
    world.internet.name("a.example", &["5.5.5.5"]);
    world
        .internet
        .service("_matrix-fed._tcp.a.example", 0, 0, "");
    world.homeserver("5.5.5.5:8448", &["a.example"]);
    let reason = world.refusal("a.example").await;
    assert!(reason.contains("not to be reached"), "{reason}");
}
