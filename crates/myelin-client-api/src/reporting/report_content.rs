//! `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}`
//!
//! The body is read here, for ruma's type of it no longer has the score of earlier versions.

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_rooms::{MakeReport, ReportOf};
use ruma::{EventId, RoomId};
use serde_json::json;

use crate::{ClientApi, Error};

#[derive(serde::Deserialize)]
struct Body {
    reason: Option<String>,
    score: Option<i64>,
}

pub(crate) async fn report_content(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let parameter = |index: usize| client.body.path.get(index).map_or("", String::as_str);
    let room_id = <&RoomId>::try_from(parameter(0))
        .map_err(|_| MatrixError::invalid_param("The path holds no room id."))?;
    let event_id = <&EventId>::try_from(parameter(1))
        .map_err(|_| MatrixError::invalid_param("The path holds no event id."))?;
    let body: Body = client.body.json()?;
    let report = MakeReport {
        reporter: &client.user,
        reporter_number: client.user_number,
        of: ReportOf::Event(room_id, event_id),
        reason: body.reason.as_deref(),
        score: body.score,
    };
    api.rooms.report(report).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
