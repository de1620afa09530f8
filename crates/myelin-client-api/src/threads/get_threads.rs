//! `GET /_matrix/client/v1/rooms/{roomId}/threads`

use axum::response::Response as HttpResponse;
use myelin_http::{Client, MatrixError, Raw, ruma_response};
use myelin_store::threads::Participant;
use myelin_sync::Token;
use ruma::api::client::threads::get_threads::v1::Response;

use crate::{
    ClientApi, Error,
    events::{shown_events, viewer},
    parameters::{limit, room_id, token},
};

pub(crate) async fn get_threads(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<HttpResponse, Error> {
    let room_id = room_id(&client.body)?;
    let query = client.body.query()?;
    let participant = match query.get("include")? {
        None | Some("all") => Participant::Anyone,
        Some("participated") => Participant::User(client.user_number),
        Some(_) => {
            let message = "`include` is `all` or `participated`.";
            return Err(MatrixError::invalid_param(message).into());
        }
    };
    let from = match token(&query, "from")? {
        None => None,
        Some(Token::Room(place)) => Some(place),
        Some(Token::Stream(_)) => {
            let message = "`from` is no token of this endpoint.";
            return Err(MatrixError::invalid_param(message).into());
        }
    };
    let limit = limit(&query)?;
    if limit == 0 {
        return Err(MatrixError::invalid_param("`limit` is greater than zero.").into());
    }
    let mut read = api.app.store.read();
    let mut view = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let threads = api
        .syncs
        .threads(&mut read, &mut view, (participant, from), limit)
        .await?;
    let chunk = shown_events(&api, &threads.roots, &room_id, &viewer(&client))?;
    let mut response = Response::new(chunk);
    response.next_batch = threads.end.map(|end| end.to_string());
    Ok(ruma_response(response)?)
}
