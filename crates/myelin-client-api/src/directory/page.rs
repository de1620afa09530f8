//! A page of a room directory: of this server's, or of another's.

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, json_response};
use myelin_rooms::PublicRoomsQuery;
use ruma::ServerName;

use crate::{ClientApi, Error};

/// Answers with the page that is asked for.
pub(super) async fn answer(
    api: &ClientApi,
    server: Option<&str>,
    query: PublicRoomsQuery,
) -> Result<Response, Error> {
    let page = match server.filter(|server| *server != api.app.server.name) {
        None => api.rooms.told_public_rooms(query).await?,
        Some(server) => {
            let server = <&ServerName>::try_from(server).map_err(|_| {
                MatrixError::invalid_param(format!("`server`: {server:?} is no server name."))
            })?;
            api.rooms.remote_public_rooms(server, &query).await?
        }
    };
    Ok(json_response(StatusCode::OK, &page))
}
