//! `GET /_matrix/client/v3/publicRooms`

use axum::response::Response;
use myelin_http::{Public, Raw, authenticate};
use myelin_rooms::PublicRoomsQuery;

use super::page;
use crate::{ClientApi, Error};

pub(crate) async fn get_public_rooms(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    if !api.settings.public_rooms_without_login {
        authenticate(&api.app, &call.body.parts).await?;
    }
    let query = call.body.query()?;
    let wanted = PublicRoomsQuery {
        limit: query.number("limit")?,
        since: query.get("since")?.map(str::to_owned),
        ..PublicRoomsQuery::default()
    };
    page::answer(&api, query.get("server")?, wanted).await
}
