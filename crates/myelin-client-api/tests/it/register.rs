//! `POST /_matrix/client/v3/register`

use myelin_accounts::{RegistrationSettings, Terms};
use myelin_testkit::{TestServer, three_modes};
use serde_json::{Value, json};

use crate::{
    accounts::{Accounts, REGISTER, WHOAMI, access_token, change_account},
    covers,
};

three_modes!(
    an_account_is_made_after_the_dummy_stage,
    a_session_without_a_stage_is_asked_again,
    another_stage_fails_and_the_flows_are_said_again,
    a_name_is_taken_once_and_refused_before_authentication,
    of_many_who_want_a_name_at_once_one_gets_it,
    names_keep_to_the_grammar,
    a_name_is_chosen_for_who_gives_none,
    without_login_there_is_no_token,
    the_device_is_the_one_that_was_asked_for,
    what_is_missing_or_mistaken_is_named,
    a_closed_server_registers_nobody,
    it_is_told_whether_a_name_can_be_had,
    terms_are_accepted_and_their_version_is_kept,
    the_server_s_own_name_is_reserved,
);

covers! {
    "POST /_matrix/client/v3/register":
        works = an_account_is_made_after_the_dummy_stage,
        400 = a_name_is_taken_once_and_refused_before_authentication,
        403 = a_closed_server_registers_nobody;
    "GET /_matrix/client/v3/register/available":
        works = it_is_told_whether_a_name_can_be_had,
        400 = it_is_told_whether_a_name_can_be_had;
}

const AVAILABLE: &str = "/_matrix/client/v3/register/available";

async fn an_account_is_made_after_the_dummy_stage(server: &TestServer) {
    let api = Accounts { server };
    let wish = json!({"username": "alice", "password": "wonderland"});
    let answer = api.post(REGISTER, wish.clone()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.body["flows"], json!([{"stages": ["m.login.dummy"]}]));
    assert_eq!(answer.body["params"], json!({}));
    assert_eq!(answer.body.get("errcode"), None);
    let session = answer.body["session"].as_str().unwrap();
    assert!(!session.is_empty());

    let auth = json!({"auth": {"type": "m.login.dummy", "session": session}});
    let answer = api.register("alice", auth).await;
    assert_eq!(answer.body["user_id"], "@alice:localhost");
    let device = answer.body["device_id"].as_str().unwrap();
    assert_eq!(device.len(), 10, "{device}");
    let whoami = api.get(WHOAMI, &access_token(&answer)).await;
    assert_eq!(
        whoami.body,
        json!({"user_id": "@alice:localhost", "device_id": device})
    );
}

async fn a_session_without_a_stage_is_asked_again(server: &TestServer) {
    let api = Accounts { server };
    let challenge = api.post(REGISTER, json!({})).await;
    let session = &challenge.body["session"];
    let answer = api
        .post(REGISTER, json!({"auth": {"session": session}}))
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(&answer.body["session"], session);
    assert_eq!(answer.body.get("errcode"), None);
}

async fn another_stage_fails_and_the_flows_are_said_again(server: &TestServer) {
    let api = Accounts { server };
    let challenge = api.post(REGISTER, json!({})).await;
    let session = &challenge.body["session"];
    for stage in ["m.login.sso", "org.example.magic", "m.login.terms"] {
        let auth = json!({"auth": {"type": stage, "session": session}});
        let answer = api.register("alice", auth).await;
        assert_eq!(answer.code(), (401, "M_UNRECOGNIZED"), "{stage}");
        assert_eq!(answer.body["flows"], json!([{"stages": ["m.login.dummy"]}]));
        assert_eq!(&answer.body["session"], session);
    }
}

async fn a_name_is_taken_once_and_refused_before_authentication(server: &TestServer) {
    let api = Accounts { server };
    access_token(&api.register("alice", json!({})).await);
    for name in ["alice", "Alice"] {
        let answer = api.register(name, json!({})).await;
        assert_eq!(answer.code(), (400, "M_USER_IN_USE"), "{name}");
        let answer = api.post(REGISTER, json!({"username": name})).await;
        assert_eq!(answer.code(), (400, "M_USER_IN_USE"), "{name}");
    }
}

async fn of_many_who_want_a_name_at_once_one_gets_it(server: &TestServer) {
    let api = Accounts { server };
    let wish = || api.register("alice", json!({}));
    let (a, b, c, d) = tokio::join!(wish(), wish(), wish(), wish());
    let codes = [a, b, c, d].map(|answer| answer.status);
    assert_eq!(
        codes.iter().filter(|code| **code == 200).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 400).count(),
        3,
        "{codes:?}"
    );
}

async fn names_keep_to_the_grammar(server: &TestServer) {
    let api = Accounts { server };
    let long = "x".repeat(245);
    for name in [
        "",
        "@alice:localhost",
        "al ice",
        "älice",
        "a\u{0}b",
        "a:b",
        "_bridge_alice",
        &long,
    ] {
        let answer = api.register(name, json!({})).await;
        assert_eq!(answer.code(), (400, "M_INVALID_USERNAME"), "{name}");
    }
    for (name, user) in [
        ("a.b_c=d-e/f+1", "@a.b_c=d-e/f+1:localhost"),
        ("BOB", "@bob:localhost"),
        (&long[1..], &format!("@{}:localhost", &long[1..])),
    ] {
        let answer = api.register(name, json!({})).await;
        assert_eq!(answer.body["user_id"], user, "{answer:?}");
    }
}

async fn a_name_is_chosen_for_who_gives_none(server: &TestServer) {
    let api = Accounts { server };
    let first = api.register("x", json!({"username": null})).await;
    let second = api.register("x", json!({"username": null})).await;
    for answer in [&first, &second] {
        access_token(answer);
        let user = answer.body["user_id"].as_str().unwrap();
        let localpart = user.trim_start_matches('@').trim_end_matches(":localhost");
        assert_eq!(localpart.len(), 18, "{user}");
        assert!(
            localpart.bytes().all(|byte| byte.is_ascii_lowercase()),
            "{user}"
        );
    }
    assert_ne!(first.body["user_id"], second.body["user_id"]);
}

async fn without_login_there_is_no_token(server: &TestServer) {
    let api = Accounts { server };
    let answer = api.register("alice", json!({"inhibit_login": true})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["user_id"], "@alice:localhost");
    assert_eq!(answer.body.get("access_token"), None);
    let device = answer.body.get("device_id").unwrap_or(&Value::Null);
    assert_eq!(device, &Value::Null);
    access_token(&api.login(json!({})).await);
}

async fn the_device_is_the_one_that_was_asked_for(server: &TestServer) {
    let api = Accounts { server };
    let device = json!({"device_id": "PHONE", "initial_device_display_name": "Alice's phone"});
    let answer = api.register("alice", device).await;
    assert_eq!(answer.body["device_id"], "PHONE");
    for keys in [
        json!({"device_id": ""}),
        json!({"device_id": "x".repeat(256)}),
        json!({"initial_device_display_name": "x".repeat(256)}),
    ] {
        let answer = api.register("bob", keys).await;
        assert_eq!(answer.code(), (400, "M_INVALID_PARAM"), "{answer:?}");
    }
}

async fn what_is_missing_or_mistaken_is_named(server: &TestServer) {
    let api = Accounts { server };
    let answer = api.register("alice", json!({"password": null})).await;
    assert_eq!(answer.code(), (400, "M_MISSING_PARAM"));
    assert!(answer.error().contains("`password`"));
    let answer = api.register("alice", json!({"username": 5})).await;
    assert_eq!(answer.code(), (400, "M_BAD_JSON"));
    assert!(answer.error().contains("`username`"), "{answer:?}");
    let answer = api.post(&format!("{REGISTER}?kind=king"), json!({})).await;
    assert_eq!(answer.code(), (400, "M_INVALID_PARAM"));
    let answer = api.post(&format!("{REGISTER}?kind=guest"), json!({})).await;
    assert_eq!(answer.code(), (403, "M_GUEST_ACCESS_FORBIDDEN"));
    let service = json!({"type": "m.login.application_service"});
    let answer = api.register("alice", service).await;
    assert_eq!(answer.code(), (401, "M_UNKNOWN_TOKEN"));
}

async fn a_closed_server_registers_nobody(server: &TestServer) {
    let Some(server) = TestServer::start_closed(server.mode()).await else {
        return;
    };
    let api = Accounts { server: &server };
    for answer in [
        api.register("alice", json!({})).await,
        api.post(REGISTER, json!({})).await,
        server.get(&format!("{AVAILABLE}?username=alice")).await,
    ] {
        assert_eq!(answer.code(), (403, "M_FORBIDDEN"));
    }
    server.stop().await;
}

async fn it_is_told_whether_a_name_can_be_had(server: &TestServer) {
    let api = Accounts { server };
    access_token(&api.register("alice", json!({})).await);
    let ask = async |name: &str| server.get(&format!("{AVAILABLE}?username={name}")).await;
    assert_eq!(ask("bob").await.ok(), json!({"available": true}));
    ask("alice").await.refused(400, "M_USER_IN_USE");
    ask("Alice").await.refused(400, "M_USER_IN_USE");
    ask("a%20b").await.refused(400, "M_INVALID_USERNAME");
    ask("_bridge").await.refused(400, "M_INVALID_USERNAME");
    server.get(AVAILABLE).await.refused(400, "M_MISSING_PARAM");
}

async fn terms_are_accepted_and_their_version_is_kept(server: &TestServer) {
    let registration = RegistrationSettings {
        open: true,
        terms: Some(Terms {
            name: "House rules".to_owned(),
            url: "https://example.org/rules".to_owned(),
            version: "1.2".to_owned(),
        }),
        ..RegistrationSettings::default()
    };
    let Some(server) = TestServer::start_registering(server.mode(), registration).await else {
        return;
    };
    let api = Accounts { server: &server };
    let challenge = api.register("alice", json!({"auth": null})).await;
    assert_eq!(
        challenge.body["flows"],
        json!([{"stages": ["m.login.terms"]}])
    );
    let policies = json!({"terms_of_service": {
        "version": "1.2",
        "en": {"name": "House rules", "url": "https://example.org/rules"},
    }});
    assert_eq!(
        challenge.body["params"],
        json!({"m.login.terms": {"policies": policies}})
    );
    let session = &challenge.body["session"];
    let dummy = json!({"auth": {"type": "m.login.dummy", "session": session}});
    let answer = api.register("alice", dummy).await;
    assert_eq!(answer.code(), (401, "M_UNRECOGNIZED"));
    let accepted = json!({"auth": {"type": "m.login.terms", "session": session}});
    access_token(&api.register("alice", accepted).await);

    // The API of 2014 has no way to show them.
    let of_2014 = json!({"type": "m.login.password", "user": "bob", "password": "secret"});
    let answer = api.post("/_matrix/client/api/v1/register", of_2014).await;
    assert_eq!(answer.code(), (403, "M_FORBIDDEN"));

    let mut version = None;
    change_account(&server, "@alice:localhost", |user| {
        version.clone_from(&user.terms_version);
    })
    .await;
    assert_eq!(version.as_deref(), Some("1.2"));
    server.stop().await;
}

async fn the_server_s_own_name_is_reserved(server: &TestServer) {
    let registration = RegistrationSettings {
        open: true,
        reserved: vec!["notices".to_owned()],
        ..RegistrationSettings::default()
    };
    let Some(server) = TestServer::start_registering(server.mode(), registration).await else {
        return;
    };
    let api = Accounts { server: &server };
    let answer = api.register("Notices", json!({})).await;
    assert_eq!(answer.code(), (400, "M_EXCLUSIVE"));
    server.stop().await;
}
