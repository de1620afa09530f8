//! The well-known file: how it is fetched, and for how long it is kept.

use super::*;

/// `a.example` with a web site at 6.6.6.6 that says this, and homeservers wherever it may lead.
fn world_with(says: Response<String>) -> World {
    let world = World::new();
    world.internet.name("a.example", &["6.6.6.6"]);
    world.internet.name("b.example", &["5.5.5.5"]);
    world.well_known("6.6.6.6", "a.example", says);
    world.homeserver("6.6.6.6:8448", &["a.example"]);
    world.homeserver("5.5.5.5:8448", &["b.example"]);
    world
}

async fn assert_reached(world: &World, address: &str) {
    assert_eq!(world.ask("a.example").await.unwrap(), address);
}

fn redirect(to: &str) -> Response<String> {
    let mut response = answer(302, "");
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, to.parse().unwrap());
    response
}

#[tokio::test(start_paused = true)]
async fn it_is_kept_as_long_as_it_says() {
    let mut says = delegates_to("b.example");
    let lifetime = "max-age=3600".parse().unwrap();
    says.headers_mut().insert(header::CACHE_CONTROL, lifetime);
    let world = world_with(says);
    for _ in 0..3 {
        assert_reached(&world, "5.5.5.5:8448").await;
    }
    assert_eq!(world.well_knowns_asked(), 1);
    world.clock.advance(Duration::from_mins(59));
    assert_reached(&world, "5.5.5.5:8448").await;
    assert_eq!(world.well_knowns_asked(), 1);
    world.clock.advance(Duration::from_mins(1));
    assert_reached(&world, "5.5.5.5:8448").await;
    assert_eq!(world.well_knowns_asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn its_absence_is_remembered_and_looked_for_more_rarely() {
    let world = world_with(answer(404, "{}"));
    let mut asked = 0;
    for minutes in [5, 10, 20, 40, 60, 60] {
        assert_reached(&world, "6.6.6.6:8448").await;
        asked += 1;
        assert_eq!(world.well_knowns_asked(), asked);
        world.clock.advance(Duration::from_mins(minutes - 1));
        assert_reached(&world, "6.6.6.6:8448").await;
        assert_eq!(world.well_knowns_asked(), asked);
        world.clock.advance(Duration::from_mins(1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_counts_as_none() {
    for says in [
        answer(200, "nonsense"),
        answer(200, r#"{"m.server": "https://b.example"}"#),
        answer(200, "{}"),
        answer(500, r#"{"m.server": "b.example"}"#),
        answer(201, r#"{"m.server": "b.example"}"#),
    ] {
        let world = world_with(says);
        assert_reached(&world, "6.6.6.6:8448").await;
    }
}

/// CVE-2021-21274 of Synapse: a well-known file without end filled the memory.
#[tokio::test(start_paused = true)]
async fn it_is_read_up_to_50_kib() {
    let says = |bytes: usize| {
        let file = r#"{"m.server": "b.example"}"#;
        answer(200, &format!("{file}{}", " ".repeat(bytes - file.len())))
    };
    assert_reached(&world_with(says(50 * 1024)), "5.5.5.5:8448").await;
    assert_reached(&world_with(says(50 * 1024 + 1)), "6.6.6.6:8448").await;
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed() {
    for to in ["https://c.example/x", "//c.example/x"] {
        let world = world_with(redirect(to));
        world.internet.name("c.example", &["7.7.7.7"]);
        world.well_known("7.7.7.7", "c.example", delegates_to("b.example"));
        assert_reached(&world, "5.5.5.5:8448").await;
        let asked = world.asked("/x");
        assert_eq!(asked[0].host, "c.example");
        assert_eq!(asked[0].sni.as_deref(), Some("c.example"));
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_out_of_tls_or_in_circles_lead_nowhere() {
    let world = world_with(redirect("http://c.example/x"));
    world.internet.name("c.example", &["7.7.7.7"]);
    assert_reached(&world, "6.6.6.6:8448").await;
    assert_eq!(world.internet.connected(), ["6.6.6.6:443", "6.6.6.6:8448"]);

    let world = world_with(redirect(WELL_KNOWN));
    assert_reached(&world, "6.6.6.6:8448").await;
    assert_eq!(world.well_knowns_asked(), 6);
}

/// CVE-2021-21273 of Synapse: what the first address leads to was not judged again.
#[tokio::test(start_paused = true)]
async fn each_redirect_passes_the_guard_again() {
    for (to, address) in [
        ("https://inside.example/", "10.0.0.1"),
        ("https://127.0.0.1/", "127.0.0.1"),
        ("https://2130706433/", "127.0.0.1"),
        ("https://[::ffff:a00:1]/", "::ffff:10.0.0.1"),
        ("https://[64:ff9b::a9fe:a9fe]/", "64:ff9b::169.254.169.254"),
    ] {
        let world = world_with(redirect(to));
        world.internet.name("inside.example", &["10.0.0.1"]);
        let inside = format!(
            "{}:443",
            if address.contains(':') {
                format!("[{address}]")
            } else {
                address.to_owned()
            }
        );
        world.internet.site(
            &inside,
            &world.authority,
            &["inside.example", "127.0.0.1"],
            |_| delegates_to("b.example"),
        );
        assert_reached(&world, "6.6.6.6:8448").await;
        assert_eq!(
            world.internet.connected(),
            ["6.6.6.6:443", "6.6.6.6:8448"],
            "{to}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_delegate_outlives_a_short_absence_of_its_file() {
    let world = world_with(delegates_to("b.example"));
    assert_reached(&world, "5.5.5.5:8448").await;
    world.internet.silence("6.6.6.6:443");
    world.clock.advance(Duration::from_hours(25));
    assert_reached(&world, "5.5.5.5:8448").await;
    world.clock.advance(Duration::from_hours(24));
    assert_reached(&world, "6.6.6.6:8448").await;
    world.internet.speak("6.6.6.6:443");
    world.clock.advance(Duration::from_hours(1));
    assert_reached(&world, "5.5.5.5:8448").await;
}

#[tokio::test(start_paused = true)]
async fn many_at_once_fetch_it_once() {
    let world = world_with(delegates_to("b.example"));
    let all = tokio::join!(
        world.ask("a.example"),
        world.ask("a.example"),
        world.ask("a.example"),
        world.ask("a.example"),
    );
    for result in <[_; 4]>::from(all) {
        assert_eq!(result.unwrap(), "5.5.5.5:8448");
    }
    assert_eq!(world.well_knowns_asked(), 1);
}
