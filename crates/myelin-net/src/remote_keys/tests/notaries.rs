//! Keys of servers that do not answer themselves.

use super::*;

const ASK_NOTARY: &str = "POST notary.example/_matrix/key/v2/query";

async fn world() -> World {
    World::with(FederationSettings {
        trusted_key_servers: vec![server_name!("notary.example").to_owned()],
        ..FederationSettings::default()
    })
    .await
}

/// A notary that knows these answers and signs what it is asked for with the key of this version.
fn notary(world: &World, version: &'static str, known: Vec<Value>) -> Arc<Count> {
    let own = answer("notary.example", &["1"], &[], world.now_ms() + 1_000_000);
    let count = Arc::new(Count::default());
    let counted = count.clone();
    world.net.server("notary.example", move |request| {
        if request.uri().path() == "/_matrix/key/v2/server" {
            return own.clone();
        }
        counted.up();
        let asked: Value = serde_json::from_slice(request.body()).unwrap();
        let name = |answer: &Value| answer["server_name"].as_str().unwrap().to_owned();
        let answers: Vec<_> = known
            .iter()
            .filter(|answer| !asked["server_keys"][name(answer)].is_null())
            .map(|answer| {
                let key = key("notary.example", version);
                signed(answer.clone(), "notary.example", &key)
            })
            .collect();
        json!({"server_keys": answers})
    });
    count
}

#[tokio::test]
async fn a_notary_tells_the_keys_of_who_does_not_answer() {
    let mut world = world().await;
    let now = world.now_ms();
    notary(
        &world,
        "1",
        vec![answer("a.example", &["1"], &[], now + 1000)],
    );
    assert!(world.finds("a.example", "1", Some(now)).await);
    let asked = world.net.requests();
    let own = "GET notary.example/_matrix/key/v2/server";
    assert_eq!(asked, [ASK_A, own, ASK_NOTARY]);
    world.restart();
    assert!(world.finds("a.example", "1", Some(now)).await);
    assert!(world.net.requests().is_empty());
}

#[tokio::test]
async fn a_notary_that_does_not_sign_is_not_believed() {
    let world = world().await;
    let now = world.now_ms();
    let count = notary(
        &world,
        "9",
        vec![answer("a.example", &["1"], &[], now + 1000)],
    );
    assert!(!world.finds("a.example", "1", Some(now)).await);
    assert_eq!(count.get(), 1);
}

#[tokio::test]
async fn a_notary_cannot_invent_keys() {
    let world = world().await;
    let now = world.now_ms();
    let mut invented = answer("a.example", &["1"], &[], now + 1000);
    let key = key("b.example", "1").public_key_base64();
    invented["verify_keys"]["ed25519:2"] = json!({"key": key});
    let count = notary(&world, "1", vec![invented]);
    assert!(!world.finds("a.example", "2", Some(now)).await);
    assert_eq!(count.get(), 1);
}

#[tokio::test]
async fn a_notary_knows_keys_that_their_server_has_forgotten() {
    let world = world().await;
    let now = world.now_ms();
    world.net.keys("a.example", &["2"], &[], now + 1_000_000);
    let old = [("1", now - 10)];
    notary(
        &world,
        "1",
        vec![answer("a.example", &["2"], &old, now + 1000)],
    );
    assert!(world.finds("a.example", "1", Some(now - 10)).await);
    // What the server itself says of its newest key is not overruled.
    assert!(world.finds("a.example", "2", Some(now + 1_000_000)).await);
}

#[tokio::test]
async fn the_keys_of_many_servers_are_asked_of_a_notary_by_one_request() {
    let world = world().await;
    let now = world.now_ms();
    let names: Vec<_> = (0..50).map(|number| format!("s{number}.example")).collect();
    let known = names.iter().skip(1);
    let known = known.map(|name| answer(name, &["1"], &[], now + 1000));
    let count = notary(&world, "1", known.collect());
    world.net.keys("s0.example", &["1"], &[], now + 1000);
    let needs: Vec<_> = names.iter().map(|name| need(name, "1", None)).collect();
    assert_eq!(world.keys.find(&needs).await.len(), 50);
    assert_eq!(count.get(), 1);
    let asked = world.net.requests();
    // The notary's own key, the question, and the one server that the notary does not know.
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[2], "GET s0.example/_matrix/key/v2/server");
}

#[tokio::test]
async fn a_notary_that_is_gone_is_not_asked_for_its_key_each_time() {
    let world = world().await;
    for name in ["a.example", "b.example", "c.example"] {
        assert!(!world.finds(name, "1", None).await);
    }
    let asked = world.net.requests();
    let own = "GET notary.example/_matrix/key/v2/server";
    assert_eq!(asked.iter().filter(|line| *line == own).count(), 1);
}
