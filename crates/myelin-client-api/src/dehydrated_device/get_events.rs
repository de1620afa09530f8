//! `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events`, and
//! the `POST` that clients in use know

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{DehydratedEvents, dehydrated_events};
use myelin_http::{Client, MatrixError, Raw, json_response};
use serde::Deserialize;

use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    next_batch: Option<String>,
}

pub(crate) async fn get_events(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let from = client.body.query()?.get("from")?.map(str::to_owned);
    let (found, _) = events(&api, &client, from.as_deref()).await?;
    let next = found.last.filter(|_| found.more);
    Ok(answer(&found, next))
}

/// As the proposal had it first: a client asks until an answer is empty, and begins anew where one
/// does not say how to go on.
pub(crate) async fn post_events(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let (found, after) = events(&api, &client, body.next_batch.as_deref()).await?;
    let next = found.last.unwrap_or(after);
    Ok(answer(&found, Some(next)))
}

async fn events(
    api: &ClientApi,
    client: &Client<Raw>,
    from: Option<&str>,
) -> Result<(DehydratedEvents, i64), Error> {
    let after = from.map_or(Ok(0), str::parse);
    let after = after.map_err(|_| MatrixError::invalid_param("This is no token of ours."))?;
    let device = &client.body.path[0];
    let found = dehydrated_events(&api.app.store, client.user_number, device, after).await?;
    Ok((found, after))
}

fn answer(found: &DehydratedEvents, next: Option<i64>) -> Response {
    let events: Vec<_> = found
        .events
        .iter()
        .filter_map(|event| serde_json::from_slice::<serde_json::Value>(event).ok())
        .collect();
    let mut body = serde_json::json!({"events": events});
    if let Some(next) = next {
        body["next_batch"] = next.to_string().into();
    }
    json_response(StatusCode::OK, &body)
}
