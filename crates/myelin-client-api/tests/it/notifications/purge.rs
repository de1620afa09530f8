//! What was noted long ago is listed no more, and deleted once it is read.

use std::time::Duration;

use myelin_store::notifications;
use myelin_testkit::{TestServer, User, encode, three_modes};
use ruma::RoomId;
use serde_json::json;

use super::{
    in_thread, mention, read_up_to, room_of_two, send_content, set_room_rule, unread,
    unread_by_thread,
};

three_modes!(
    what_is_read_is_deleted_after_a_month,
    what_is_unread_stays,
    who_has_silenced_a_room_keeps_nothing,
    a_new_follower_goes_on,
);

const MONTH: Duration = Duration::from_hours(31 * 24);

/// The rows of a room: those for most, of threads, and of this user alone.
async fn rows(server: &TestServer, room: &str, user: &User) -> (usize, usize, usize) {
    let store = server.stores().remove(0);
    let mut read = store.read();
    let id = RoomId::parse(room).unwrap();
    let room = server.rooms().find_number(&id).await.unwrap().unwrap();
    let user = store.find_interned(user.id.as_bytes()).await.unwrap();
    let all = notifications::Before {
        room_order: i64::MAX,
        noted_ms: i64::MAX,
    };
    let events = notifications::list_events(&mut read, room, all, 100).await;
    let threads = notifications::list_oldest_of_threads(&mut read, (room - 1, "~"), 100).await;
    let threads = threads.unwrap().into_iter().filter(|of| of.room == room);
    let member = (user.unwrap(), room);
    let own = notifications::list_exceptions(&mut read, member, all, 100).await;
    (events.unwrap().len(), threads.count(), own.unwrap().len())
}

async fn listed(user: &User) -> usize {
    let page = user.get("/notifications?limit=50").await.ok();
    page["notifications"].as_array().unwrap().len()
}

async fn what_is_read_is_deleted_after_a_month(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let root = alice.send(&room, "hello").await;
    send_content(&alice, &room, "a", mention(&bob)).await;
    let last = send_content(&alice, &room, "b", in_thread(&root)).await;
    server.counted().await;
    // The mention is one for most as well, and bob's own row says that it stands out.
    assert_eq!(rows(server, &room, &bob).await, (3, 2, 1));
    read_up_to(&bob, &room, ("m.read", None), &last).await;
    server.notifications_purged().await;
    // The join of bob's has told alice nothing, and she has read what she has sent.
    assert_eq!(rows(server, &room, &bob).await, (0, 0, 0));
    assert_eq!(listed(&bob).await, 0);
    assert_eq!(unread(&bob, &room).await, (0, 0));
    // The sums go on from anywhere.
    alice.send(&room, "good morning").await;
    send_content(&alice, &room, "c", in_thread(&root)).await;
    for counted in [false, true] {
        if counted {
            server.counted().await;
            assert_eq!(listed(&bob).await, 2);
        }
        let threads = unread_by_thread(&bob, &room).await;
        assert_eq!(threads["main"], json!([1, 0]), "{threads}");
        assert_eq!(threads[&root], json!([1, 0]), "{threads}");
    }
}

async fn what_is_unread_stays(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    let first = alice.send(&room, "one").await;
    send_content(&alice, &room, "a", mention(&bob)).await;
    let third = alice.send(&room, "three").await;
    read_up_to(&carol, &room, ("m.read", None), &third).await;
    read_up_to(&bob, &room, ("m.read.private", Some("main")), &first).await;
    server.notifications_purged().await;
    // It is too old to be listed.
    assert_eq!(listed(&bob).await, 0);
    assert_eq!(unread(&bob, &room).await, (2, 1));
    assert_eq!(unread(&carol, &room).await, (0, 0));
    assert_eq!(rows(server, &room, &bob).await, (2, 1, 1));
    alice.send(&room, "four").await;
    assert_eq!(unread(&bob, &room).await, (3, 1));
    assert_eq!(unread(&carol, &room).await, (1, 0));
    read_up_to(&bob, &room, ("m.read", None), &third).await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    server.notifications_purged().await;
    assert_eq!(unread(&bob, &room).await, (1, 0));
    assert_eq!(rows(server, &room, &bob).await, (1, 1, 0));
    // Who goes has nothing to read any more.
    bob.leave(&room).await.ok();
    carol.leave(&room).await.ok();
    server.notifications_purged().await;
    assert_eq!(rows(server, &room, &bob).await, (0, 0, 0));
}

async fn who_has_silenced_a_room_keeps_nothing(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let carol = server.user("carol").await;
    carol.join(&room).await.ok();
    alice.send(&room, "one").await;
    set_room_rule(&bob, &room, json!([])).await;
    server.counted().await;
    alice.send(&room, "two").await;
    let third = send_content(&alice, &room, "a", mention(&bob)).await;
    read_up_to(&carol, &room, ("m.read", None), &third).await;
    server.notifications_purged().await;
    // What bob has not read was there before the room was silent, so it counts.
    assert_eq!(unread(&bob, &room).await, (2, 1));
    assert_eq!(rows(server, &room, &bob).await, (3, 1, 1));
    let path = format!("/rooms/{}/read_markers", encode(&room));
    bob.post(&path, json!({"m.read": third})).await.ok();
    alice.send(&room, "three").await;
    let last = alice.send(&room, "four").await;
    read_up_to(&carol, &room, ("m.read", None), &last).await;
    server.notifications_purged().await;
    assert_eq!(rows(server, &room, &bob).await, (0, 0, 0));
    assert_eq!(unread(&bob, &room).await, (0, 0));
}

async fn a_new_follower_goes_on(server: &TestServer) {
    let (alice, bob, room) = room_of_two(server).await;
    let first = alice.send(&room, "one").await;
    alice.send(&room, "two").await;
    read_up_to(&bob, &room, ("m.read", None), &first).await;
    server.counted().await;
    server.clock().advance(MONTH);
    server.restart().await;
    server.notifications_purged().await;
    assert_eq!(rows(server, &room, &bob).await, (1, 1, 0));
    assert_eq!(unread(&bob, &room).await, (1, 0));
    // What was in memory of the sums was not lost.
    let last = alice.send(&room, "three").await;
    server.counted().await;
    assert_eq!(unread(&bob, &room).await, (2, 0));
    read_up_to(&bob, &room, ("m.read", None), &last).await;
    assert_eq!(unread(&bob, &room).await, (0, 0));
}
