//! `POST /_matrix/client/v3/publicRooms`

use axum::response::Response;
use myelin_http::{Client, Raw};

use super::page;
use crate::{ClientApi, Error};

pub(crate) async fn get_public_rooms_filtered(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let query = client.body.query()?;
    page::answer(&api, query.get("server")?, client.body.json()?).await
}
