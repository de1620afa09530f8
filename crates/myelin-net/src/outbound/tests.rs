use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::Value;
use url::Url;

use super::{InternetWeb, Outbound, OutboundError};
use crate::{
    EgressGuard, Limits, Trust,
    test_internet::{Authority, TestInternet, answer},
};

const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 1_000,
};

/// An internet, and a way into it.
struct World {
    internet: Arc<TestInternet>,
    authority: Authority,
    outbound: Outbound,
}

impl World {
    fn new() -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        let trust = Trust::Authorities(Some(file));
        Self::with(authority, &trust, EgressGuard::new(false))
    }

    fn with(authority: Authority, trust: &Trust, guard: EgressGuard) -> Self {
        let internet = Arc::new(TestInternet::default());
        internet.name("a.example", &["6.6.6.6"]);
        internet.name("b.example", &["5.5.5.5"]);
        internet.name("inside.example", &["10.0.0.1", "127.0.0.1", "fd00::1"]);
        let web = InternetWeb::new(internet.clone(), guard, trust).unwrap();
        Self {
            internet,
            authority,
            outbound: Outbound::new(Arc::new(web)),
        }
    }

    fn site(
        &self,
        address: &str,
        name: &str,
        says: impl Fn(&Request<()>) -> Response<String> + Send + Sync + 'static,
    ) {
        self.internet.site(address, &self.authority, &[name], says);
    }

    async fn get(&self, address: &str) -> Result<Value, OutboundError> {
        let address = Url::parse(address).unwrap();
        self.outbound.get_json(&address, LIMITS).await
    }

    async fn refusal(&self, address: &str) -> String {
        self.get(address).await.unwrap_err().to_string()
    }
}

fn redirect(status: u16, to: &str) -> Response<String> {
    let mut response = answer(status, "");
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, to.parse().unwrap());
    response
}

#[tokio::test(start_paused = true)]
async fn json_is_fetched_with_its_query() {
    let world = World::new();
    world.site("6.6.6.6:443", "a.example", |request| {
        answer(200, &format!(r#"{{"asked": "{}"}}"#, request.uri()))
    });
    let found = world.get("https://a.example/valid?public_key=a%2Bb").await;
    assert_eq!(found.unwrap()["asked"], "/valid?public_key=a%2Bb");
    assert_eq!(world.internet.asked()[0].host, "a.example");
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_spoken_where_the_address_says_so() {
    let world = World::new();
    world
        .internet
        .plain_site("6.6.6.6:8090", |_| answer(200, "{}"));
    assert!(world.get("http://a.example:8090/valid").await.is_ok());
    assert_eq!(world.internet.asked()[0].host, "a.example:8090");
    assert_eq!(world.internet.connected(), ["6.6.6.6:8090"]);
}

#[tokio::test(start_paused = true)]
async fn addresses_inside_are_not_connected_to() {
    let world = World::new();
    for address in [
        "https://inside.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1:8008/",
        "https://[::ffff:10.0.0.1]/",
    ] {
        let refusal = world.refusal(address).await;
        assert!(refusal.contains("address"), "{address}: {refusal}");
    }
    assert_eq!(world.internet.connected(), [""; 0]);
    let trust = Trust::Anybody;
    let open = World::with(Authority::new(), &trust, EgressGuard::new(true));
    open.site("10.0.0.1:443", "inside.example", |_| answer(200, "{}"));
    assert!(open.get("https://inside.example/").await.is_ok());
    // Where clouds tell machines their secrets, nobody may go.
    let refusal = open.refusal("http://169.254.169.254/").await;
    assert!(refusal.contains("not the address of a server"), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_no_further_than_the_guard_lets() {
    let world = World::new();
    world.site("5.5.5.5:443", "b.example", |_| answer(200, r#"{"b": 1}"#));
    world.site("6.6.6.6:443", "a.example", |request| {
        let to = request.uri().path().trim_start_matches('/').to_owned();
        match &*to {
            "b" => redirect(307, "https://b.example/"),
            "inside" => redirect(302, "https://inside.example/"),
            "cloud" => redirect(301, "https://169.254.169.254/"),
            "plain" => redirect(302, "http://b.example/"),
            "file" => redirect(302, "file:///etc/passwd"),
            _ => redirect(302, "/circle"),
        }
    });
    assert_eq!(world.get("https://a.example/b").await.unwrap()["b"], 1);
    for (way, why) in [
        ("inside", "not a public address"),
        ("cloud", "not the address of a server"),
        ("plain", "leads to an address that is not https"),
        ("file", "leads to an address that is not https"),
        ("circle", "leads in circles"),
    ] {
        let refusal = world.refusal(&format!("https://a.example/{way}")).await;
        assert!(refusal.contains(why), "{way}: {refusal}");
    }
    let connected = world.internet.connected();
    let is_outside = |to: &String| to == "6.6.6.6:443" || to == "5.5.5.5:443";
    assert!(connected.iter().all(is_outside), "{connected:?}");
}

#[tokio::test(start_paused = true)]
async fn only_the_first_site_is_told_who_asks() {
    let world = World::new();
    let echo = |request: &Request<()>| {
        let token = request.headers().get(header::AUTHORIZATION);
        let token = token.map_or("", |token| token.to_str().unwrap());
        answer(200, &format!("{} {token}", request.method()))
    };
    world.site("5.5.5.5:443", "b.example", echo);
    world.site("6.6.6.6:443", "a.example", move |request| {
        match request.uri().path() {
            "/away" => redirect(302, "https://b.example/"),
            "/on" => redirect(302, "/here"),
            _ => echo(request),
        }
    });
    let send = async |method: Method, path: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://a.example{path}"))
            .header(header::AUTHORIZATION, "Bearer x")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        world.outbound.send(request, LIMITS).await.unwrap()
    };
    assert_eq!(send(Method::POST, "/").await.body(), "POST Bearer x");
    assert_eq!(send(Method::GET, "/on").await.body(), "GET Bearer x");
    assert_eq!(send(Method::GET, "/away").await.body(), "GET ");
    // What changes something is not done at another place.
    assert_eq!(send(Method::POST, "/away").await.status(), 302);
}

#[tokio::test(start_paused = true)]
async fn answers_are_limited_in_size_and_time() {
    let world = World::new();
    world.site("6.6.6.6:443", "a.example", |request| {
        let size = request.uri().path().trim_start_matches('/').parse();
        answer(200, &format!("\"{}\"", "x".repeat(size.unwrap())))
    });
    assert!(world.get("https://a.example/998").await.is_ok());
    let refusal = world.refusal("https://a.example/999").await;
    assert_eq!(refusal, "the answer of a.example is too long");
    world.internet.silence("6.6.6.6:443");
    let refusal = world.refusal("https://a.example/1").await;
    assert!(refusal.contains("answer"), "{refusal}");
    world.internet.silence("b.example");
    let refusal = world.refusal("https://b.example/1").await;
    assert!(refusal.contains("answer"), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_named() {
    let world = World::new();
    world.site("6.6.6.6:443", "a.example", |request| {
        match request.uri().path() {
            "/gone" => answer(404, "{}"),
            _ => answer(200, "<html>"),
        }
    });
    let refusal = world.refusal("https://a.example/gone").await;
    assert_eq!(refusal, "a.example answered 404 Not Found");
    let refusal = world.refusal("https://a.example/").await;
    assert!(refusal.starts_with("the answer of a.example cannot be read"));
    let refusal = world.refusal("https://unheard.example/").await;
    assert!(refusal.contains("has no address"), "{refusal}");
    for address in ["ftp://a.example/", "https://user:word@a.example/"] {
        let refusal = world.refusal(address).await;
        assert!(refusal.contains("not an address of the web"), "{refusal}");
        assert!(!refusal.contains("word"), "{refusal}");
    }
}

#[tokio::test(start_paused = true)]
async fn certificates_count_unless_the_operator_says_otherwise() {
    let world = World::new();
    let stranger = Authority::new();
    let says = |_: &Request<()>| answer(200, "{}");
    world
        .internet
        .site("6.6.6.6:443", &stranger, &["a.example"], says);
    assert!(world.refusal("https://a.example/").await.contains("no TLS"));
    world.site("6.6.6.6:443", "other.example", says);
    assert!(world.refusal("https://a.example/").await.contains("no TLS"));
    let guard = EgressGuard::new(false);
    let trusting = World::with(stranger, &Trust::Anybody, guard);
    trusting.site("6.6.6.6:443", "other.example", says);
    assert!(trusting.get("https://a.example/").await.is_ok());
}
