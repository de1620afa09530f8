//! `POST /_matrix/client/v1/delayed_events/{delay_id}/{action}`, and the earlier form with the
//! action in the body

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_rooms::DelayedEventAction;
use serde::Deserialize;
use serde_json::json;

use super::{ACTIONS, delay_id};
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    action: Option<String>,
}

pub(crate) async fn update_delayed_event(
    api: &ClientApi,
    client: &Client<Raw>,
    action: DelayedEventAction,
) -> Result<Response, Error> {
    let id = delay_id(&client.body)?;
    let user = client.user_number;
    api.rooms.manage_delayed_event(user, id, action).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}

pub(crate) async fn update_delayed_event_by_body(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let name = body.action;
    let name = name.ok_or_else(|| MatrixError::missing_param("action"))?;
    let (action, _) = ACTIONS
        .into_iter()
        .find(|(_, known)| *known == name)
        .ok_or_else(|| MatrixError::invalid_param("`action` is `send`, `cancel` or `restart`."))?;
    update_delayed_event(&api, &client, action).await
}
