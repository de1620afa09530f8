//! `GET /_matrix/client/v3/thirdparty/protocols` and its neighbours: there are no other networks,
//! so to find nothing is how they work.

use myelin_testkit::{TestServer, three_modes};
use serde_json::json;

use crate::covers;

three_modes!(there_are_no_protocols, nothing_is_found_there);

covers! {
    "GET /_matrix/client/v3/thirdparty/protocols":
        works = there_are_no_protocols;
    "GET /_matrix/client/v3/thirdparty/protocol/{protocol}":
        works = nothing_is_found_there,
        404 = nothing_is_found_there;
    "GET /_matrix/client/v3/thirdparty/location":
        works = nothing_is_found_there,
        404 = nothing_is_found_there;
    "GET /_matrix/client/v3/thirdparty/location/{protocol}":
        works = nothing_is_found_there,
        404 = nothing_is_found_there;
    "GET /_matrix/client/v3/thirdparty/user":
        works = nothing_is_found_there,
        404 = nothing_is_found_there;
    "GET /_matrix/client/v3/thirdparty/user/{protocol}":
        works = nothing_is_found_there,
        404 = nothing_is_found_there;
}

async fn there_are_no_protocols(server: &TestServer) {
    let alice = server.user("alice").await;
    let answer = alice.get("/thirdparty/protocols").await.ok();
    assert_eq!(answer, json!({}));
}

async fn nothing_is_found_there(server: &TestServer) {
    let alice = server.user("alice").await;
    for path in [
        "protocol/irc",
        "location?alias=%23tea:localhost",
        "location/irc?channel=%23tea",
        "user?userid=@bob:localhost",
        "user/irc?nick=bob",
    ] {
        let answer = alice.get(&format!("/thirdparty/{path}")).await;
        answer.refused(404, "M_NOT_FOUND");
    }
}
