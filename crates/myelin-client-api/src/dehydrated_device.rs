//! Dehydrated devices.
//!
//! [MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)

mod delete_dehydrated_device;
mod get_dehydrated_device;
mod get_events;
mod put_dehydrated_device;

use axum::response::Response;
use http::{Method, StatusCode};
use myelin_http::{Routes, json_response};
use serde_json::json;

use crate::ClientApi;

const DEVICE: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
const EVENTS: &str =
    "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events";

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .route(
            &Method::PUT,
            DEVICE,
            put_dehydrated_device::put_dehydrated_device,
        )
        .route(
            &Method::GET,
            DEVICE,
            get_dehydrated_device::get_dehydrated_device,
        )
        .route(
            &Method::DELETE,
            DEVICE,
            delete_dehydrated_device::delete_dehydrated_device,
        )
        .route(&Method::GET, EVENTS, get_events::get_events)
        .route(&Method::POST, EVENTS, get_events::post_events)
}

fn named(device_id: &str) -> Response {
    json_response(StatusCode::OK, &json!({"device_id": device_id}))
}
