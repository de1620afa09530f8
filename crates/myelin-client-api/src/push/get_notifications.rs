//! `GET /_matrix/client/v3/notifications`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_sync::{
    Audience, Notes, Notification, NotificationsRequest, NotificationsToken, TokenError, Viewer,
    write_shown,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{ClientApi, Error, events::viewer};

/// Notifications of a page, unless the client says how many.
const LIMIT: u64 = 20;
/// Most notifications of a page.
const LIMIT_MAX: u64 = 100;

#[derive(Serialize)]
struct Page {
    notifications: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    actions: Box<RawValue>,
    event: Box<RawValue>,
    read: bool,
    room_id: String,
    ts: i64,
}

pub(crate) async fn get_notifications(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let query = client.body.query()?;
    let from = query.get("from")?.filter(|from| !from.is_empty());
    let from: Option<NotificationsToken> = from
        .map(str::parse)
        .transpose()
        .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")))?;
    let limit = query.number("limit")?.unwrap_or(LIMIT).min(LIMIT_MAX);
    let request = NotificationsRequest {
        user: client.user_number,
        from,
        // A page of nothing would have no end.
        limit: usize::try_from(limit.max(1)).unwrap_or(1),
        only_highlights: query.get("only")? == Some("highlight"),
    };
    let page = api.syncs.notifications(&request).await?;
    let viewer = viewer(&client);
    let shown = page.notifications.iter();
    let shown: Result<Vec<Shown>, Error> = shown
        .map(|notification| shown_notification(&api, notification, &viewer))
        .collect();
    let page = Page {
        notifications: shown?,
        next_token: page.next.map(|next| next.to_string()),
    };
    Ok(json_response(StatusCode::OK, &page))
}

fn shown_notification(
    api: &ClientApi,
    notification: &Notification,
    viewer: &Viewer,
) -> Result<Shown, Error> {
    let audience = Audience {
        viewer,
        now_ms: api.app.server.now_ms(),
        room_id: None,
    };
    let mut event = String::new();
    write_shown(
        &mut event,
        (&notification.event, &Notes::default()),
        audience,
    )?;
    let raw = |json: String| RawValue::from_string(json).map_err(MatrixError::internal);
    Ok(Shown {
        actions: raw(notification.actions.clone())?,
        event: raw(event)?,
        read: notification.is_read,
        room_id: notification.room_id.to_string(),
        ts: notification.noted_ms,
    })
}
