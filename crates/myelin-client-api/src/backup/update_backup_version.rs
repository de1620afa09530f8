//! `PUT /_matrix/client/v3/room_keys/version/{version}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keysversionversion)

use axum::response::Response;
use myelin_accounts::update_backup;
use myelin_http::{Client, Raw, ruma_response};
use ruma::api::client::backup::update_backup_version::v3;

use super::MethodBody;
use crate::{ClientApi, Error};

pub(crate) async fn update_backup_version(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: MethodBody = client.body.json()?;
    let named = body.version.clone();
    let version = (client.body.path[0].as_str(), named.as_deref());
    update_backup(&api.app.store, client.user_number, version, &body.method()).await?;
    Ok(ruma_response(v3::Response::new())?)
}
