//! `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Public, Raw, authenticate, json_response};
use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedServerName, api::error::ErrorCode};

use crate::{ClientApi, Error};

/// Servers that a client may name; more would not be asked.
const VIA_MAX: usize = 10;

/// With or without a session: who has none is told of rooms that are open to anybody.
pub(crate) async fn get_summary(api: ClientApi, request: Public<Raw>) -> Result<Response, Error> {
    let raw = request.body;
    let session = match authenticate(&api.app, &raw.parts).await {
        Ok(session) => Some(session),
        Err(error) if error.kind == Some(ErrorCode::MissingToken) => None,
        Err(error) => return Err(error.into()),
    };
    let name = raw.path.first().cloned().unwrap_or_default();
    let name = OwnedRoomOrAliasId::try_from(name.as_str()).map_err(|_| {
        MatrixError::invalid_param(format!("{name:?} is neither a room id nor an alias."))
    })?;
    let query = raw.query()?;
    let named = query.all("via").filter_map(|name| name.try_into().ok());
    let mut via: Vec<OwnedServerName> = named.take(VIA_MAX).collect();
    let room_id = match OwnedRoomId::try_from(name) {
        Ok(room_id) => room_id,
        Err(alias) => {
            let target = api.rooms.resolve_alias(&alias).await?;
            via.extend(target.servers);
            target.room_id
        }
    };
    let user = session.map(|session| session.user_number);
    let found = api.rooms.summary_via(&room_id, &via, user).await?;
    let (summary, membership) = found.ok_or_else(|| MatrixError::not_found("Room not found."))?;
    let mut answer = summary.to_object();
    if user.is_some() {
        answer.insert("membership".to_owned(), membership.as_str().into());
    }
    Ok(json_response(StatusCode::OK, &answer))
}
