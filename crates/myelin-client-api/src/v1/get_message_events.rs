//! `GET /_matrix/client/api/v1/rooms/{roomId}/messages`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Query, Raw};
use myelin_sync::{Direction, RoomToken, StreamToken, Token, TokenError};
use serde_json::json;

use super::{modern, reply, request, walk::Walk};
use crate::{ClientApi, Error};

/// Most events, unless the client says otherwise: then it said nothing, and got everything.
const LIMIT: u64 = 100;
/// Most events in any case.
const LIMIT_MAX: u64 = 1_000;

pub(super) async fn get_message_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let viewer = request::viewer(&client);
    let query = client.body.query()?;
    let direction = direction(&query)?;
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let limit = limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let (from, to) = (token(&query, "from")?, token(&query, "to")?);
    let mut read = api.app.store.read();
    let mut access = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let start = match query.get("from")? {
        Some(token) if from.is_some() => token.to_owned(),
        _ => StreamToken::at(api.syncs.position().await?).to_string(),
    };
    let from = from.unwrap_or_else(|| {
        let before = access.newest.saturating_add(1);
        Token::Room(RoomToken { depth: 0, before })
    });
    let at = (access.room, &access.root);
    let view = modern::view_at(&api, &mut read, (&room_id, &viewer), at).await?;
    let walk = Walk {
        api: &api,
        room_id: &room_id,
        viewer: &viewer,
        view: &view,
        to,
        direction,
        limit: usize::try_from(limit).unwrap_or_default(),
    };
    let (chunk, end) = walk.page(&mut read, &mut access, Some(from)).await?;
    Ok(reply(
        &json!({ "chunk": chunk, "end": end.to_string(), "start": start }),
    ))
}

fn direction(query: &Query) -> Result<Direction, MatrixError> {
    match query.get("dir")? {
        None | Some("f") => Ok(Direction::Forward),
        Some("b") => Ok(Direction::Backward),
        Some(_) => Err(MatrixError::invalid_param("`dir` is `f` or `b`.")),
    }
}

/// None: now.
fn token(query: &Query, key: &str) -> Result<Option<Token>, MatrixError> {
    match query.get(key)? {
        None | Some("" | "END") => Ok(None),
        Some(token) => {
            let token = token.parse();
            let token = token
                .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")))?;
            Ok(Some(token))
        }
    }
}
