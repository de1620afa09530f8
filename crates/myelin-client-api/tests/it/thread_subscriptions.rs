//! Subscriptions to threads (MSC4306), and what they notify of.

use http::Method;
use myelin_testkit::{Answer, TestServer, User, encode, three_modes};
use serde_json::{Value, json};

use crate::{
    covers,
    deactivate::deactivate,
    notifications::{
        in_thread, mention, redact, room_of_two, send_content, set_room_rule, unread_by_thread,
    },
    relations::edit,
};

three_modes!(
    a_user_subscribes_and_unsubscribes,
    what_is_subscribed_by_hand_stays_so,
    only_what_is_newer_subscribes_again,
    the_cause_is_an_event_of_the_thread,
    a_thread_is_there_before_its_first_answer,
    strangers_find_no_threads,
    what_relates_to_another_event_starts_no_thread,
    refuses_bad_bodies,
    subscriptions_survive_restarts,
    who_ends_the_account_is_subscribed_to_nothing,
    threads_count_for_all_who_never_subscribed,
    other_threads_are_silent_from_the_first_subscription_on,
    the_rules_can_be_switched_and_not_replaced,
    a_subscription_holds_from_when_it_is_made,
    what_is_unsubscribed_in_a_silent_room_is_silent,
);

covers! {
    "GET /_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_root}/subscription":
        works = a_user_subscribes_and_unsubscribes,
        404 = strangers_find_no_threads,
        outsider = strangers_find_no_threads;
    "PUT /_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_root}/subscription":
        works = a_user_subscribes_and_unsubscribes,
        400 = the_cause_is_an_event_of_the_thread,
        404 = strangers_find_no_threads,
        409 = only_what_is_newer_subscribes_again,
        outsider = strangers_find_no_threads;
    "DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_root}/subscription":
        works = a_user_subscribes_and_unsubscribes,
        404 = strangers_find_no_threads,
        outsider = strangers_find_no_threads;
}

const CONFLICT: &str = "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION";
const NOT_IN_THREAD: &str = "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD";
pub(crate) const RULES: &str = "/pushrules/global/postcontent/.io.element.msc4306.rule";

fn path(room: &str, root: &str) -> String {
    format!(
        "/_matrix/client/unstable/io.element.msc4306/rooms/{}/thread/{}/subscription",
        encode(room),
        encode(root)
    )
}

pub(crate) async fn call(
    user: &User,
    method: Method,
    (room, root): (&str, &str),
    body: Value,
) -> Answer {
    user.request(method, &path(room, root), body.to_string())
        .await
}

async fn get(user: &User, thread: (&str, &str)) -> Answer {
    call(user, Method::GET, thread, json!({})).await
}

async fn subscribe(user: &User, thread: (&str, &str)) {
    let answer = call(user, Method::PUT, thread, json!({})).await;
    assert_eq!(answer.ok(), json!({}));
}

async fn subscribe_because(user: &User, thread: (&str, &str), cause: &str) -> Answer {
    call(user, Method::PUT, thread, json!({"automatic": cause})).await
}

async fn unsubscribe(user: &User, thread: (&str, &str)) {
    let answer = call(user, Method::DELETE, thread, json!({})).await;
    assert_eq!(answer.ok(), json!({}));
}

async fn answer_in(user: &User, (room, root): (&str, &str)) -> String {
    let txn = user.new_txn_id();
    send_content(user, room, &txn, in_thread(root)).await
}

async fn a_user_subscribes_and_unsubscribes(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let thread = (&*room, &*root);
    let cause = answer_in(&alice, thread).await;
    get(&bob, thread).await.refused(404, "M_NOT_FOUND");
    unsubscribe(&bob, thread).await;
    subscribe(&bob, thread).await;
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": false}));
    unsubscribe(&bob, thread).await;
    get(&bob, thread).await.refused(404, "M_NOT_FOUND");
    let cause_after = answer_in(&alice, thread).await;
    assert_ne!(cause, cause_after);
    subscribe_because(&bob, thread, &cause_after).await.ok();
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": true}));
    // Nobody else is subscribed by that, and to no other thread.
    get(&alice, thread).await.refused(404, "M_NOT_FOUND");
    let other = alice.send(&room, "other").await;
    get(&bob, (&room, &other)).await.refused(404, "M_NOT_FOUND");
}

async fn what_is_subscribed_by_hand_stays_so(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let thread = (&*room, &*root);
    let cause = answer_in(&alice, thread).await;
    for _ in 0..2 {
        subscribe_because(&bob, thread, &cause).await.ok();
        assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": true}));
    }
    subscribe(&bob, thread).await;
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": false}));
    subscribe_because(&bob, thread, &cause).await.ok();
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": false}));
}

async fn only_what_is_newer_subscribes_again(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let thread = (&*room, &*root);
    let first = answer_in(&alice, thread).await;
    subscribe_because(&bob, thread, &first).await.ok();
    let second = answer_in(&alice, thread).await;
    unsubscribe(&bob, thread).await;
    for cause in [&first, &second] {
        let refused = subscribe_because(&bob, thread, cause).await;
        refused.refused(409, CONFLICT);
    }
    get(&bob, thread).await.refused(404, "M_NOT_FOUND");
    // That there is something newer makes the old no cause.
    let third = answer_in(&alice, thread).await;
    let refused = subscribe_because(&bob, thread, &second).await;
    refused.refused(409, CONFLICT);
    subscribe_because(&bob, thread, &third).await.ok();
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": true}));
    // The user may always.
    unsubscribe(&bob, thread).await;
    subscribe(&bob, thread).await;
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": false}));
}

async fn the_cause_is_an_event_of_the_thread(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let other = alice.send(&room, "other").await;
    let thread = (&*room, &*root);
    let elsewhere = answer_in(&alice, (&room, &other)).await;
    let private = alice.create_room().await;
    let hidden = alice.send(&private, "hidden").await;
    for cause in [&*root, &other, &elsewhere, &hidden, "$nothing"] {
        let refused = subscribe_because(&bob, thread, cause).await;
        refused.refused(400, NOT_IN_THREAD);
    }
    get(&bob, thread).await.refused(404, "M_NOT_FOUND");
    // What is said about an answer is in its thread.
    let answer = answer_in(&alice, thread).await;
    let relation = json!({"rel_type": "m.annotation", "event_id": answer, "key": "x"});
    let reaction = json!({"m.relates_to": relation});
    let reaction = alice.send_event(&room, "m.reaction", "r", reaction).await;
    let reaction = reaction.ok()["event_id"].as_str().unwrap().to_owned();
    subscribe_because(&bob, thread, &reaction).await.ok();
}

async fn a_thread_is_there_before_its_first_answer(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let thread = (&*room, &*root);
    subscribe(&bob, thread).await;
    answer_in(&alice, thread).await;
    let wanted = json!({"main": [1, 0], &root: [1, 0]});
    assert_eq!(unread_by_thread(&bob, &room).await, wanted);
    redact(&alice, &room, &root).await;
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": false}));
}

async fn strangers_find_no_threads(server: &TestServer) {
    let alice = server.user("alice").await;
    let mallory = server.user("mallory").await;
    let room = alice.create_room().await;
    let elsewhere = mallory.create_room().await;
    let root = alice.send(&room, "root").await;
    let cause = answer_in(&alice, (&room, &root)).await;
    let nothing = "$nothing:localhost";
    for (user, thread) in [
        (&mallory, (&*room, &*root)),
        (&mallory, (&*elsewhere, &*root)),
        (&mallory, ("!nowhere:localhost", &*root)),
        (&alice, (&*room, nothing)),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = call(user, method, thread, json!({})).await;
            answer.refused(404, "M_NOT_FOUND");
        }
        let answer = subscribe_because(user, thread, &cause).await;
        answer.refused(404, "M_NOT_FOUND");
    }
}

async fn what_relates_to_another_event_starts_no_thread(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let inside = answer_in(&alice, (&room, &root)).await;
    let edited = edit(&alice, &room, &root, "edited").await;
    for child in [&inside, &edited] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = call(&bob, method, (&room, child), json!({})).await;
            answer.refused(404, "M_NOT_FOUND");
        }
        let answer = subscribe_because(&bob, (&room, child), &inside).await;
        answer.refused(404, "M_NOT_FOUND");
    }
    // A reply is no relation with a type.
    let reply = json!({"body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": root}}});
    let txn = alice.new_txn_id();
    let reply = send_content(&alice, &room, &txn, reply).await;
    subscribe(&bob, (&room, &reply)).await;
}

async fn refuses_bad_bodies(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let root = alice.send(&room, "root").await;
    for body in [
        json!({"automatic": true}),
        json!({"automatic": 1}),
        json!([]),
    ] {
        let answer = call(&alice, Method::PUT, (&room, &root), body).await;
        answer.refused(400, "M_BAD_JSON");
    }
    let path = path(&room, &root);
    let answer = alice.request(Method::PUT, &path, "{".to_owned()).await;
    answer.refused(400, "M_NOT_JSON");
    let path = path.replace("%24", "x");
    let answer = alice.request(Method::PUT, &path, "{}".to_owned()).await;
    answer.refused(400, "M_INVALID_PARAM");
    get(&alice, (&room, &root))
        .await
        .refused(404, "M_NOT_FOUND");
}

async fn subscriptions_survive_restarts(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let thread = (&*room, &*root);
    let cause = answer_in(&alice, thread).await;
    subscribe(&bob, thread).await;
    server.restart().await;
    assert_eq!(get(&bob, thread).await.ok(), json!({"automatic": false}));
    unsubscribe(&bob, thread).await;
    server.restart().await;
    let refused = subscribe_because(&bob, thread, &cause).await;
    refused.refused(409, CONFLICT);
}

async fn who_ends_the_account_is_subscribed_to_nothing(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    subscribe(&bob, (&room, &root)).await;
    deactivate(server, &bob).await;
    for store in server.stores() {
        let user = store
            .find_interned(bob.id.as_bytes())
            .await
            .unwrap()
            .unwrap();
        let mut read = store.read();
        let left = myelin_store::thread_subscriptions::has_any(&mut read, user).await;
        assert!(!left.unwrap());
    }
}

async fn threads_count_for_all_who_never_subscribed(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let thread = (&*room, &*root);
    answer_in(&alice, thread).await;
    let rule = format!("{RULES}.unsubscribed_thread");
    assert_eq!(bob.get(&rule).await.ok()["enabled"], false);
    unsubscribe(&bob, thread).await;
    assert_eq!(bob.get(&rule).await.ok()["enabled"], false);
    let wanted = json!({"main": [1, 0], &root: [1, 0]});
    for _ in 0..2 {
        assert_eq!(unread_by_thread(&bob, &room).await, wanted);
        server.counted().await;
    }
}

async fn other_threads_are_silent_from_the_first_subscription_on(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    let wanted_root = alice.send(&room, "wanted").await;
    let other_root = alice.send(&room, "other").await;
    let (wanted, other) = ((&*room, &*wanted_root), (&*room, &*other_root));
    // What ends nothing is no first subscription.
    unsubscribe(&bob, wanted).await;
    subscribe(&bob, wanted).await;
    let rule = format!("{RULES}.unsubscribed_thread");
    assert_eq!(bob.get(&rule).await.ok()["enabled"], true);
    // The client is told of its rules.
    let data = bob.sync(None).await["account_data"].to_string();
    assert!(data.contains("unsubscribed_thread"), "{data}");
    server.counted().await;
    answer_in(&alice, wanted).await;
    answer_in(&alice, other).await;
    let txn = alice.new_txn_id();
    let mut named = in_thread(&other_root);
    named["m.mentions"] = mention(&bob)["m.mentions"].clone();
    send_content(&alice, &room, &txn, named).await;
    for _ in 0..2 {
        let counts = json!({"main": [2, 0], &wanted_root: [1, 0], &other_root: [1, 1]});
        assert_eq!(unread_by_thread(&bob, &room).await, counts);
        // For the others nothing has changed.
        let counts = json!({"main": [2, 0], &wanted_root: [1, 0], &other_root: [2, 0]});
        assert_eq!(unread_by_thread(&carol, &room).await, counts);
        server.counted().await;
    }
    // Who wants to hear of all threads after all says so once.
    let enabled = json!({"enabled": false});
    bob.put(&format!("{rule}/enabled"), enabled).await.ok();
    subscribe(&bob, other).await;
    assert_eq!(bob.get(&rule).await.ok()["enabled"], false);
}

async fn the_rules_can_be_switched_and_not_replaced(server: &TestServer) {
    let alice = server.user("alice").await;
    for rule in ["unsubscribed_thread", "subscribed_thread"] {
        let path = format!("{RULES}.{rule}");
        let enabled = alice.get(&format!("{path}/enabled")).await.ok();
        assert_eq!(enabled["enabled"], rule == "subscribed_thread");
        let actions = json!({"actions": ["notify"]});
        alice.put(&format!("{path}/actions"), actions).await.ok();
        let actions = alice.get(&format!("{path}/actions")).await.ok();
        assert_eq!(actions, json!({"actions": ["notify"]}));
        let answer = alice.request(Method::DELETE, &path, String::new()).await;
        answer.refused(400, "M_INVALID_PARAM");
    }
    for rule in ["own", ".io.element.msc4306.rule.subscribed_thread"] {
        let path = format!("/pushrules/global/postcontent/{rule}");
        let body = json!({"actions": ["notify"], "conditions": []});
        alice.put(&path, body).await.refused(400, "M_INVALID_PARAM");
    }
}

async fn a_subscription_holds_from_when_it_is_made(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let thread = (&*room, &*root);
    let other = alice.send(&room, "other").await;
    subscribe(&bob, (&room, &other)).await;
    server.counted().await;
    let mut wanted = 0;
    for is_subscribed in [false, true, false, true] {
        if is_subscribed {
            subscribe(&bob, thread).await;
            wanted += 2;
        } else {
            unsubscribe(&bob, thread).await;
        }
        answer_in(&alice, thread).await;
        answer_in(&alice, thread).await;
        // What held for what is counted does not change any more.
        server.counted().await;
        let counts = unread_by_thread(&bob, &room).await;
        let found = counts
            .get(&root)
            .map_or(0, |pair| pair[0].as_u64().unwrap());
        assert_eq!(found, wanted, "{counts}");
    }
}

async fn what_is_unsubscribed_in_a_silent_room_is_silent(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "root").await;
    let other = alice.send(&room, "other").await;
    server.counted().await;
    set_room_rule(&bob, &room, json!([])).await;
    subscribe(&bob, (&room, &root)).await;
    server.counted().await;
    alice.send(&room, "main").await;
    answer_in(&alice, (&room, &root)).await;
    answer_in(&alice, (&room, &other)).await;
    for _ in 0..2 {
        // A subscription counts for more than the silence of its room.
        let counts = json!({"main": [2, 0], &root: [1, 0]});
        assert_eq!(unread_by_thread(&bob, &room).await, counts);
        server.counted().await;
    }
}
