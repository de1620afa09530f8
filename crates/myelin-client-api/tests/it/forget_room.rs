//! `POST /_matrix/client/v3/rooms/{roomId}/forget`

use myelin_core::membership::Membership;
use myelin_store::{forgotten_rooms, memberships};
use myelin_testkit::{TestServer, User, three_modes};
use serde_json::json;

use crate::{covers, membership::act};

three_modes!(
    hides_a_room_that_was_left,
    an_invitation_brings_the_room_back,
    whoever_is_in_the_room_must_leave_first,
    who_was_never_in_it_has_nothing_to_forget,
);

covers! {
    "POST /_matrix/client/v3/rooms/{roomId}/forget":
        works = hides_a_room_that_was_left,
        400 = whoever_is_in_the_room_must_leave_first,
        outsider = who_was_never_in_it_has_nothing_to_forget;
}

async fn hides_a_room_that_was_left(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    assert!(lists(server, &bob, &room, Membership::Leave).await);
    for _ in 0..2 {
        assert_eq!(act(&bob, &room, "forget", json!({})).await.ok(), json!({}));
    }
    assert!(!lists(server, &bob, &room, Membership::Leave).await);
    bob.messages(&room, "dir=b")
        .await
        .refused(403, "M_FORBIDDEN");
    // What the others do to the user does not bring it back.
    let body = json!({"user_id": bob.id});
    act(&alice, &room, "ban", body.clone()).await.ok();
    assert!(!lists(server, &bob, &room, Membership::Ban).await);
    act(&alice, &room, "unban", body).await.ok();
    assert!(!lists(server, &bob, &room, Membership::Leave).await);
    // The others see no difference.
    let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
    assert_eq!(member["membership"], "leave");
}

async fn an_invitation_brings_the_room_back(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    let forget = async || {
        bob.leave(&room).await.ok();
        act(&bob, &room, "forget", json!({})).await.ok();
    };
    bob.join(&room).await.ok();
    forget().await;
    alice.invite(&room, &bob).await.ok();
    assert!(lists(server, &bob, &room, Membership::Invite).await);
    let invited = bob.sync(None).await;
    assert!(invited["rooms"]["invite"][&room].is_object(), "{invited}");
    forget().await;
    bob.join(&room).await.ok();
    assert!(lists(server, &bob, &room, Membership::Join).await);
    bob.leave(&room).await.ok();
    assert!(lists(server, &bob, &room, Membership::Leave).await);
}

async fn whoever_is_in_the_room_must_leave_first(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    alice.invite(&room, &bob).await.ok();
    for user in [&alice, &bob] {
        act(user, &room, "forget", json!({}))
            .await
            .refused(400, "M_UNKNOWN");
    }
    bob.join(&room).await.ok();
    act(&bob, &room, "forget", json!({}))
        .await
        .refused(400, "M_UNKNOWN");
}

async fn who_was_never_in_it_has_nothing_to_forget(server: &TestServer) {
    let alice = server.user("alice").await;
    let bob = server.user("bob").await;
    let room = alice.create_public_room().await;
    for room in [&*room, "!nowhere:localhost"] {
        assert_eq!(act(&bob, room, "forget", json!({})).await.ok(), json!({}));
    }
    bob.join(&room).await.ok();
    bob.leave(&room).await.ok();
    assert!(lists(server, &bob, &room, Membership::Leave).await);
}

/// Whether the user's rooms of this kind have this one among them.
async fn lists(server: &TestServer, user: &User, room: &str, membership: Membership) -> bool {
    let store = &server.stores()[0];
    let user = store.find_interned(user.id.as_bytes()).await.unwrap();
    let room = store.find_interned(room.as_bytes()).await.unwrap();
    let (user, room) = (user.unwrap(), room.unwrap());
    let mut read = store.read();
    let rooms = memberships::list_by_user(&mut read, user, membership).await;
    let listed = rooms.unwrap().iter().any(|found| found.room == room);
    let found = memberships::find(&mut read, room, user).await.unwrap();
    if found.is_some_and(|found| found.membership == membership) {
        let forgotten = forgotten_rooms::exists(&mut read, user, room).await;
        assert_eq!(listed, !forgotten.unwrap());
    }
    listed
}
