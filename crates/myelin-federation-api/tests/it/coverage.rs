//! That the tests here show what the specification names, that what it names is there, and that
//! nothing is told to who does not sign.

use http::{Method, Request};
use myelin_net::XMatrix;
use myelin_testkit::{Coverage, Peer, TestServer, three_modes};

three_modes!(asks_for_a_signature);

#[test]
fn every_endpoint_is_tested() {
    coverage().assert_every_endpoint_is_tested();
}

#[test]
fn what_is_missing_is_written_down() {
    coverage().assert_what_is_missing_is_written_down();
}

fn coverage() -> Coverage<'static> {
    Coverage {
        crate_folder: env!("CARGO_MANIFEST_DIR"),
        endpoints: myelin_federation_api::endpoints(),
        statuses_elsewhere: &["429"],
        roles: &[("{roomid}", "outsider")],
    }
}

async fn asks_for_a_signature(server: &TestServer) {
    let peer = Peer::start(server.network(), "peer.example");
    let here = server.name().try_into().unwrap();
    let elsewhere = "elsewhere.example".try_into().unwrap();
    for (method, path) in coverage().authenticated() {
        let path = filled(&path);
        let refused = async |request: Request<String>| {
            let answer = server.call(request).await;
            assert_eq!(
                answer.code(),
                (401, "M_UNAUTHORIZED"),
                "{method} {path}: {}",
                answer.text
            );
        };
        refused(request(&method, &path)).await;

        let mut of_another_path = request(&method, &format!("{path}x"));
        XMatrix::sign(&peer.server, here, &mut of_another_path).unwrap();
        *of_another_path.uri_mut() = path.parse().unwrap();
        refused(of_another_path).await;

        let mut to_another_server = request(&method, &path);
        XMatrix::sign(&peer.server, elsewhere, &mut to_another_server).unwrap();
        refused(to_another_server).await;
    }
}

fn request(method: &Method, path: &str) -> Request<String> {
    let body = if method == Method::GET { "" } else { "{}" };
    let request = Request::builder().method(method).uri(path);
    request.body(body.to_owned()).unwrap()
}

/// A path with something for each of its parameters.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{room_id}" => "!room:localhost",
        "{user_id}" => "@user:localhost",
        "{event_id}" => "$event",
        "{server_name}" => "peer.example",
        parameter if parameter.starts_with('{') => "something",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}
