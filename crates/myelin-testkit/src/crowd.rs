//! Large rooms, made quickly.

use std::sync::Arc;

use myelin_rooms::Join;
use myelin_store::{WriteSet, users};
use ruma::{RoomId, UserId};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Peer, PeerRoom, TestServer};

/// Requests in flight at once.
const SIDE_BY_SIDE: usize = 64;

/// Makes accounts of the first of those who join in [`fill_room`]: whoever has none is not notified.
pub async fn make_accounts(server: &TestServer, count: usize) {
    let store = server.stores().remove(0);
    let ids: Vec<String> = (0..count).map(|number| member(server, number)).collect();
    for slice in ids.chunks(200) {
        let names: Vec<&[u8]> = slice.iter().map(String::as_bytes).collect();
        let numbers = store.intern(&names).await.expect("names can be interned");
        let mut writes = WriteSet::new();
        for (number, user_id) in numbers.into_iter().zip(slice) {
            let account = users::User {
                number,
                user_id: user_id.clone(),
                version: 1,
                ..users::User::default()
            };
            users::insert(&mut writes, &account);
        }
        store.commit(writes).await.expect("there were none of them");
    }
}

fn member(server: &TestServer, number: usize) -> String {
    format!("@member{number}:{}", server.name())
}

/// Lets so many users of the server join a public room of it.
pub async fn fill_room(server: &TestServer, room_id: &str, members: usize) {
    let room_id = Arc::new(RoomId::parse(room_id).expect("a room id"));
    let mut running = JoinSet::new();
    for number in 0..members {
        if running.len() == SIDE_BY_SIDE {
            running.join_next().await;
        }
        let (rooms, room_id) = (server.rooms(), room_id.clone());
        let user = member(server, number);
        running.spawn(async move {
            let user = UserId::parse(user).expect("a user id");
            let join = Join {
                room_id: &room_id,
                user: &user,
                guest: false,
                reason: None,
                third_party_signed: None,
                via: &[],
                transaction: None,
            };
            rooms.join(join).await.expect("the room is public");
        });
    }
    running.join_all().await;
}

/// A room of a peer with so many of its users.
pub fn crowded_room(peer: &Arc<Peer>, version: &str, members: usize) -> PeerRoom {
    let mut room = PeerRoom::create(peer, version, "mallory");
    for number in 0..members {
        let user = room.user(&format!("member{number}"));
        let content = json!({"membership": "join", "displayname": format!("Member {number}")});
        room.set(&user, "m.room.member", user.as_str(), content);
    }
    room
}
