//! `GET /_matrix/client/v3/room_keys/version`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversion)

use axum::response::Response;
use myelin_accounts::get_backup;
use myelin_http::{Client, Raw};

use super::info;
use crate::{ClientApi, Error};

pub(crate) async fn get_latest_backup_info(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    info(&get_backup(&api.app.store, client.user_number, None).await?)
}
