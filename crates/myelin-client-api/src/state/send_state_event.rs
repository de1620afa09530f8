//! `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`

use axum::response::Response as HttpResponse;
use myelin_core::json;
use myelin_http::{Client, Parse, Raw, ruma_response};
use myelin_rooms::{ActingDevice, ScheduleEvent, SendOptions, SetState};
use ruma::api::client::state::send_state_event::v3::{Request, Response};

use crate::{ClientApi, Error, delayed_events, parameters::sticky_ms};

pub(crate) async fn send_state_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<HttpResponse, Error> {
    let query = client.body.query()?;
    let sticky_ms = sticky_ms(&query)?;
    let body = Request::parse(client.body)?;
    let content =
        json::parse_object(body.body.json().get().as_bytes()).map_err(crate::error::json)?;
    let (room_id, sender) = (&*body.room_id, &*client.user);
    let event_type = &*body.event_type.to_string();
    if let Some(delay_ms) = delayed_events::delay_ms(&query)? {
        let schedule = ScheduleEvent {
            room_id,
            sender,
            event_type,
            state_key: Some(&body.state_key),
            content,
            delay_ms,
            sticky_ms,
            transaction: None,
            acting: ActingDevice {
                device: &client.device,
                last_seen_ms: client.last_seen_ms,
            },
        };
        return delayed_events::schedule(&api, schedule).await;
    }
    let set = SetState {
        room_id,
        sender,
        event_type,
        state_key: &body.state_key,
        content,
        guest: client.guest,
        options: SendOptions {
            sticky_ms,
            ..SendOptions::default()
        },
    };
    let response = Response::new(api.rooms.set_state(set).await?);
    Ok(ruma_response(response)?)
}
