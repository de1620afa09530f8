//! `DELETE /_matrix/client/v3/room_keys/version/{version}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keysversionversion)

use axum::response::Response;
use myelin_accounts::delete_backup;
use myelin_http::{Client, Raw, ruma_response};
use ruma::api::client::backup::delete_backup_version::v3;

use crate::{ClientApi, Error};

pub(crate) async fn delete_backup_version(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    delete_backup(&api.app.store, client.user_number, &client.body.path[0]).await?;
    Ok(ruma_response(v3::Response::new())?)
}
