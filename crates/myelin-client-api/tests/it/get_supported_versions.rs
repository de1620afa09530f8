//! `GET /_matrix/client/versions`

use myelin_testkit::{TestServer, three_modes};

use crate::covers;

three_modes!(tells_anybody);

covers! {
    "GET /_matrix/client/versions":
        works = tells_anybody;
}

async fn tells_anybody(server: &TestServer) {
    let answer = server.get("/_matrix/client/versions").await.ok();
    let versions: Vec<&str> = answer["versions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|version| version.as_str())
        .collect();
    for version in ["r0.6.1", "v1.1"] {
        assert!(versions.contains(&version), "{answer}");
    }
}
