//! Templates of something else than what was asked for. Those of joins are in `hostile_answers.rs`.

use http::Method;
use myelin_testkit::{Peer, PeerRoom, TestServer, encode, pdu, three_modes};
use serde_json::{Value, json};

three_modes!(
    templates_for_knocks_are_not_trusted,
    templates_for_leaves_are_not_trusted
);

/// What a template can be instead (CVE-2026-24471).
fn lies() -> Vec<(&'static str, Value)> {
    vec![
        ("/event/type", json!("m.room.power_levels")),
        ("/event/room_id", json!("!other:liar.example")),
        ("/event/sender", json!("@mallory:liar.example")),
        ("/event/state_key", json!("@mallory:liar.example")),
        ("/event/state_key", json!("")),
        ("/event/content/membership", json!("join")),
        ("/event/content/membership", json!("ban")),
        ("/event/prev_events", json!("$a")),
        ("/event/prev_events", json!(vec!["$a"; 30])),
        ("/event/auth_events", json!({"$a": 1})),
        ("/event/auth_events", json!(vec!["$a"; 30])),
        ("/event/depth", json!(-5)),
        ("/event/depth", json!(9_007_199_254_740_992_i64)),
        ("/event/depth", json!(1.5)),
        ("/room_version", json!("org.example.unheard")),
        ("/event", json!([])),
    ]
}

/// The template of a member event, as it should be.
fn template(room: &PeerRoom, user: &str, membership: &str) -> Value {
    let user: ruma::OwnedUserId = user.try_into().unwrap();
    let content = json!({"membership": membership});
    let event = room
        .clone()
        .set(&user, "m.room.member", user.as_str(), content);
    json!({"room_version": room.version, "event": pdu(&event)})
}

async fn templates_for_knocks_are_not_trusted(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Peer::start(server.network(), "liar.example");
    let mut room = PeerRoom::create(&liar, "11", "mallory");
    let mallory = room.user("mallory");
    room.set(
        &mallory,
        "m.room.join_rules",
        "",
        json!({"join_rule": "knock"}),
    );
    let true_template = template(&room, &alice.id, "knock");
    let knock = format!("/knock/{}?via=liar.example", encode(room.id.as_str()));
    for (pointer, value) in lies() {
        let mut told = true_template.clone();
        *told.pointer_mut(pointer).unwrap() = value;
        liar.answer(
            Method::GET,
            "/_matrix/federation/v1/make_knock/",
            move |_| (200, told.clone()),
        );
        alice
            .post(&knock, json!({}))
            .await
            .refused(502, "M_UNKNOWN");
    }
    assert_eq!(super::asked(&liar, "/send_knock/"), 0);
    // What else a template says is not signed.
    let mut told = true_template;
    told["event"]["content"]["displayname"] = json!("Mallory");
    told["event"]["redacts"] = json!("$all");
    liar.answer(
        Method::GET,
        "/_matrix/federation/v1/make_knock/",
        move |_| (200, told.clone()),
    );
    liar.answer(Method::PUT, "/_matrix/federation/v1/send_knock/", |_| {
        (200, json!({"knock_room_state": []}))
    });
    alice.post(&knock, json!({})).await.ok();
    let sent = liar.received().pop().unwrap().body;
    assert_eq!(sent["content"]["membership"], "knock");
    assert_ne!(sent["content"]["displayname"], "Mallory");
    assert!(sent.get("redacts").is_none(), "{sent}");
}

/// Whoever refuses an invitation is out of it, whatever the other server says.
async fn templates_for_leaves_are_not_trusted(server: &TestServer) {
    let alice = server.user("alice").await;
    let liar = Peer::start(server.network(), "liar.example");
    for (pointer, value) in lies() {
        let mut room = PeerRoom::create(&liar, "11", "mallory");
        let mallory = room.user("mallory");
        let invited = json!({"membership": "invite"});
        let invite = room.set(&mallory, "m.room.member", &alice.id, invited);
        let path = format!(
            "/_matrix/federation/v2/invite/{}/{}",
            encode(room.id.as_str()),
            encode(invite.event_id.as_str())
        );
        let create = pdu(&room.events[0]);
        let body =
            json!({"room_version": "11", "event": pdu(&invite), "invite_room_state": [create]});
        liar.put(server, &path, body).await.ok();
        let mut told = template(&room, &alice.id, "leave");
        *told.pointer_mut(pointer).unwrap() = value;
        liar.answer(
            Method::GET,
            "/_matrix/federation/v1/make_leave/",
            move |_| (200, told.clone()),
        );
        alice.leave(room.id.as_str()).await.ok();
        let rooms = alice.sync(None).await["rooms"].clone();
        assert!(rooms["invite"].get(room.id.as_str()).is_none(), "{pointer}");
    }
    assert_eq!(super::asked(&liar, "/send_leave/"), 0);
}
