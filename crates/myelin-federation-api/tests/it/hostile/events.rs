//! Events that lie about what they are, where they belong and who made them.

use myelin_testkit::{Peer, PeerEvent, PeerRoom, TestServer, pdu, three_modes};
use ruma::{CanonicalJsonObject, RoomVersionId};
use serde_json::{Value, json};

use super::Scene;

three_modes!(
    lies_in_events_are_not_believed,
    acts_beyond_their_power_are_refused,
    circles_of_events_are_not_entered,
    what_cannot_be_read_harms_nobody,
    what_is_strange_but_allowed_is_taken,
);

/// Room versions that differ in the form of events.
const VERSIONS: [&str; 5] = ["1", "3", "6", "11", "12"];

/// Signs what the test has made of an event anew, so that nothing but the lie is wrong with it.
fn signed(room: &PeerRoom, mut event: Value) -> Value {
    event.as_object_mut().unwrap().remove("signatures");
    event.as_object_mut().unwrap().remove("hashes");
    let Ok(mut object) = serde_json::from_value::<CanonicalJsonObject>(event.clone()) else {
        return event;
    };
    let rules = room.version.rules().unwrap();
    let (name, key) = (room.peer.server.name.as_str(), &room.peer.server.key);
    let signed = ruma::signatures::hash_and_sign_event(name, key, &mut object, &rules.redaction);
    // What cannot be signed is sent as it is.
    signed.map_or(event, |()| serde_json::to_value(object).unwrap())
}

fn with(event: &Value, key: &str, value: Value) -> Value {
    let mut event = event.clone();
    event[key] = value;
    event
}

/// References as events of this version hold them.
fn references(version: &RoomVersionId, ids: &[&str]) -> Value {
    if matches!(version, RoomVersionId::V1 | RoomVersionId::V2) {
        ids.iter().map(|id| json!([id, {}])).collect()
    } else {
        json!(ids)
    }
}

/// Events that are none of the room, signed by the liar where that can be done.
fn lies(scene: &Scene, elsewhere: &PeerRoom) -> Vec<Value> {
    let room = &scene.liar;
    let good = pdu(&room.make(PeerEvent::text(&scene.mallory, "lie")));
    let refer = |ids: &[&str]| references(&room.version, ids);
    let foreign_member = pdu(elsewhere.events.last().unwrap());
    let of_elsewhere: Vec<&str> = elsewhere.state.values().map(|id| id.as_str()).collect();
    let (own, other) = (&room.peer.server.name, &scene.honest.peer.server.name);
    let (own, other) = (own.as_str(), other.as_str());
    let mut lies = vec![
        // Somebody else's, signed by the liar alone, by nobody, and by a key that there is not.
        pdu(&room.make(PeerEvent::text(&scene.carol, "lie"))),
        with(&good, "signatures", json!({})),
        with(&good, "signatures", json!({own: {"ed25519:none": "AAAA"}})),
        with(&good, "signatures", json!({own: {"ed25519:peer": "AAAA"}})),
        with(
            &good,
            "signatures",
            json!({other: {"ed25519:peer": "AAAA"}}),
        ),
        with(&good, "hashes", json!({})),
        foreign_member,
    ];
    let changes = [
        ("room_id", json!("!other:localhost")),
        ("room_id", json!("")),
        ("room_id", json!(7)),
        ("sender", json!(scene.alice.id)),
        ("sender", json!(format!("@\u{0}:{own}"))),
        ("sender", json!("mallory")),
        ("sender", json!(format!("@{}:{own}", "m".repeat(300)))),
        ("type", json!(["m.room.message"])),
        ("type", json!("t".repeat(300))),
        ("state_key", json!(null)),
        ("state_key", json!("k".repeat(300))),
        ("content", json!("lie")),
        ("content", json!([])),
        ("depth", json!(-1)),
        ("depth", json!("5")),
        ("depth", json!(null)),
        ("origin_server_ts", json!(-1)),
        ("origin_server_ts", json!("now")),
        ("prev_events", json!({})),
        ("prev_events", json!(["no id"])),
        ("prev_events", json!([["$a", {}, {}]])),
        ("prev_events", refer(&["$never"; 21])),
        ("prev_events", refer(&[])),
        ("auth_events", json!(null)),
        ("auth_events", refer(&["$never"; 11])),
        ("auth_events", refer(&[])),
        ("auth_events", refer(&of_elsewhere)),
        ("auth_events", twice(&good["auth_events"])),
    ];
    for (key, value) in changes {
        lies.push(signed(room, with(&good, key, value)));
    }
    lies
}

fn twice(list: &Value) -> Value {
    let list = list.as_array().unwrap();
    list.iter().chain(list).cloned().collect()
}

async fn lies_in_events_are_not_believed(server: &TestServer) {
    for version in VERSIONS {
        let mut scene = Scene::new(server, version).await;
        let elsewhere = PeerRoom::create(&scene.liar.peer, version, "mallory");
        scene.is_heard(server).await;
        let (seen, told) = (scene.seen().await, scene.told(server).await);
        let lies = lies(&scene, &elsewhere);
        for slice in lies.chunks(10) {
            let sent = scene
                .liar
                .peer
                .transaction(server, slice.to_vec(), Vec::new());
            sent.await.ok();
        }
        scene.settles(server).await;
        let seen_after = scene.seen().await;
        let more: Vec<_> = seen_after.difference(&seen).collect();
        assert_eq!(
            more.len(),
            1,
            "version {version}: only `last` is new, {more:?}"
        );
        let told_after = scene.told(server).await;
        let more: Vec<_> = told_after.difference(&told).collect();
        assert_eq!(
            more.len(),
            1,
            "version {version}: only `last` is new, {more:?}"
        );
        scene.is_heard(server).await;
    }
}

async fn acts_beyond_their_power_are_refused(server: &TestServer) {
    for version in VERSIONS {
        let mut scene = Scene::new(server, version).await;
        let mallory = scene.mallory.clone();
        scene.is_heard(server).await;
        let seen = scene.seen().await;
        let content = json!({"room_version": version, "creator": mallory});
        let member = |membership: &str| json!({"membership": membership});
        let eve = scene.liar.user("eve").to_string();
        let acts = [
            (
                "m.room.power_levels",
                "",
                json!({"users": {mallory.as_str(): 100}}),
            ),
            ("m.room.create", "", content),
            ("m.room.join_rules", "", json!({"join_rule": "invite"})),
            ("m.room.server_acl", "", json!({"allow": ["liar.example"]})),
            (
                "m.room.tombstone",
                "",
                json!({"replacement_room": "!a:liar.example"}),
            ),
            ("m.room.member", &scene.alice.id.clone(), member("ban")),
            ("m.room.member", &scene.alice.id.clone(), member("leave")),
            ("m.room.member", scene.carol.as_str(), member("join")),
            ("m.room.member", &eve, member("join")),
            ("m.room.member", mallory.as_str(), member("owner")),
            ("m.room.member", "nobody", member("join")),
            ("org.example.any", "@alice:localhost", json!({})),
            ("org.example.any", "\u{0}", json!({})),
        ];
        let mut events = Vec::new();
        for (event_type, key, content) in acts {
            events.push(scene.liar.make(PeerEvent {
                state_key: Some(key.to_owned()),
                ..PeerEvent::new(&mallory, event_type, content)
            }));
        }
        let events: Vec<_> = events.iter().collect();
        scene.liar.send(server, &events).await.ok();
        scene.settles(server).await;
        assert_eq!(scene.seen().await, seen, "version {version}");
        scene.is_heard(server).await;
    }
}

/// Where ids are claims, events can come after themselves.
async fn circles_of_events_are_not_entered(server: &TestServer) {
    let mut scene = Scene::new(server, "1").await;
    scene.is_heard(server).await;
    let seen = scene.seen().await;
    let good = pdu(&scene.liar.make(PeerEvent::text(&scene.mallory, "lie")));
    let (a, b) = ("$a:liar1.example", "$b:liar1.example");
    let circle = |id: &str, key: &str, refers_to: &str| {
        let event = with(&good, "event_id", json!(id));
        signed(&scene.liar, with(&event, key, json!([[refers_to, {}]])))
    };
    let pdus = vec![
        circle("$own:liar1.example", "prev_events", "$own:liar1.example"),
        circle("$auth:liar1.example", "auth_events", "$auth:liar1.example"),
        circle(a, "prev_events", b),
        circle(b, "prev_events", a),
    ];
    let peer = scene.liar.peer.clone();
    // It tells of the circle whenever it is asked.
    let answer = json!({"events": pdus});
    peer.answer(
        http::Method::POST,
        "/_matrix/federation/v1/get_missing_events/",
        move |_| (200, answer.clone()),
    );
    peer.transaction(server, pdus, Vec::new()).await.ok();
    scene.is_heard(server).await;
    scene.settles(server).await;
    let more: Vec<_> = scene.seen().await.difference(&seen).cloned().collect();
    assert_eq!(more.len(), 1, "{more:?}");
    assert!(peer.received().len() <= 16, "{:?}", peer.received().len());
}

/// What JSON libraries read differently: the request is refused, or the event alone is.
async fn what_cannot_be_read_harms_nobody(server: &TestServer) {
    let mut scene = Scene::new(server, "11").await;
    scene.is_heard(server).await;
    let seen = scene.seen().await;
    let good = pdu(&scene.liar.make(PeerEvent::text(&scene.mallory, "lie")));
    let good = good.to_string();
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let replaced = |from: &str, to: &str| good.replacen(from, to, 1);
    let pdus = [
        replaced(r#""type":"#, r#""type":"m.room.power_levels","type":"#),
        replaced(r#""body":"lie""#, r#""body":"lie","body":"lie""#),
        replaced(r#""body":"lie""#, r#""body":1.5"#),
        replaced(r#""body":"lie""#, r#""body":1e400"#),
        replaced(r#""body":"lie""#, r#""body":-0"#),
        replaced(r#""body":"lie""#, r#""body":9007199254740992"#),
        replaced(
            r#""body":"lie""#,
            r#""body":123456789012345678901234567890"#,
        ),
        replaced(r#""body":"lie""#, r#""body":"\ud800""#),
        replaced(r#""body":"lie""#, r#""body":"\udc00\ud800""#),
        replaced(r#""body":"lie""#, &format!(r#""body":{deep}"#)),
        replaced(
            r#""body":"lie""#,
            &format!(r#""body":"{}""#, "a".repeat(70_000)),
        ),
        replaced(r#""depth":"#, r#""depth":9007199254740992,"depth":"#),
        good[..good.len() - 1].to_owned(),
        "{".to_owned(),
        "\u{feff}{}".to_owned(),
    ];
    for pdu in pdus {
        let body = format!(r#"{{"origin_server_ts":1,"pdus":[{pdu}]}}"#);
        let path = format!(
            "/_matrix/federation/v1/send/{}",
            scene.liar.peer.server.random_letters(12)
        );
        let answer = scene.liar.peer.put_text(server, &path, body).await;
        assert!(matches!(answer.status, 200 | 400 | 401), "{}", answer.text);
    }
    scene.settles(server).await;
    assert_eq!(scene.seen().await, seen);
    scene.is_heard(server).await;
}

/// It stands in the room, is given to clients and other servers, and blocks nobody.
async fn what_is_strange_but_allowed_is_taken(server: &TestServer) {
    const INTEGER_MAX: u64 = 9_007_199_254_740_991;
    for version in VERSIONS {
        let mut scene = Scene::new(server, version).await;
        let mallory = scene.mallory.clone();
        let texts = ["\u{0}", "\u{202e}gnp.exe", "\u{10ffff}", "\u{fffe}"];
        let mut strange: Vec<PeerEvent> = texts
            .iter()
            .map(|text| PeerEvent::text(&mallory, text))
            .collect();
        strange.push(PeerEvent::new(
            &mallory,
            "\u{0}\u{1f}",
            json!({"body": "type", "\u{0}": 1}),
        ));
        let member = json!({"membership": "join", "displayname": "\u{0}", "avatar_url": "\u{0}"});
        strange.push(PeerEvent {
            state_key: Some(mallory.to_string()),
            ..PeerEvent::new(&mallory, "m.room.member", member)
        });
        strange.push(PeerEvent {
            origin_server_ts: Some(INTEGER_MAX),
            ..PeerEvent::text(&mallory, "far future")
        });
        strange.push(PeerEvent {
            origin_server_ts: Some(0),
            ..PeerEvent::text(&mallory, "long ago")
        });
        strange.push(PeerEvent {
            depth: Some(0),
            ..PeerEvent::text(&mallory, "no depth")
        });
        strange.push(PeerEvent {
            depth: Some(INTEGER_MAX),
            ..PeerEvent::text(&mallory, "deep")
        });
        let events: Vec<_> = strange
            .into_iter()
            .map(|event| scene.liar.append(event))
            .collect();
        let events: Vec<_> = events.iter().collect();
        scene.liar.send(server, &events).await.ok();
        scene.settles(server).await;
        scene.is_heard(server).await;
        let seen = scene.seen().await;
        for event in events {
            assert!(
                seen.contains(event.event_id.as_str()),
                "{version}: {}",
                event.json
            );
        }
        // The room goes on: what is made here is taken by others.
        let last = scene.alice.send(&scene.room_id, "ours").await;
        let path = format!(
            "/_matrix/federation/v1/event/{}",
            myelin_testkit::encode(&last)
        );
        let told = scene.honest.peer.get(server, &path).await.ok();
        let told = told["pdus"][0].to_string();
        let parsed = myelin_core::event::parse(told.as_bytes(), &scene.honest.version);
        assert!(parsed.unwrap().depth <= INTEGER_MAX);
        let late = Peer::start(server.network(), &format!("late{version}.example"));
        let room = (&scene.alice, scene.room_id.as_str());
        PeerRoom::joined(&late, server, room, "dave").await;
        assert_eq!(scene.seen().await.len(), seen.len() + 2);
    }
}
