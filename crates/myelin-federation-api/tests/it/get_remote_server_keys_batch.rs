//! `POST /_matrix/key/v2/query`

use myelin_testkit::{Peer, TestServer, covers, three_modes};
use serde_json::{Map, Value, json};

use crate::get_remote_server_keys::assert_signed_by_both;

three_modes!(keys_of_several_servers_are_told, bad_questions_are_refused,);

covers! {
    "POST /_matrix/key/v2/query":
        works = keys_of_several_servers_are_told;
}

const PATH: &str = "/_matrix/key/v2/query";

async fn keys_of_several_servers_are_told(server: &TestServer) {
    let peers = ["a.example", "b.example"].map(|name| Peer::start(server.network(), name));
    let soon = server.now_ms() + 1000;
    let question = json!({"server_keys": {
        "a.example": {},
        "b.example": {"ed25519:peer": {"minimum_valid_until_ts": soon}, "ed25519:x": {}},
        "gone.example": {"ed25519:1": {}},
        "no_name": {},
        server.name(): {},
    }});
    let answer = server.post(PATH, question).await.ok();
    let answers = answer["server_keys"].as_array().expect("a list");
    let names: Vec<_> = answers
        .iter()
        .map(|answer| &answer["server_name"])
        .collect();
    assert_eq!(names, [server.name(), "a.example", "b.example"]);
    for answer in &answers[1..] {
        assert_signed_by_both(server, answer).await;
    }
    drop(peers);
    let nothing = server.post(PATH, json!({"server_keys": {}})).await.ok();
    assert_eq!(nothing, json!({"server_keys": []}));
}

async fn bad_questions_are_refused(server: &TestServer) {
    let many: Map<String, Value> = (0..201)
        .map(|number| (format!("s{number}.example"), json!({})))
        .collect();
    for (question, status, code) in [
        (json!({}), 400, "M_MISSING_PARAM"),
        (json!({"server_keys": []}), 400, "M_BAD_JSON"),
        (json!({"server_keys": {"a.example": 1}}), 400, "M_BAD_JSON"),
        (json!({"server_keys": many}), 413, "M_TOO_LARGE"),
    ] {
        server.post(PATH, question).await.refused(status, code);
    }
    server.post_text(PATH, "{").await.refused(400, "M_NOT_JSON");
}
