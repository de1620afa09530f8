//! What a node tells of itself to those who watch it: `GET /metrics`, in the format of `OpenMetrics`.

use std::fmt;

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use myelin_delivery::{BehindCounts, count_behind};
use myelin_http::{App, MatrixError};
use myelin_rooms::Rooms;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};

const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The endpoint. It answers whoever reaches it.
pub(crate) fn router(app: App, rooms: Rooms) -> Router {
    Router::new()
        .route("/metrics", get(tell))
        .with_state((app, rooms))
}

async fn tell(State((app, rooms)): State<(App, Rooms)>) -> Result<impl IntoResponse, MatrixError> {
    let now_ms = app.server.now_ms().cast_signed();
    let mut registry = Registry::with_prefix("myelin");
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "What is running", Info::new(version));
    app.requests.register(&mut registry);
    registry.register_collector(Box::new(Undone(rooms.undone_changes())));
    let behind = count_behind(&app.store, now_ms).await?;
    registry.register_collector(Box::new(Destinations(behind)));
    let mut told = String::new();
    text::encode(&mut told, &registry).map_err(MatrixError::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], told))
}

/// The alarm of state resolution.
#[derive(Debug)]
struct Undone(u64);

impl Collector for Undone {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counter = ConstCounter::new(self.0);
        let metric = encoder.encode_descriptor(
            "state_changes_undone",
            "Changes of power or membership by users of this server that a resolution has undone",
            None,
            counter.metric_type(),
        )?;
        counter.encode(metric)
    }
}

/// The other servers as the database has them, for all nodes together.
#[derive(Debug)]
struct Destinations(BehindCounts);

impl Collector for Destinations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(counts) = self;
        for (name, help, count) in [
            (
                "destinations_behind",
                "Other servers that have not been sent everything yet",
                counts.behind,
            ),
            (
                "destinations_failing",
                "Those of them of which the last attempt has failed",
                counts.failing,
            ),
            (
                "destinations_parked",
                "Those of them that are taken to be gone, and tried once a day",
                counts.parked,
            ),
        ] {
            let gauge = ConstGauge::new(i64::from(count));
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}
