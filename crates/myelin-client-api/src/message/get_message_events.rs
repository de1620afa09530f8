//! `GET /_matrix/client/v3/rooms/{roomId}/messages`

use axum::response::Response as HttpResponse;
use myelin_http::{Client, MatrixError, Query, Raw, ruma_response};
use myelin_sync::{Direction, PageRequest};
use ruma::api::client::message::get_message_events::v3::Response;

use crate::{
    ClientApi, Error,
    events::{client_events, shown_events, viewer},
    history,
    parameters::{filter, limit, room_id, token},
};

pub(crate) async fn get_message_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<HttpResponse, Error> {
    let room_id = room_id(&client.body)?;
    let query = client.body.query()?;
    let filter = filter(&query)?;
    let request = PageRequest {
        from: token(&query, "from")?,
        to: token(&query, "to")?,
        direction: direction(&query)?,
        limit: limit(&query)?,
        filter: &filter,
        across: None,
    };
    let mut read = api.app.store.read();
    let mut view = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let mut response = Response::new();
    if !filter.allows_room(room_id.as_str()) {
        response.start = query.get("from")?.unwrap_or_default().to_owned();
        return Ok(ruma_response(response)?);
    }
    let page = history::page(&api, &mut read, (&mut view, &room_id), request).await?;
    let viewer = viewer(&client);
    response.start = page.start.to_string();
    response.end = page.end.map(|end| end.to_string());
    response.chunk = shown_events(&api, &page.events, &room_id, &viewer)?;
    response.state = client_events(&api, &page.state, &room_id, &viewer)?;
    Ok(ruma_response(response)?)
}

fn direction(query: &Query) -> Result<Direction, MatrixError> {
    match query.get("dir")? {
        Some("b") => Ok(Direction::Backward),
        Some("f") => Ok(Direction::Forward),
        Some(_) => Err(MatrixError::invalid_param("`dir` is `b` or `f`.")),
        None => Err(MatrixError::missing_param("dir")),
    }
}
