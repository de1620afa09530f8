//! How many messages `/sync` says are unread, and of those how many stand out.

use myelin_testkit::{TestServer, User, encode, text, three_modes};
use serde_json::json;

use super::{
    ignore, in_thread, mention, pair, read_up_to, redact, room_of_two, send_content, set_room_rule,
    unread, unread_by_thread,
};

three_modes!(
    messages_count_for_others,
    a_count_comes_with_its_message,
    mentions_stand_out,
    receipts_of_both_kinds_reset_counts,
    threads_are_counted_by_themselves,
    who_speaks_has_read,
    what_is_redacted_counts_no_more,
    edits_and_reactions_do_not_count,
    rules_hold_from_when_they_are_set,
    who_was_away_begins_anew,
    the_whole_room_is_mentioned_by_who_may,
    a_receipt_of_ones_own_is_told_with_the_counts,
    who_is_ignored_notifies_nobody,
);

async fn messages_count_for_others(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
    for expected in 1..4 {
        alice.send(&room, "hello").await;
        assert_eq!(unread(&bob, &room).await, (expected, 0));
    }
    assert_eq!(unread(&alice, &room).await, (0, 0));
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (3, 0));
    assert_eq!(unread(&alice, &room).await, (0, 0));
    // A change of the profile is no reading.
    let path = format!("/profile/{}/displayname", encode(&bob.id));
    bob.put(&path, json!({"displayname": "Bob"})).await.ok();
    assert_eq!(unread(&bob, &room).await, (3, 0));
}

async fn a_count_comes_with_its_message(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let mut since = text(&bob.sync(None).await, "next_batch");
    for expected in 1..4 {
        let event = alice.send(&room, "hello").await;
        let sync = bob.sync(Some(&since)).await;
        let joined = &sync["rooms"]["join"][&room];
        assert_eq!(joined["timeline"]["events"][0]["event_id"], event);
        assert_eq!(pair(&joined["unread_notifications"]), (expected, 0));
        since = text(&sync, "next_batch");
    }
}

async fn mentions_stand_out(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    send_content(&alice, &room, "a", mention(&bob)).await;
    assert_eq!(unread(&bob, &room).await, (1, 1));
    assert_eq!(unread(&carol, &room).await, (1, 0));
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (1, 1));
    assert_eq!(unread(&carol, &room).await, (1, 0));
    // One's name in the text is no mention.
    let body = json!({"msgtype": "m.text", "body": "hello bob"});
    send_content(&alice, &room, "b", body).await;
    assert_eq!(unread(&bob, &room).await, (2, 1));
}

async fn receipts_of_both_kinds_reset_counts(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let mut events = Vec::new();
    for _ in 0..5 {
        events.push(alice.send(&room, "hello").await);
    }
    server.counted().await;
    for (kind, event, left) in [
        ("m.read", 1, 3),
        ("m.read.private", 0, 3),
        ("m.read.private", 2, 2),
        ("m.read", 3, 1),
        ("m.read.private", 4, 0),
    ] {
        read_up_to(&bob, &room, (kind, None), &events[event]).await;
        assert_eq!(unread(&bob, &room).await, (left, 0), "{kind} {event}");
    }
}

async fn threads_are_counted_by_themselves(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    send_content(&alice, &room, "a", in_thread(&root)).await;
    let last = send_content(&alice, &room, "b", in_thread(&root)).await;
    let main = alice.send(&room, "main").await;
    for _ in 0..2 {
        assert_eq!(unread(&bob, &room).await, (4, 0));
        let wanted = json!({"main": [2, 0], &root: [2, 0]});
        assert_eq!(unread_by_thread(&bob, &room).await, wanted);
        server.counted().await;
    }
    read_up_to(&bob, &room, ("m.read", Some("main")), &main).await;
    let wanted = json!({"main": [0, 0], &root: [2, 0]});
    assert_eq!(unread_by_thread(&bob, &room).await, wanted);
    read_up_to(&bob, &room, ("m.read", Some(&root)), &last).await;
    let wanted = json!({"main": [0, 0]});
    assert_eq!(unread_by_thread(&bob, &room).await, wanted);
    send_content(&alice, &room, "c", in_thread(&root)).await;
    let last = alice.send(&room, "more").await;
    let wanted = json!({"main": [1, 0], &root: [1, 0]});
    assert_eq!(unread_by_thread(&bob, &room).await, wanted);
    // Without a thread it is for all of them.
    read_up_to(&bob, &room, ("m.read", None), &last).await;
    assert_eq!(unread_by_thread(&bob, &room).await, json!({"main": [0, 0]}));
}

async fn who_speaks_has_read(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    send_content(&alice, &room, "a", in_thread(&root)).await;
    for wait in [false, true] {
        if wait {
            server.counted().await;
        }
        let wanted = json!({"main": [1, 0], &root: [1, 0]});
        assert_eq!(unread_by_thread(&bob, &room).await, wanted);
    }
    bob.send(&room, "I see").await;
    for wait in [false, true] {
        if wait {
            server.counted().await;
        }
        let wanted = json!({"main": [0, 0], &root: [1, 0]});
        assert_eq!(unread_by_thread(&bob, &room).await, wanted);
    }
}

async fn what_is_redacted_counts_no_more(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let first = alice.send(&room, "one").await;
    let second = send_content(&alice, &room, "a", mention(&bob)).await;
    alice.send(&room, "three").await;
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (3, 1));
    redact(&alice, &room, &first).await;
    assert_eq!(unread(&bob, &room).await, (2, 1));
    redact(&alice, &room, &second).await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    // What nobody has counted yet.
    let fourth = alice.send(&room, "four").await;
    redact(&alice, &room, &fourth).await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
}

async fn edits_and_reactions_do_not_count(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let event = alice.send(&room, "hello").await;
    let edit = json!({
        "msgtype": "m.text", "body": "* hi", "m.new_content": {"msgtype": "m.text", "body": "hi"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    });
    send_content(&alice, &room, "a", edit).await;
    let relation = json!({"rel_type": "m.annotation", "event_id": event, "key": "x"});
    let reaction = json!({"m.relates_to": relation});
    alice
        .send_event(&room, "m.reaction", "b", reaction)
        .await
        .ok();
    let notice = json!({"msgtype": "m.notice", "body": "beep"});
    send_content(&alice, &room, "c", notice).await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
}

async fn rules_hold_from_when_they_are_set(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    alice.send(&room, "loud").await;
    set_room_rule(&bob, &room, json!([])).await;
    alice.send(&room, "silent").await;
    send_content(&alice, &room, "a", mention(&bob)).await;
    set_room_rule(&bob, &room, json!(["notify", {"set_tweak": "highlight"}])).await;
    alice.send(&room, "very loud").await;
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (3, 2));
    assert_eq!(unread(&alice, &room).await, (0, 0));
}

async fn who_was_away_begins_anew(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    alice.send(&room, "one").await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    bob.leave(&room).await.ok();
    alice.send(&room, "two").await;
    bob.join(&room).await.ok();
    assert_eq!(unread(&bob, &room).await, (0, 0));
    alice.send(&room, "three").await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    let path = format!("/rooms/{}/ban", encode(&room));
    alice.post(&path, json!({"user_id": bob.id})).await.ok();
    let path = format!("/rooms/{}/unban", encode(&room));
    alice.post(&path, json!({"user_id": bob.id})).await.ok();
    bob.join(&room).await.ok();
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
}

async fn the_whole_room_is_mentioned_by_who_may(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let everybody = json!({"msgtype": "m.text", "body": "x", "m.mentions": {"room": true}});
    send_content(&alice, &room, "a", everybody.clone()).await;
    send_content(&bob, &room, "b", everybody).await;
    let wanted = async |user: &User| unread(user, &room).await;
    // Bob has the power of most, which is not enough.
    assert_eq!(wanted(&alice).await, (1, 0));
    server.counted().await;
    assert_eq!(wanted(&alice).await, (1, 0));
    assert_eq!(wanted(&bob).await, (0, 0));
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    let everybody = json!({"msgtype": "m.text", "body": "x", "m.mentions": {"room": true}});
    send_content(&alice, &room, "c", everybody).await;
    assert_eq!(wanted(&carol).await, (1, 1));
    server.counted().await;
    assert_eq!(wanted(&carol).await, (1, 1));
}

async fn a_receipt_of_ones_own_is_told_with_the_counts(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let event = alice.send(&room, "hello").await;
    let filter = json!({"room": {"ephemeral": {"types": []}}}).to_string();
    let sync = async |since: &str| {
        let path = format!("/sync?since={since}&filter={}", encode(&filter));
        bob.get(&path).await.ok()
    };
    let since = text(&bob.sync(None).await, "next_batch");
    for kind in ["m.read.private", "m.read"] {
        read_up_to(&bob, &room, (kind, None), &event).await;
        let told = sync(&since).await;
        let counts = &told["rooms"]["join"][&room]["unread_notifications"];
        assert_eq!(pair(counts), (0, 0), "{told}");
    }
}

async fn who_is_ignored_notifies_nobody(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    alice.send(&room, "before").await;
    ignore(&bob, &[&alice]).await;
    server.counted().await;
    // Before the follower has come to them, and after.
    alice.send(&room, "hello").await;
    send_content(&alice, &room, "a", mention(&bob)).await;
    carol.send(&room, "hello").await;
    for counted in [false, true] {
        if counted {
            server.counted().await;
        }
        assert_eq!(unread(&bob, &room).await, (2, 0), "{counted}");
        assert_eq!(unread(&carol, &room).await, (0, 0), "{counted}");
    }
    // Even what was noted before is not listed now.
    let listed = async |user: &User| {
        let page = user.get("/notifications").await.ok();
        page["notifications"].as_array().unwrap().len()
    };
    assert_eq!(listed(&bob).await, 1);
    assert_eq!(listed(&carol).await, 3);
    // What is said of the room is for everybody.
    let tombstone = json!({"body": "moved", "replacement_room": "!x:localhost"});
    let path = format!("/rooms/{}/state/m.room.tombstone", encode(&room));
    alice.put(&path, tombstone).await.ok();
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (3, 1));
    // A follower that reads the room anew knows it as well.
    server.restart().await;
    alice.send(&room, "hello").await;
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (3, 1));
    ignore(&bob, &[]).await;
    server.counted().await;
    alice.send(&room, "welcome").await;
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (4, 1));
    // Who comes brings a list along.
    let dora = server.user("dora").await;
    ignore(&dora, &[&alice]).await;
    dora.join(&room).await.ok();
    server.counted().await;
    alice.send(&room, "welcome, dora").await;
    bob.send(&room, "welcome, dora").await;
    server.counted().await;
    assert_eq!(unread(&dora, &room).await, (1, 0));
}
