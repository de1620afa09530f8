//! `GET /_matrix/federation/v1/version`.

use myelin_testkit::{TestServer, covers, three_modes};

three_modes!(anybody_is_told_the_version);

covers! {
    "GET /_matrix/federation/v1/version":
        works = anybody_is_told_the_version;
}

async fn anybody_is_told_the_version(server: &TestServer) {
    let answer = server.get("/_matrix/federation/v1/version").await.ok();
    assert_eq!(answer["server"]["name"], "Myelin");
    assert!(answer["server"]["version"].is_string());
}
