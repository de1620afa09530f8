//! `GET /_matrix/client/v1/rooms/{roomId}/threads`, and what is told of threads elsewhere.

use myelin_testkit::{
    Answer, Peer, PeerEvent, PeerRoom, TestServer, User, encode, text, three_modes,
};
use serde_json::json;

use crate::{
    covers,
    relations::{edit, everywhere, ids, ignore, redact, relate, relations},
};

three_modes!(
    lists_threads_by_their_newest_events,
    lists_those_in_which_one_takes_part,
    bundles_the_thread_with_its_root,
    redactions_take_events_from_threads,
    ignored_users_are_left_out,
    no_thread_starts_inside_another,
    what_another_server_tells_has_no_order,
    strangers_see_no_threads,
    refuses_bad_parameters,
);

covers! {
    "GET /_matrix/client/v1/rooms/{roomId}/threads":
        works = lists_threads_by_their_newest_events,
        400 = refuses_bad_parameters,
        403 = strangers_see_no_threads,
        outsider = strangers_see_no_threads;
}

async fn lists_threads_by_their_newest_events(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let mut roots = Vec::new();
    for number in 0..5 {
        let root = alice.send(&room, &number.to_string()).await;
        relate(&alice, &room, &root, "m.thread").await;
        roots.push(root);
    }
    relate(&alice, &room, &roots[0], "m.thread").await;
    let answer = get(&alice, &room, "").await.ok();
    let wanted = [0, 4, 3, 2, 1].map(|index: usize| roots[index].as_str());
    assert_eq!(ids(&answer), wanted);
    assert!(answer.get("next_batch").is_none());
    let thread = &relations(&answer["chunk"][0])["m.thread"];
    assert_eq!(thread["count"], 2);
    let (mut found, mut from) = (Vec::new(), String::new());
    for page in 0..3 {
        let answer = get(&alice, &room, &format!("?limit=2{from}")).await.ok();
        found.extend(ids(&answer).into_iter().map(str::to_owned));
        assert_eq!(answer.get("next_batch").is_some(), page < 2);
        if page < 2 {
            from = format!("&from={}", encode(&text(&answer, "next_batch")));
        }
    }
    assert_eq!(found, wanted);
}

async fn lists_those_in_which_one_takes_part(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let of_alice = alice.send(&room, "alice's").await;
    relate(&alice, &room, &of_alice, "m.thread").await;
    let of_bob = bob.send(&room, "bob's").await;
    relate(&alice, &room, &of_bob, "m.thread").await;
    let of_both = alice.send(&room, "both's").await;
    relate(&bob, &room, &of_both, "m.thread").await;
    let answer = get(&bob, &room, "?include=participated").await.ok();
    assert_eq!(ids(&answer), [&*of_both, &*of_bob]);
    for root in answer["chunk"].as_array().unwrap() {
        let thread = &relations(root)["m.thread"];
        assert_eq!(thread["current_user_participated"], true, "{root}");
    }
    let answer = get(&bob, &room, "?include=all").await.ok();
    assert_eq!(ids(&answer), [&*of_both, &*of_bob, &*of_alice]);
    let thread = &relations(&answer["chunk"][2])["m.thread"];
    assert_eq!(thread["current_user_participated"], false);
}

async fn bundles_the_thread_with_its_root(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let root = alice.send(&room, "root").await;
    relate(&alice, &room, &root, "m.thread").await;
    let latest = relate(&alice, &room, &root, "m.thread").await;
    let edited = edit(&alice, &room, &latest, "edited").await;
    for shown in everywhere(&alice, &room, &root).await {
        let thread = &relations(&shown)["m.thread"];
        assert_eq!(thread["count"], 2, "{shown}");
        assert_eq!(thread["current_user_participated"], true);
        let newest = &thread["latest_event"];
        assert_eq!(newest["event_id"], latest);
        assert_eq!(newest["content"]["body"], "related");
        let replace = &relations(newest)["m.replace"];
        assert_eq!(replace["event_id"], edited);
    }
}

async fn redactions_take_events_from_threads(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let one = alice.send(&room, "one").await;
    let first = relate(&alice, &room, &one, "m.thread").await;
    let two = alice.send(&room, "two").await;
    relate(&alice, &room, &two, "m.thread").await;
    let newest = relate(&alice, &room, &one, "m.thread").await;
    let listed = get(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed), [&*one, &*two]);
    redact(&alice, &room, &newest).await;
    let listed = get(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed), [&*two, &*one]);
    let thread = &relations(&listed["chunk"][1])["m.thread"];
    assert_eq!(thread["count"], 1);
    assert_eq!(thread["latest_event"]["event_id"], first);
    redact(&alice, &room, &first).await;
    let listed = get(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed), [&*two]);
    for shown in everywhere(&alice, &room, &one).await {
        assert!(relations(&shown).is_null(), "{shown}");
    }
    // A root that is redacted stays one.
    redact(&alice, &room, &two).await;
    let listed = get(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed), [&*two]);
}

async fn ignored_users_are_left_out(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    let mixed = alice.send(&room, "mixed").await;
    let own = relate(&alice, &room, &mixed, "m.thread").await;
    relate(&bob, &room, &mixed, "m.thread").await;
    let of_bob = bob.send(&room, "bob's").await;
    relate(&alice, &room, &of_bob, "m.thread").await;
    let only_bob = alice.send(&room, "only bob").await;
    relate(&bob, &room, &only_bob, "m.thread").await;
    ignore(&alice, &bob).await;
    let listed = get(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed), [&*of_bob, &*mixed]);
    let hidden = &listed["chunk"][0];
    assert_eq!(
        hidden["content"],
        json!({}),
        "an ignored user's root: {hidden}"
    );
    assert_eq!(relations(hidden)["m.thread"]["count"], 1);
    let thread = &relations(&listed["chunk"][1])["m.thread"];
    assert_eq!(thread["count"], 1);
    assert_eq!(thread["latest_event"]["event_id"], own);
}

async fn no_thread_starts_inside_another(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let root = alice.send(&room, "root").await;
    let inside = relate(&alice, &room, &root, "m.thread").await;
    let relates_to = json!({"rel_type": "m.thread", "event_id": inside});
    let content = json!({"body": "x", "m.relates_to": relates_to});
    let answer = alice.send_event(&room, "m.room.message", "nested", content);
    answer.await.refused(400, "M_UNKNOWN");
    // Nor from what names a relation that it has not: an edit without content.
    let no_edit = relate(&alice, &room, &root, "m.replace").await;
    let relates_to = json!({"rel_type": "m.thread", "event_id": no_edit});
    let content = json!({"body": "x", "m.relates_to": relates_to});
    let answer = alice.send_event(&room, "m.room.message", "no edit", content);
    answer.await.refused(400, "M_UNKNOWN");
    // A reply is no relation with a type.
    let reply = json!({"body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": root}}});
    let reply = alice
        .send_event(&room, "m.room.message", "reply", reply)
        .await;
    let reply = text(&reply.ok(), "event_id");
    relate(&alice, &room, &reply, "m.thread").await;
    // Nor does the server know what has not come to it.
    relate(&alice, &room, "$unknown", "m.thread").await;
    let listed = get(&alice, &room, "").await.ok();
    assert_eq!(ids(&listed), [&*reply, &*root]);
}

async fn what_another_server_tells_has_no_order(server: &TestServer) {
    let alice = server.user("alice").await;
    let peer = Peer::start(server.network(), "peer.example");
    let room_id = alice.create_public_room().await;
    let mut room = PeerRoom::joined(&peer, server, (&alice, &room_id), "carol").await;
    let carol = room.user("carol");
    let related = |rel_type: &str, event: &str| {
        let relates_to = json!({"rel_type": rel_type, "event_id": event});
        let content = json!({
            "body": "related",
            "m.new_content": {"body": "edited"},
            "m.relates_to": relates_to,
        });
        PeerEvent::new(&carol, "m.room.message", content)
    };
    // The root comes last.
    let root = room.make(PeerEvent::text(&carol, "root"));
    let root_id = root.event_id.to_string();
    let answer = room.append(related("m.thread", &root_id));
    let edited = room.append(related("m.replace", &root_id));
    let reference = room.append(related("m.reference", &root_id));
    // What would be a thread inside another one is none.
    let nested = room.append(related("m.thread", answer.event_id.as_str()));
    for event in [&answer, &edited, &reference, &nested, &root] {
        room.receive(server, event).await;
    }
    for shown in everywhere(&alice, &room_id, &root_id).await {
        let bundle = relations(&shown);
        let latest = &bundle["m.thread"]["latest_event"];
        assert_eq!(latest["event_id"], answer.event_id.as_str(), "{shown}");
        assert_eq!(bundle["m.thread"]["count"], 1);
        assert_eq!(bundle["m.replace"]["event_id"], edited.event_id.as_str());
        let chunk = json!([{"event_id": reference.event_id.as_str()}]);
        assert_eq!(bundle["m.reference"]["chunk"], chunk);
    }
    for shown in everywhere(&alice, &room_id, answer.event_id.as_str()).await {
        assert!(relations(&shown).is_null(), "{shown}");
    }
    assert_eq!(ids(&get(&alice, &room_id, "").await.ok()), [&*root_id]);
}

async fn strangers_see_no_threads(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_room().await;
    let root = alice.send(&room, "root").await;
    relate(&alice, &room, &root, "m.thread").await;
    get(&bob, &room, "").await.refused(403, "M_FORBIDDEN");
    let nowhere = get(&bob, "!nowhere:localhost", "").await;
    nowhere.refused(403, "M_FORBIDDEN");
}

async fn refuses_bad_parameters(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let next_batch = text(&alice.sync(None).await, "next_batch");
    for query in [
        "?include=some".to_owned(),
        "?limit=0".to_owned(),
        "?limit=x".to_owned(),
        "?from=garbage".to_owned(),
        format!("?from={}", encode(&next_batch)),
    ] {
        let answer = get(&alice, &room, &query).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
}

async fn get(user: &User, room: &str, query: &str) -> Answer {
    let path = format!("/_matrix/client/v1/rooms/{}/threads{query}", encode(room));
    user.get(&path).await
}
