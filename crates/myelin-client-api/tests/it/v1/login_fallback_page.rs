//! `GET /_matrix/client/api/v1/login/fallback` and `GET /_matrix/static/client/login/`

use myelin_testkit::{PASSWORD, TestServer, three_modes};
use serde_json::json;

three_modes!(the_page_runs_only_its_own_script, logs_in_as_the_page_does);

async fn the_page_runs_only_its_own_script(server: &TestServer) {
    for path in [
        "/_matrix/client/api/v1/login/fallback",
        "/_matrix/static/client/login/",
    ] {
        let page = server.get(path).await;
        assert_eq!(page.status, 200);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        let scripts: Vec<&str> = page.text.split("<script").skip(1).collect();
        assert_eq!(scripts.len(), 1, "{}", page.text);
        let address = scripts[0].split('"').nth(1).unwrap();
        assert!(
            scripts[0].contains("></script>"),
            "an inline script would not run"
        );
        let script = server.get(address).await;
        assert_eq!(script.status, 200);
        assert!(
            script.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/javascript")
        );
    }
}

async fn logs_in_as_the_page_does(server: &TestServer) {
    server.user("alice").await;
    let body = json!({
        "type": "m.login.password",
        "user": "alice",
        "password": PASSWORD,
        "device_id": "WEBVIEW",
        "initial_device_display_name": "An app",
    });
    let answer = server.post("/_matrix/client/api/v1/login", body).await.ok();
    assert_eq!(answer["device_id"], "WEBVIEW");
    server.user_from(&answer).sync(None).await;
}
