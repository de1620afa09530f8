//! `GET /.well-known/matrix/server`

use myelin_http::HttpSettings;
use myelin_testkit::{TestServer, covers, three_modes};

three_modes!(others_are_sent_to_the_delegate, there_is_perhaps_none);

covers! {
    "GET /.well-known/matrix/server":
        works = others_are_sent_to_the_delegate,
        404 = there_is_perhaps_none;
}

async fn others_are_sent_to_the_delegate(server: &TestServer) {
    let settings = HttpSettings {
        federation_delegate: "matrix.example.org:443".to_owned(),
        ..HttpSettings::default()
    };
    server.restart_with(settings).await;
    let answer = server.get("/.well-known/matrix/server").await.ok();
    assert_eq!(answer["m.server"], "matrix.example.org:443");
}

async fn there_is_perhaps_none(server: &TestServer) {
    let answer = server.get("/.well-known/matrix/server").await;
    answer.refused(404, "M_NOT_FOUND");
}
