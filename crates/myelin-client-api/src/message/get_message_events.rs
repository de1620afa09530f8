//! `GET /_matrix/client/v3/rooms/{roomId}/messages`

use myelin_http::{Client, MatrixError};
use myelin_sync::{Direction, PageRequest, Token, Viewer};
use ruma::api::{
    Direction as Dir,
    client::message::get_message_events::v3::{Request, Response},
};

use crate::{ClientApi, Error, events::shown_events};

pub(crate) async fn get_message_events(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let viewer = Viewer {
        user: client.user_number,
        device: Some(client.device.to_string()),
    };
    let Client { user, body, .. } = client;
    let request = PageRequest {
        from: body.from.as_deref().map(token).transpose()?,
        to: body.to.as_deref().map(token).transpose()?,
        direction: if body.dir == Dir::Backward {
            Direction::Backward
        } else {
            Direction::Forward
        },
        limit: usize::try_from(u64::from(body.limit)).unwrap_or(usize::MAX),
    };
    let mut read = api.app.store.read();
    let mut view = api.rooms.view(&mut read, &body.room_id, &user).await?;
    let page = api.syncs.messages(&mut read, &mut view, request).await?;
    let mut response = Response::new();
    response.start = page.start.to_string();
    response.end = page.end.map(|end| end.to_string());
    response.chunk = shown_events(&api, &page.events, &body.room_id, &viewer)?;
    Ok(response)
}

fn token(text: &str) -> Result<Token, MatrixError> {
    text.parse()
        .map_err(|error: myelin_sync::TokenError| MatrixError::invalid_param(format!("{error}.")))
}
