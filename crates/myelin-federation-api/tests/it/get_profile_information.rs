//! `GET /_matrix/federation/v1/query/profile`

use std::sync::Arc;

use myelin_testkit::{Answer, Peer, TestServer, User, covers, encode, three_modes};
use serde_json::json;

three_modes!(
    tells_what_a_user_tells_everybody,
    tells_one_field,
    tells_nothing_of_users_who_are_not_here,
    says_nothing_to_who_is_not_spoken_with,
    refuses_what_is_no_user,
);

covers! {
    "GET /_matrix/federation/v1/query/profile":
        works = tells_what_a_user_tells_everybody,
        400 = refuses_what_is_no_user,
        403 = says_nothing_to_who_is_not_spoken_with,
        404 = tells_nothing_of_users_who_are_not_here;
}

const PATH: &str = "/_matrix/federation/v1/query/profile";

fn peer(server: &TestServer) -> Arc<Peer> {
    Peer::start(server.network(), "peer.example")
}

async fn ask(peer: &Peer, server: &TestServer, user: &str) -> Answer {
    peer.get(server, &format!("{PATH}?user_id={}", encode(user)))
        .await
}

async fn alice(server: &TestServer) -> User {
    let alice = server.user("alice").await;
    for (key, value) in [("displayname", "Alice"), ("m.tz", "Europe/London")] {
        let path = format!("/profile/{}/{key}", encode(&alice.id));
        alice.put(&path, json!({key: value})).await.ok();
    }
    alice
}

async fn tells_what_a_user_tells_everybody(server: &TestServer) {
    let alice = alice(server).await;
    let told = ask(&peer(server), server, &alice.id).await.ok();
    assert_eq!(
        told,
        json!({"displayname": "Alice", "m.tz": "Europe/London"})
    );
}

async fn tells_one_field(server: &TestServer) {
    let alice = alice(server).await;
    let peer = peer(server);
    for (field, told) in [
        ("displayname", json!({"displayname": "Alice"})),
        ("m.tz", json!({"m.tz": "Europe/London"})),
        ("avatar_url", json!({})),
        ("org.example.nothing", json!({})),
    ] {
        let path = format!("{PATH}?user_id={}&field={field}", encode(&alice.id));
        assert_eq!(peer.get(server, &path).await.ok(), told, "{field}");
    }
}

async fn tells_nothing_of_users_who_are_not_here(server: &TestServer) {
    let peer = peer(server);
    server.user("quiet").await;
    for user in ["@nobody:localhost", "@quiet:localhost", "@bob:peer.example"] {
        ask(&peer, server, user).await.refused(404, "M_NOT_FOUND");
    }
}

async fn says_nothing_to_who_is_not_spoken_with(server: &TestServer) {
    let alice = alice(server).await;
    server
        .restart_changed(|settings| settings.federation.deny = vec!["peer.*".to_owned()])
        .await;
    ask(&peer(server), server, &alice.id)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_what_is_no_user(server: &TestServer) {
    let peer = peer(server);
    ask(&peer, server, "nonsense")
        .await
        .refused(400, "M_INVALID_PARAM");
    peer.get(server, PATH).await.refused(400, "M_MISSING_PARAM");
}
