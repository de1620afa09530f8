//! Work over many rooms that goes on after a request was answered.

use bytes::Bytes;
use myelin_store::{
    WriteSet,
    jobs::{self, JobKind},
};
use myelin_testkit::{TestServer, User, three_modes, wait_until};

three_modes!(
    a_job_takes_a_user_out_of_all_rooms,
    a_job_goes_on_after_a_restart,
    a_job_without_rooms_ends,
);

/// More than two slices.
const ROOMS: usize = 40;

async fn enqueue(server: &TestServer, kind: JobKind, user: &User) {
    let store = server.stores().remove(0);
    let number = store.find_interned(user.id.as_bytes()).await.unwrap();
    let mut writes = WriteSet::new();
    let what = (kind, number.unwrap());
    let now_ms = server.now_ms().cast_signed();
    jobs::enqueue(&mut store.read(), &mut writes, what, Bytes::new(), now_ms)
        .await
        .unwrap();
    store.commit(writes).await.unwrap();
}

async fn are_done(server: &TestServer) -> bool {
    let store = server.stores().remove(0);
    let claim = jobs::claim(&store, 1_000, 0, 0).await.unwrap();
    claim == jobs::Claim::Nothing
}

/// Rooms in which bob is joined, and one that he is invited to.
async fn rooms_of(alice: &User, bob: &User) -> Vec<String> {
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        let room = alice.create_public_room().await;
        bob.join(&room).await.ok();
        rooms.push(room);
    }
    let room = alice.create_room().await;
    alice.invite(&room, bob).await.ok();
    rooms.push(room);
    rooms
}

async fn assert_left(server: &TestServer, alice: &User, bob: &User, rooms: &[String]) {
    wait_until("the job is done", async || are_done(server).await).await;
    for room in rooms {
        let member = alice.state(room, "m.room.member", &bob.id).await.ok();
        assert_eq!(member["membership"], "leave");
    }
}

async fn a_job_takes_a_user_out_of_all_rooms(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let rooms = rooms_of(&alice, &bob).await;
    enqueue(server, JobKind::LeaveAll, &bob).await;
    assert_left(server, &alice, &bob, &rooms).await;
    alice.send(&rooms[0], "alice has stayed").await;
}

async fn a_job_goes_on_after_a_restart(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let rooms = rooms_of(&alice, &bob).await;
    enqueue(server, JobKind::LeaveAll, &bob).await;
    server.restart().await;
    assert_left(server, &alice, &bob, &rooms).await;
}

async fn a_job_without_rooms_ends(server: &TestServer) {
    let alice = server.user("alice").await;
    for kind in [JobKind::Profile, JobKind::LeaveAll] {
        enqueue(server, kind, &alice).await;
    }
    wait_until("both are done", async || are_done(server).await).await;
}
