//! Large rooms, made quickly.

use std::sync::Arc;

use myelin_rooms::Join;
use ruma::{RoomId, UserId};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Peer, PeerRoom, TestServer};

/// Requests in flight at once.
const SIDE_BY_SIDE: usize = 64;

/// Lets so many users of the server join a public room of it.
pub async fn fill_room(server: &TestServer, room_id: &str, members: usize) {
    let room_id = Arc::new(RoomId::parse(room_id).expect("a room id"));
    let mut running = JoinSet::new();
    for number in 0..members {
        if running.len() == SIDE_BY_SIDE {
            running.join_next().await;
        }
        let (rooms, room_id) = (server.rooms(), room_id.clone());
        let user = format!("@member{number}:{}", server.name());
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
