//! Cost follows the change: what a request reads and writes does not depend on how large the room
//! is, or on how many rooms there are.

use std::sync::Arc;

use myelin_rooms::{CreateRoom, Preset, RoomSettings, SendEvent, SendOptions};
use myelin_store::notifications;
use myelin_testkit::{
    Mode, TestServer, User, encode, fill_room, least_cost as cost, make_accounts, run, text,
};
use ruma::{CanonicalJsonObject, RoomId, RoomVersionId, UserId};
use serde_json::json;
use tokio::task::JoinSet;

/// With two nodes in turns each one reads what the other has changed, so cost is counted on one.
macro_rules! on_one_node {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                super::run(super::Mode::Sqlite, &super::$name);
            }

            #[test]
            fn postgres() {
                super::run(super::Mode::Postgres, &super::$name);
            }
        }
    )+};
}

on_one_node!(
    a_message_costs_the_same_in_a_room_of_any_size,
    a_message_notifies_thousands_without_a_row_for_each,
    a_sync_with_nothing_new_costs_the_same_with_any_number_of_rooms,
    a_sync_with_one_event_costs_the_same_with_any_number_of_rooms,
    a_lazy_sync_reads_no_members_but_those_it_shows,
    a_filter_looks_at_a_thousand_events,
);

/// Requests in flight at once while a test prepares.
const SIDE_BY_SIDE: usize = 64;

async fn a_message_costs_the_same_in_a_room_of_any_size(server: &TestServer) {
    let alice = server.user("alice").await;
    let small = room_of(server, &alice, 10).await;
    let large = room_of(server, &alice, 10_000).await;
    let in_small = cost(server, async || drop(alice.send(&small, "hello").await)).await;
    let in_large = cost(server, async || drop(alice.send(&large, "hello").await)).await;
    assert!(in_small.rows_written > 0, "{in_small:?}");
    assert_eq!(in_small, in_large);
}

async fn a_message_notifies_thousands_without_a_row_for_each(server: &TestServer) {
    let alice = server.user("alice").await;
    make_accounts(server, 4_999).await;
    let small = room_of(server, &alice, 10).await;
    let large = room_of(server, &alice, 5_000).await;
    let in_small = cost(server, async || drop(alice.send(&small, "hello").await)).await;
    let in_large = cost(server, async || drop(alice.send(&large, "hello").await)).await;
    // The sender's rows and the follower's.
    assert!((8..32).contains(&in_small.rows_written), "{in_small:?}");
    assert_eq!(in_small, in_large);
    // All of them are notified: once the rows of the messages are there, anybody's count is.
    let store = server.stores().remove(0);
    let mut read = store.read();
    for (room, sent) in [(&small, 6), (&large, 6)] {
        let room_id = RoomId::parse(room).unwrap();
        let number = server.rooms().find_number(&room_id).await.unwrap().unwrap();
        let place = (number, notifications::MAIN);
        let sums = notifications::sums_up_to(&mut read, place, i64::MAX).await;
        assert_eq!(sums.unwrap().notify, sent);
    }
}

async fn a_sync_with_nothing_new_costs_the_same_with_any_number_of_rooms(server: &TestServer) {
    let few = user_with_rooms(server, "few", 10).await;
    let many = user_with_rooms(server, "many", 1_000).await;
    let poll = async |user: &User| {
        let since = text(&user.sync(None).await, "next_batch");
        cost(server, async || drop(user.sync(Some(&since)).await)).await
    };
    let with_few = poll(&few).await;
    let with_many = poll(&many).await;
    assert!(with_few.statements > 0, "{with_few:?}");
    assert_eq!(with_few, with_many);
}

async fn a_sync_with_one_event_costs_the_same_with_any_number_of_rooms(server: &TestServer) {
    let few = user_with_rooms(server, "few", 10).await;
    let many = user_with_rooms(server, "many", 1_000).await;
    let poll = async |user: &User| {
        let sync = user.sync(None).await;
        let rooms = sync["rooms"]["join"].as_object().unwrap();
        let room = rooms.keys().next().unwrap();
        let since = text(&sync, "next_batch");
        user.send(room, "hello").await;
        let poll = async || {
            let sync = user.sync(Some(&since)).await;
            let rooms = sync["rooms"]["join"].as_object().unwrap();
            assert_eq!(rooms.keys().collect::<Vec<_>>(), [room]);
        };
        cost(server, poll).await
    };
    let with_few = poll(&few).await;
    let with_many = poll(&many).await;
    assert!(with_few.rows_read > 0, "{with_few:?}");
    assert!(
        2 * with_many.rows_read <= 3 * with_few.rows_read,
        "{with_many:?} and {with_few:?}"
    );
    assert!(
        2 * with_many.statements <= 3 * with_few.statements,
        "{with_many:?} and {with_few:?}"
    );
}

async fn a_lazy_sync_reads_no_members_but_those_it_shows(server: &TestServer) {
    let alice = server.user("alice").await;
    let small = room_of(server, &alice, 10).await;
    let large = room_of(server, &alice, 2_000).await;
    let poll = async |room: &str| {
        let filter = json!({"room": {"rooms": [room], "state": {"lazy_load_members": true}}});
        let path = format!("/sync?filter={}", encode(&filter.to_string()));
        cost(server, async || drop(alice.get(&path).await.ok())).await
    };
    let of_small = poll(&small).await;
    let of_large = poll(&large).await;
    // The way to a member is longer where there are more of them, and the timeline's ten member
    // events each have their own way to what they replaced.
    assert!(of_small.rows_read < 100, "{of_small:?}");
    assert!(of_large.rows_read < 250, "{of_large:?}");
}

async fn a_filter_looks_at_a_thousand_events(server: &TestServer) {
    let alice = server.user("alice").await;
    let room = alice.create_room().await;
    let sticker = alice
        .send_event(&room, "m.sticker", "s1", json!({}))
        .await
        .ok();
    let filter = json!({"room": {
        "timeline": {"types": ["m.sticker"]},
        "state": {"types": []},
    }});
    let path = format!("/sync?filter={}", encode(&filter.to_string()));
    let timeline = async || {
        let sync = alice.get(&path).await.ok();
        sync["rooms"]["join"][&room]["timeline"].clone()
    };
    send_many(server, (&alice, &room), 990).await;
    let found = timeline().await;
    assert_eq!(found["events"][0]["event_id"], sticker["event_id"]);
    send_many(server, (&alice, &room), 30).await;
    let found = timeline().await;
    assert_eq!(
        (&found["events"], &found["limited"]),
        (&json!([]), &json!(true))
    );
    let looked = cost(server, async || drop(timeline().await)).await;
    assert!((1_000..1_050).contains(&looked.rows_read), "{looked:?}");
}

async fn send_many(server: &TestServer, (sender, room): (&User, &str), count: usize) {
    let room_id = Arc::new(RoomId::parse(room).unwrap());
    let sender = Arc::new(UserId::parse(&sender.id).unwrap());
    let rooms = server.rooms();
    side_by_side(0..count, |_| {
        let (rooms, room_id, sender) = (rooms.clone(), room_id.clone(), sender.clone());
        async move {
            let event = SendEvent {
                room_id: &room_id,
                sender: &sender,
                event_type: "m.room.message",
                content: CanonicalJsonObject::new(),
                transaction: None,
                acting: None,
                options: SendOptions::default(),
            };
            rooms.send(event).await.unwrap();
        }
    })
    .await;
}

/// A room with this many members, its creator among them.
pub(crate) async fn room_of(server: &TestServer, creator: &User, members: usize) -> String {
    let room = creator.create_public_room().await;
    fill_room(server, &room, members - 1).await;
    room
}

async fn user_with_rooms(server: &TestServer, name: &str, count: usize) -> User {
    let user = server.user(name).await;
    let creator = Arc::new(UserId::parse(&user.id).unwrap());
    let rooms = server.rooms();
    side_by_side(0..count, |_| {
        let (rooms, creator) = (rooms.clone(), creator.clone());
        async move {
            let create = CreateRoom {
                creator: &creator,
                room_version: RoomVersionId::V12,
                settings: RoomSettings::preset(Preset::PublicChat),
                alias_localpart: None,
                name: None,
                topic: None,
                invite: Vec::new(),
                is_direct: false,
                initial_state: Vec::new(),
                creation_content: CanonicalJsonObject::new(),
                power_levels_override: CanonicalJsonObject::new(),
                publish: false,
                transaction: None,
            };
            rooms.create_room(create).await.unwrap();
        }
    })
    .await;
    user
}

/// Does this for each number, some at a time.
async fn side_by_side<F>(numbers: std::ops::Range<usize>, task: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for number in numbers {
        if running.len() == SIDE_BY_SIDE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(task(number));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}
