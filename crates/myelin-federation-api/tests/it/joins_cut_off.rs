//! Servers that end while one of their users is on the way into a room of others. What happens
//! between two commits is in `myelin-testkit/tests/joins.rs`.

use std::{collections::BTreeSet, time::Duration};

use http::Method;
use myelin_testkit::{
    Peer, PeerHost, PeerRoom, Stage, TestServer, User, encode, text, three_modes, wait_until,
};
use serde_json::json;
use tokio::task::JoinSet;

three_modes!(a_kill_at_any_stage_of_a_join_leaves_nothing_half);

async fn a_kill_at_any_stage_of_a_join_leaves_nothing_half(server: &TestServer) {
    let bob = server.user("bob").await;
    let stages = [
        Stage::Template,
        Stage::Join,
        Stage::State(1),
        Stage::State(500),
        Stage::State(999),
    ];
    for (n, stage) in stages.into_iter().enumerate() {
        let peer = Peer::start(server.network(), &format!("peer{n}.example"));
        let room = PeerRoom::create(&peer, "12", "mallory");
        let (room_id, via) = (room.id.to_string(), peer.server.name.to_string());
        let host = PeerHost::new(room);
        host.stop_at(stage);
        let path = format!("/_matrix/client/v3/join/{}?via={via}", encode(&room_id));
        let mut joining = JoinSet::new();
        let (user, join) = (bob.clone(), path.clone());
        joining.spawn(async move { user.try_request(Method::POST, &join, json!({})).await });
        wait_until("the peer has fallen silent", async || host.has_stopped()).await;
        server.kill().await;
        let answer = joining.join_next().await.unwrap();
        assert!(answer.unwrap().is_none());
        server.start_again().await;
        sees_nothing(&bob, &room_id).await;

        host.stop_at(Stage::Whole);
        // Longer than any lease.
        server.clock().advance(Duration::from_mins(1));
        bob.post(&path, json!({})).await.ok();
        let state = format!("/rooms/{}/state", encode(&room_id));
        let state = bob.get(&state).await.ok();
        let state = state.as_array().unwrap().iter();
        let seen: BTreeSet<String> = state.map(|event| text(event, "event_id")).collect();
        let told = host
            .room
            .lock()
            .state
            .values()
            .map(ToString::to_string)
            .collect();
        assert_eq!(seen, told, "{stage:?}");
        bob.send(&room_id, "hello").await;
    }
}

async fn sees_nothing(bob: &User, room_id: &str) {
    for what in ["state", "members", "joined_members", "messages?dir=b"] {
        let path = format!("/rooms/{}/{what}", encode(room_id));
        let status = bob.get(&path).await.status;
        assert!(matches!(status, 403 | 404), "{what}: {status}");
    }
    let sync = bob.sync(None).await;
    for section in ["join", "leave", "invite", "knock"] {
        assert!(sync["rooms"][section].get(room_id).is_none(), "{section}");
    }
}
