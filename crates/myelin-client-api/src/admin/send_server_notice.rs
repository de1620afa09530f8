//! `POST /_synapse/admin/v1/send_server_notice` and
//! `PUT /_synapse/admin/v1/send_server_notice/{txnId}`

use axum::response::Response;
use http::StatusCode;
use myelin_core::json;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_rooms::{ClientTransaction, ServerNotice};
use ruma::{OwnedUserId, api::error::ErrorCode};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    user_id: OwnedUserId,
    content: Box<RawValue>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    state_key: Option<String>,
}

pub(crate) async fn send_server_notice(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    if !client.admin {
        let message = "Only administrators may send server notices.";
        return Err(MatrixError::forbidden(message).into());
    }
    let body: Body = client.body.json()?;
    let Some(notices) = &api.settings.server_notices else {
        let message = "Server notices are not enabled on this server.";
        let off = MatrixError::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, message);
        return Err(off.into());
    };
    let content = json::parse_object(body.content.get().as_bytes()).map_err(crate::error::json)?;
    // The sender is one for all: the administrator's name keeps their requests apart.
    let endpoint = format!("server_notice {}", client.user);
    let txn_id = client.body.path.first();
    let transaction = txn_id.map(|txn_id| ClientTransaction {
        device: client.device.as_str(),
        endpoint: &endpoint,
        txn_id,
    });
    let notice = ServerNotice {
        target: &body.user_id,
        event_type: body.event_type.as_deref().unwrap_or("m.room.message"),
        state_key: body.state_key.as_deref(),
        content,
        transaction,
    };
    let event_id = api.rooms.send_server_notice(notices, notice).await?;
    Ok(json_response(
        StatusCode::OK,
        &json!({"event_id": event_id}),
    ))
}
