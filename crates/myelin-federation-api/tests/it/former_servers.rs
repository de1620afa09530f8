//! Servers whose last user has gone from a room: they may ask for what came before that, and so can
//! judge what removed them; and when they come back they begin anew.

use http::Method;
use myelin_testkit::{
    Answer, Peer, PeerRoom, TestServer, encode, three_modes, three_modes_federated, wait_until,
};
use serde_json::json;

use crate::{
    hostile_answers::Liar,
    joining_elsewhere::join_via,
    serving::{Setting, bodies, path},
};

three_modes!(
    who_was_removed_may_ask_for_what_came_before,
    who_comes_back_counts_members_anew,
);
three_modes_federated!(who_missed_what_came_before_hears_of_being_removed);

async fn who_was_removed_may_ask_for_what_came_before(server: &TestServer) {
    let setting = Setting::new(server).await;
    let (alice, room_id) = (&setting.alice, &setting.room_id);
    let peer = &setting.room.peer;
    let joined = setting.room.events.last().unwrap();
    alice.send(room_id, "before").await;
    let user = json!({"user_id": setting.room.user("bob")});
    let kick = format!("/rooms/{}/kick", encode(room_id));
    alice.post(&kick, user).await.ok();
    let kick = alice.messages(room_id, "dir=b&limit=1").await.ok();
    let kick = kick["chunk"][0]["event_id"].as_str().unwrap().to_owned();
    let after = alice.send(room_id, "after").await;
    let later = alice.send(room_id, "later").await;
    let missing = async |latest: &str| -> Answer {
        let asked = json!({
            "earliest_events": [joined.event_id],
            "latest_events": [latest],
            "limit": 10,
        });
        let path = path("get_missing_events", room_id, "");
        peer.post(server, &path, asked).await
    };
    let state = async |endpoint: &str, at: &str| -> Answer {
        let at = format!("?event_id={}", encode(at));
        peer.get(server, &path(endpoint, room_id, &at)).await
    };
    let found = missing(&kick).await.ok();
    assert_eq!(bodies(&found["events"]), ["before"]);
    for endpoint in ["state", "state_ids"] {
        state(endpoint, &kick).await.ok();
        for at in [&after, &later] {
            state(endpoint, at).await.refused(403, "M_FORBIDDEN");
        }
    }
    for latest in [&after, &later] {
        missing(latest).await.refused(403, "M_FORBIDDEN");
    }
    let chain = |id: &str| path("event_auth", room_id, &format!("/{}", encode(id)));
    peer.get(server, &chain(&kick)).await.ok();
    let refused = peer.get(server, &chain(&later)).await;
    refused.refused(403, "M_FORBIDDEN");
}

async fn who_comes_back_counts_members_anew(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let second = Peer::start(server.network(), "second.example");
    let without = PeerRoom::create(&peer, "11", "mallory");
    let mut theirs = PeerRoom {
        peer: second.clone(),
        ..without.clone()
    };
    let dave = theirs.user("dave");
    let content = json!({"membership": "join"});
    let join = theirs.set(&dave, "m.room.member", dave.as_str(), content);
    let mut with = without.clone();
    with.take(&join);
    let liar = Liar::with_room(peer.clone(), with);
    liar.join(&alice).await.ok();
    let room_id = without.id.as_str().to_owned();
    alice.leave(&room_id).await.ok();
    // When Alice comes back, nobody has heard of Dave; then they do.
    let ids: Vec<_> = without.state.values().cloned().collect();
    let liar = Liar::with_room(peer.clone(), without.clone());
    liar.join(&alice).await.ok();
    let state = json!({"pdu_ids": ids, "auth_chain_ids": []});
    let path = "/_matrix/federation/v1/state_ids/";
    second.answer(Method::GET, path, move |_| (200, state.clone()));
    theirs.send(server, &[&join]).await.ok();
    wait_until("Dave is in the room", async || {
        let members = format!("/rooms/{}/joined_members", encode(&room_id));
        let members = alice.get(&members).await.ok();
        members["joined"][dave.as_str()].is_object()
    })
    .await;
    alice.send(&room_id, "hello Dave").await;
    wait_until("Dave hears it", async || {
        let heard = second.pdus();
        let is_it = |pdu: &serde_json::Value| pdu["content"]["body"] == "hello Dave";
        heard.iter().any(is_it)
    })
    .await;
}

async fn who_missed_what_came_before_hears_of_being_removed(here: &TestServer, there: &TestServer) {
    let alice = there.user("alice").await;
    let bob = here.user("bob").await;
    let room = alice.create_public_room().await;
    join_via(&bob, &room, "there.example").await.ok();
    // So many that not all of them come with the kick.
    here.network().set_cut_off("localhost", true);
    for number in 0..60 {
        alice.send(&room, &number.to_string()).await;
    }
    let kick = format!("/rooms/{}/kick", encode(&room));
    alice.post(&kick, json!({"user_id": bob.id})).await.ok();
    here.network().set_cut_off("localhost", false);
    let is_out = async || {
        let joined = bob.get("/joined_rooms").await.ok();
        joined["joined_rooms"] == json!([])
    };
    there
        .wait_while_time_passes("the kick is heard", is_out)
        .await;
}
