//! `GET /_matrix/federation/v1/query/{queryType}`

use myelin_testkit::{Peer, TestServer, covers, three_modes};

three_modes!(unknown_types_are_not_recognized);

covers! {
    "GET /_matrix/federation/v1/query/{queryType}":
        works = unknown_types_are_not_recognized;
}

async fn unknown_types_are_not_recognized(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let answer = peer
        .get(server, "/_matrix/federation/v1/query/weather?place=London")
        .await;
    assert!(answer.refused(404, "M_UNRECOGNIZED").contains("weather"));
}
