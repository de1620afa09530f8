//! `/_matrix/client/v3/devices`, `/devices/{deviceId}` and `/delete_devices`

use std::time::Duration;

use http::{Method, Request};
use myelin_testkit::{Answer, TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, access_token, password_auth},
    covers,
};

three_modes!(
    devices_are_listed_with_what_is_known_of_them,
    a_device_is_shown,
    an_unknown_device_is_not_found,
    a_device_gets_another_name,
    a_name_of_a_device_has_a_limit,
    a_device_is_deleted_with_its_token,
    devices_are_deleted_together,
    other_users_devices_stay,
    a_device_that_is_gone_counts_as_deleted,
    many_devices_are_deleted_in_several_sets,
);

covers! {
    "GET /_matrix/client/v3/devices":
        works = devices_are_listed_with_what_is_known_of_them;
    "GET /_matrix/client/v3/devices/{deviceId}":
        works = a_device_is_shown,
        404 = an_unknown_device_is_not_found;
    "PUT /_matrix/client/v3/devices/{deviceId}":
        works = a_device_gets_another_name,
        201 = an_unknown_device_is_not_found,
        404 = an_unknown_device_is_not_found;
    "DELETE /_matrix/client/v3/devices/{deviceId}":
        works = a_device_is_deleted_with_its_token;
    "POST /_matrix/client/v3/delete_devices":
        works = devices_are_deleted_together;
}

const DEVICES: &str = "/_matrix/client/v3/devices";
const DELETE_DEVICES: &str = "/_matrix/client/v3/delete_devices";

async fn log_in(api: &Accounts<'_>, device: &str) -> String {
    access_token(&api.login(json!({ "device_id": device })).await)
}

async fn alice_s_phone(api: &Accounts<'_>) -> String {
    let keys = json!({"device_id": "PHONE", "initial_device_display_name": "Phone"});
    access_token(&api.register("alice", keys).await)
}

async fn ids(api: &Accounts<'_>, token: &str) -> Vec<String> {
    let body = api.get(DEVICES, token).await.ok();
    let devices = body["devices"].as_array().unwrap();
    let id = |device: &Value| device["device_id"].as_str().unwrap().to_owned();
    devices.iter().map(id).collect()
}

async fn rename(api: &Accounts<'_>, token: &str, device: &str, body: Value) -> Answer {
    let path = format!("{DEVICES}/{device}");
    api.call(Method::PUT, &path, token, body).await
}

async fn devices_are_listed_with_what_is_known_of_them(server: &TestServer) {
    let api = Accounts { server };
    let token = alice_s_phone(&api).await;
    let started_ms = server.now_ms();
    server.clock().advance(Duration::from_secs(5));
    let login = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": "wonderland",
        "device_id": "LAPTOP",
    });
    let request = Request::post("/_matrix/client/v3/login").header("User-Agent", "nio/1");
    let answer = server.call(request.body(login.to_string()).unwrap()).await;
    answer.ok();
    let expected = json!({"devices": [
        {"device_id": "LAPTOP", "last_seen_ts": started_ms + 5_000},
        {"device_id": "PHONE", "display_name": "Phone", "last_seen_ts": started_ms},
    ]});
    assert_eq!(api.get(DEVICES, &token).await.ok(), expected);
}

async fn a_device_is_shown(server: &TestServer) {
    let api = Accounts { server };
    let token = alice_s_phone(&api).await;
    let shown = api.get(&format!("{DEVICES}/PHONE"), &token).await.ok();
    let expected =
        json!({"device_id": "PHONE", "display_name": "Phone", "last_seen_ts": server.now_ms()});
    assert_eq!(shown, expected);
}

async fn an_unknown_device_is_not_found(server: &TestServer) {
    let api = Accounts { server };
    let token = alice_s_phone(&api).await;
    let bob = access_token(&api.register("bob", json!({"device_id": "TABLET"})).await);
    let unknown = api.get(&format!("{DEVICES}/TABLET"), &token).await;
    assert_eq!(unknown.code(), (404, "M_NOT_FOUND"));
    // Only application services make devices so.
    let answer = rename(&api, &token, "TABLET", json!({"display_name": "mine"})).await;
    assert_eq!(answer.code(), (404, "M_NOT_FOUND"));
    assert_eq!(ids(&api, &token).await, ["PHONE"]);
    assert_eq!(ids(&api, &bob).await, ["TABLET"]);
}

async fn a_device_gets_another_name(server: &TestServer) {
    let api = Accounts { server };
    let token = alice_s_phone(&api).await;
    let name = async || {
        let shown = api.get(&format!("{DEVICES}/PHONE"), &token).await.ok();
        shown["display_name"].clone()
    };
    let answer = rename(&api, &token, "PHONE", json!({"display_name": "Old phone"})).await;
    assert_eq!(answer.ok(), json!({}));
    assert_eq!(name().await, "Old phone");
    for nothing in [json!({}), json!({"display_name": null})] {
        rename(&api, &token, "PHONE", nothing).await.ok();
        assert_eq!(name().await, "Old phone");
    }
    api.assert_alive(&token).await;
}

async fn a_name_of_a_device_has_a_limit(server: &TestServer) {
    let api = Accounts { server };
    let token = alice_s_phone(&api).await;
    for (length, status) in [(255, 200), (256, 400)] {
        let body = json!({"display_name": "x".repeat(length)});
        let answer = rename(&api, &token, "PHONE", body).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

async fn a_device_is_deleted_with_its_token(server: &TestServer) {
    let api = Accounts { server };
    let phone = alice_s_phone(&api).await;
    let laptop = log_in(&api, "LAPTOP").await;
    let path = format!("{DEVICES}/LAPTOP");
    let answer = api.approved(Method::DELETE, &path, &phone, json!({})).await;
    assert_eq!(answer.ok(), json!({}));
    api.assert_dead(&laptop).await;
    api.assert_alive(&phone).await;
    assert_eq!(ids(&api, &phone).await, ["PHONE"]);
    // One's own, too.
    let path = format!("{DEVICES}/PHONE");
    let answer = api.approved(Method::DELETE, &path, &phone, json!({})).await;
    assert_eq!(answer.ok(), json!({}));
    api.assert_dead(&phone).await;
}

async fn devices_are_deleted_together(server: &TestServer) {
    let api = Accounts { server };
    let phone = alice_s_phone(&api).await;
    let mut tokens = Vec::new();
    for device in ["A", "B", "C"] {
        tokens.push(log_in(&api, device).await);
    }
    let body = json!({"devices": ["A", "C", "unheard of"]});
    let answer = api
        .approved(Method::POST, DELETE_DEVICES, &phone, body)
        .await;
    assert_eq!(answer.ok(), json!({}));
    api.assert_dead(&tokens[0]).await;
    api.assert_alive(&tokens[1]).await;
    api.assert_dead(&tokens[2]).await;
    assert_eq!(ids(&api, &phone).await, ["B", "PHONE"]);
    let answer = api
        .call(Method::POST, DELETE_DEVICES, &phone, json!({}))
        .await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
}

async fn other_users_devices_stay(server: &TestServer) {
    let api = Accounts { server };
    let alice = alice_s_phone(&api).await;
    let bob = access_token(&api.register("bob", json!({"device_id": "PHONE"})).await);
    let body = json!({"devices": ["PHONE"]});
    let answer = api
        .approved(Method::POST, DELETE_DEVICES, &alice, body)
        .await;
    answer.ok();
    api.assert_dead(&alice).await;
    api.assert_alive(&bob).await;
}

async fn a_device_that_is_gone_counts_as_deleted(server: &TestServer) {
    let api = Accounts { server };
    let phone = alice_s_phone(&api).await;
    for devices in [json!([]), json!(["GONE"])] {
        let body = json!({ "devices": devices });
        let answer = api
            .approved(Method::POST, DELETE_DEVICES, &phone, body)
            .await;
        answer.ok();
    }
    let path = format!("{DEVICES}/GONE");
    let body = json!({"auth": password_auth("alice", &Value::Null)});
    api.call(Method::DELETE, &path, &phone, body).await.ok();
    api.assert_alive(&phone).await;
}

async fn many_devices_are_deleted_in_several_sets(server: &TestServer) {
    let api = Accounts { server };
    let phone = alice_s_phone(&api).await;
    let names: Vec<_> = (0..160).map(|n| format!("D{n}")).collect();
    for name in &names {
        log_in(&api, name).await;
    }
    let body = json!({ "devices": names });
    let answer = api
        .approved(Method::POST, DELETE_DEVICES, &phone, body)
        .await;
    answer.ok();
    assert_eq!(ids(&api, &phone).await, ["PHONE"]);
}
