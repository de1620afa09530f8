//! `POST /_matrix/client/api/v1/register`

use http::Method;
use myelin_testkit::{TestServer, text, three_modes};
use serde_json::json;

use super::call;

three_modes!(
    registers_as_the_guide_does,
    registers_as_later_clients_did,
    makes_up_a_name_where_none_is_given,
    refuses_a_name_that_is_taken,
    refuses_names_that_are_no_localparts,
    refuses_bodies_that_are_no_registration,
);

async fn registers_as_the_guide_does(server: &TestServer) {
    let body = "{\"user_id\":\"example\", \"password\":\"wordpass\"}";
    let answer = call(server, Method::POST, "/register", body).await;
    // curl's user sees what the guide shows: indented, keys in order.
    assert!(
        answer.text.starts_with("{\n    \"access_token\": "),
        "{}",
        answer.text
    );
    let answer = answer.ok();
    assert_eq!(answer["user_id"], "@example:localhost");
    assert_eq!(answer["home_server"], "localhost");
    let token = text(&answer, "access_token");
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._~-".contains(char);
    assert!(
        token.chars().all(is_plain),
        "pages paste it into addresses as it is: {token}"
    );
    server.user_from(&answer).get("/account/whoami").await.ok();
}

async fn registers_as_later_clients_did(server: &TestServer) {
    let body = json!({"user": "example", "password": "wordpass", "type": "m.login.password"});
    let answer = call(server, Method::POST, "/register", &body.to_string())
        .await
        .ok();
    assert_eq!(answer["user_id"], "@example:localhost");
}

async fn makes_up_a_name_where_none_is_given(server: &TestServer) {
    let answer = call(server, Method::POST, "/register", "{}").await.ok();
    let user = text(&answer, "user_id");
    let body = json!({"type": "m.login.password", "user": user, "password": ""}).to_string();
    call(server, Method::POST, "/login", &body)
        .await
        .refused(403, "M_FORBIDDEN");
}

async fn refuses_a_name_that_is_taken(server: &TestServer) {
    server.user("example").await;
    let body = "{\"user_id\":\"example\", \"password\":\"wordpass\"}";
    call(server, Method::POST, "/register", body)
        .await
        .refused(400, "M_USER_IN_USE");
}

async fn refuses_names_that_are_no_localparts(server: &TestServer) {
    for name in ["with space", "a:b", "@example"] {
        let body = json!({"user_id": name, "password": "wordpass"}).to_string();
        call(server, Method::POST, "/register", &body)
            .await
            .refused(400, "M_INVALID_USERNAME");
    }
}

async fn refuses_bodies_that_are_no_registration(server: &TestServer) {
    call(server, Method::POST, "/register", "{")
        .await
        .refused(400, "M_NOT_JSON");
    for body in [
        "{\"user_id\":5}",
        "{\"password\":[]}",
        "{\"type\":\"m.login.unheard_of\"}",
    ] {
        let answer = call(server, Method::POST, "/register", body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.body["errcode"].is_string(), "{}", answer.text);
    }
}
