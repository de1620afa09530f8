//! How many requests a node answers, how, and how long they take.

use std::{fmt, sync::Arc};

use http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

/// Seconds. Most answers take milliseconds; who waits for news waits up to minutes.
const BUCKETS: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

/// What is counted of the requests that this node has answered.
#[derive(Clone)]
pub struct RequestMetrics {
    answered: Family<Answered, Counter>,
    durations: Family<Asked, Histogram, fn() -> Histogram>,
}

/// An endpoint, by its pattern: an address may carry anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    path: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    path: Arc<str>,
    status: u16,
}

impl RequestMetrics {
    pub(crate) fn new() -> Self {
        Self {
            answered: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }

    /// Adds what is counted to what a node tells of itself.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests answered, by method, path and status",
            self.answered.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from a request to its answer's beginning, by method and path",
            self.durations.clone(),
        );
    }

    pub(crate) fn note(
        &self,
        (method, path): (&'static str, &str),
        (status, took_ms): (StatusCode, u64),
    ) {
        let (path, status) = (Arc::<str>::from(path), status.as_u16());
        let answered = Answered {
            method,
            path: path.clone(),
            status,
        };
        self.answered.get_or_create(&answered).inc();
        let took_ms = u32::try_from(took_ms).unwrap_or(u32::MAX);
        let asked = Asked { method, path };
        let duration = self.durations.get_or_create(&asked);
        duration.observe(f64::from(took_ms) / 1_000.0);
    }
}

impl fmt::Debug for RequestMetrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequestMetrics")
            .finish_non_exhaustive()
    }
}

/// A method by its name; one that nobody knows is not told apart from others, for a client may make
/// up as many as it likes.
pub(crate) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn told(metrics: &RequestMetrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn answers_are_counted_by_endpoint_and_status() {
        let metrics = RequestMetrics::new();
        let sync = ("GET", "/sync");
        metrics.note(sync, (StatusCode::OK, 7));
        metrics.note(sync, (StatusCode::OK, 40_000));
        metrics.note(sync, (StatusCode::UNAUTHORIZED, 1));
        let text = told(&metrics);
        for line in [
            r#"http_requests_total{method="GET",path="/sync",status="200"} 2"#,
            r#"http_requests_total{method="GET",path="/sync",status="401"} 1"#,
            r#"http_request_duration_seconds_count{method="GET",path="/sync"} 3"#,
            r#"http_request_duration_seconds_bucket{le="0.005",method="GET",path="/sync"} 1"#,
            r#"http_request_duration_seconds_bucket{le="0.02",method="GET",path="/sync"} 2"#,
            r#"http_request_duration_seconds_bucket{le="30.0",method="GET",path="/sync"} 2"#,
            r#"http_request_duration_seconds_bucket{le="120.0",method="GET",path="/sync"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn made_up_methods_are_one() {
        let made_up = |name: &str| method_name(&name.parse().unwrap());
        assert_eq!(made_up("GET"), "GET");
        assert_eq!(made_up("FLY"), made_up("SWIM"));
    }
}
