//! The public directory of rooms.

mod get_public_rooms;
mod get_public_rooms_filtered;

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Routes, json_response};
use myelin_rooms::PublicRoomsQuery;
use ruma::api::federation::directory as requests;

use crate::{Error, FederationApi};

/// The endpoints of this area. ruma refuses a whole query for what we can do without.
pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .raw_endpoint::<requests::get_public_rooms::v1::Request, _, _, _, _>(
            get_public_rooms::get_public_rooms,
        )
        .raw_endpoint::<requests::get_public_rooms_filtered::v1::Request, _, _, _, _>(
            get_public_rooms_filtered::get_public_rooms_filtered,
        )
}

/// Answers with the page that is asked for, if the operator shows the directory.
async fn page(api: &FederationApi, query: PublicRoomsQuery) -> Result<Response, Error> {
    if !api.settings.public_rooms {
        let message = "This server does not show its public rooms to other servers.";
        return Err(MatrixError::forbidden(message).into());
    }
    let page = api.rooms.told_public_rooms(query).await?;
    Ok(json_response(StatusCode::OK, &page))
}
