//! `GET /_matrix/client/v3/room_keys/version/{version}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversionversion)

use axum::response::Response;
use myelin_accounts::get_backup;
use myelin_http::{Client, Raw};

use super::info;
use crate::{ClientApi, Error};

pub(crate) async fn get_backup_info(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let version = Some(client.body.path[0].as_str());
    info(&get_backup(&api.app.store, client.user_number, version).await?)
}
