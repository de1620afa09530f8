//! Rooms that the members of other rooms may join (spec: "Restricted rooms").

use myelin_testkit::{TestServer, User, three_modes};
use serde_json::json;

use crate::membership::{act, member};

three_modes!(
    members_of_an_allowed_room_may_join,
    an_invitation_opens_the_room_without_conditions,
    one_condition_is_enough,
    conditions_count_when_joining_only,
    somebody_must_have_the_power_to_let_others_in,
    the_ban_comes_first,
    older_versions_know_no_conditions,
    state_joins_by_the_same_rules,
);

async fn members_of_an_allowed_room_may_join(server: &TestServer) {
    let [alice, bob] = users(server).await;
    for version in ["8", "9", "10", "11", "12"] {
        for rule in ["restricted", "knock_restricted"] {
            if rule == "knock_restricted" && ["8", "9"].contains(&version) {
                continue;
            }
            let space = alice.create_public_room().await;
            let room = room(&alice, version, rule, &[&space]).await;
            bob.join(&room).await.refused(403, "M_FORBIDDEN");
            bob.join(&space).await.ok();
            bob.join(&room).await.ok();
            let content = member(&alice, &room, &bob).await;
            assert_eq!(
                content["join_authorised_via_users_server"], alice.id,
                "{version} {rule}"
            );
            bob.send(&room, "here").await;
        }
    }
}

async fn an_invitation_opens_the_room_without_conditions(server: &TestServer) {
    let [alice, bob] = users(server).await;
    let space = alice.create_room().await;
    let room = room(&alice, "12", "restricted", &[&space]).await;
    alice.invite(&room, &bob).await.ok();
    bob.join(&room).await.ok();
    let content = member(&alice, &room, &bob).await;
    assert!(
        content.get("join_authorised_via_users_server").is_none(),
        "{content}"
    );
}

async fn one_condition_is_enough(server: &TestServer) {
    let [alice, bob] = users(server).await;
    let closed = alice.create_room().await;
    let open = alice.create_public_room().await;
    bob.join(&open).await.ok();
    let allowed = ["!nowhere:localhost", &closed, &open];
    let room = room(&alice, "12", "restricted", &allowed).await;
    bob.join(&room).await.ok();
    // Conditions of kinds unheard of, and what is none, open nothing and break nothing.
    let rules = json!({"join_rule": "restricted", "allow": [
        {"type": "org.example.moon", "room_id": open},
        {"type": "m.room_membership"},
        5,
        {"type": "m.room_membership", "room_id": open},
    ]});
    alice
        .set_state(&room, "m.room.join_rules", "", rules)
        .await
        .ok();
    bob.leave(&room).await.ok();
    bob.join(&room).await.ok();
}

async fn conditions_count_when_joining_only(server: &TestServer) {
    let [alice, bob] = users(server).await;
    let space = alice.create_public_room().await;
    let room = room(&alice, "12", "restricted", &[&space]).await;
    bob.join(&space).await.ok();
    bob.join(&room).await.ok();
    bob.leave(&space).await.ok();
    bob.send(&room, "still here").await;
    bob.leave(&room).await.ok();
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn somebody_must_have_the_power_to_let_others_in(server: &TestServer) {
    let [alice, bob] = users(server).await;
    let carol = server.user("carol").await;
    let space = alice.create_public_room().await;
    for user in [&bob, &carol] {
        user.join(&space).await.ok();
    }
    let room = room(&alice, "11", "restricted", &[&space]).await;
    bob.join(&room).await.ok();
    let mut levels = alice.state(&room, "m.room.power_levels", "").await.ok();
    levels["invite"] = json!(100);
    let set = alice.set_state(&room, "m.room.power_levels", "", levels.clone());
    set.await.ok();
    alice.leave(&room).await.ok();
    carol
        .join(&room)
        .await
        .refused(400, "M_UNABLE_TO_GRANT_JOIN");

    // Where everybody may invite, anybody who is still there lets others in.
    let room = self::room(&alice, "11", "restricted", &[&space]).await;
    bob.join(&room).await.ok();
    alice.leave(&room).await.ok();
    carol.join(&room).await.ok();
    let content = member(&bob, &room, &carol).await;
    assert_eq!(content["join_authorised_via_users_server"], bob.id);
}

async fn the_ban_comes_first(server: &TestServer) {
    let [alice, bob] = users(server).await;
    let space = alice.create_public_room().await;
    bob.join(&space).await.ok();
    let room = room(&alice, "12", "restricted", &[&space]).await;
    act(&alice, &room, "ban", json!({"user_id": bob.id}))
        .await
        .ok();
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn older_versions_know_no_conditions(server: &TestServer) {
    let [alice, bob] = users(server).await;
    let space = alice.create_public_room().await;
    bob.join(&space).await.ok();
    let room = room(&alice, "7", "restricted", &[&space]).await;
    bob.join(&room).await.refused(403, "M_FORBIDDEN");
}

async fn state_joins_by_the_same_rules(server: &TestServer) {
    let [alice, bob] = users(server).await;
    let space = alice.create_public_room().await;
    let room = room(&alice, "12", "restricted", &[&space]).await;
    let join = async || {
        let content = json!({"membership": "join", "org.example.x": 1});
        bob.set_state(&room, "m.room.member", &bob.id, content)
            .await
    };
    join().await.refused(403, "M_FORBIDDEN");
    bob.join(&space).await.ok();
    join().await.ok();
    let content = member(&alice, &room, &bob).await;
    assert_eq!(content["join_authorised_via_users_server"], alice.id);
    assert_eq!(content["org.example.x"], 1);
}

async fn users(server: &TestServer) -> [User; 2] {
    [server.user("alice").await, server.user("bob").await]
}

async fn room(creator: &User, version: &str, rule: &str, allowed: &[&str]) -> String {
    let allow: Vec<_> = allowed
        .iter()
        .map(|room| json!({"type": "m.room_membership", "room_id": room}))
        .collect();
    let content = json!({"join_rule": rule, "allow": allow});
    let rules = json!({"type": "m.room.join_rules", "content": content});
    creator
        .create_room_with(json!({"room_version": version, "initial_state": [rules]}))
        .await
}
