//! `GET /`, `GET /_myelin/guide` and what they load

use http::{Method, Request};
use myelin_testkit::{Answer, TestServer, three_modes};

three_modes!(
    pages_say_what_runs_here,
    everything_a_page_loads_is_there,
    what_a_browser_has_is_not_sent_again,
    pages_are_only_read,
);

const PAGES: [&str; 3] = ["/", "/_myelin/guide", "/_matrix/static/client/login/"];

async fn pages_say_what_runs_here(server: &TestServer) {
    for path in ["/", "/_myelin/guide"] {
        let page = server.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(header(&page, "content-type").starts_with("text/html"));
        assert!(page.text.contains("localhost"), "{path}");
        assert!(!page.text.contains("{{"), "{path}: a fact is missing");
    }
    let front = server.get("/").await.text;
    assert!(front.contains("href=\"/_myelin/guide\""), "{front}");
}

async fn everything_a_page_loads_is_there(server: &TestServer) {
    for path in PAGES {
        let page = server.get(path).await;
        let policy = header(&page, "content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&page, "x-content-type-options"), "nosniff");
        let mut loaded = loads(&page.text);
        assert!(loaded.iter().any(|file| file.contains("style")), "{path}");
        while let Some(file) = loaded.pop() {
            let answer = server.get(&file).await;
            assert_eq!(answer.status, 200, "{file}");
            let wanted = match file.rsplit('.').next() {
                Some("js") => "text/javascript",
                Some("css") => "text/css",
                _ => "image/svg+xml",
            };
            assert!(
                header(&answer, "content-type").starts_with(wanted),
                "{file}"
            );
            let imports = answer.text.split("from \"./").skip(1);
            let names = imports.filter_map(|rest| rest.split('"').next());
            loaded.extend(names.map(|name| format!("/_myelin/{name}")));
        }
    }
}

async fn what_a_browser_has_is_not_sent_again(server: &TestServer) {
    for path in ["/", "/_myelin/guide", "/_myelin/style.css"] {
        let first = server.get(path).await;
        let tag = header(&first, "etag").to_owned();
        assert_eq!(header(&first, "cache-control"), "no-cache");
        let again = |tags: String| {
            let request = Request::get(path).header("If-None-Match", tags);
            server.call(request.body(String::new()).unwrap())
        };
        for tags in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let second = again(tags).await;
            assert_eq!((second.status, second.text.as_str()), (304, ""), "{path}");
            assert_eq!(header(&second, "etag"), tag);
        }
        assert_eq!(again("\"another\"".to_owned()).await.text, first.text);
    }
}

async fn pages_are_only_read(server: &TestServer) {
    for path in PAGES {
        let request = Request::builder().method(Method::HEAD).uri(path);
        let head = server.call(request.body(String::new()).unwrap()).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        server
            .post_text(path, "")
            .await
            .refused(405, "M_UNRECOGNIZED");
    }
}

/// What stands in `src` and `href` and is ours, but for other pages.
fn loads(page: &str) -> Vec<String> {
    let parts = page.split(" src=\"").skip(1);
    let parts = parts.chain(page.split(" href=\"").skip(1));
    let addresses = parts.filter_map(|rest| rest.split('"').next());
    addresses
        .filter(|address| address.starts_with('/') && address.contains('.'))
        .map(str::to_owned)
        .collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}
