//! `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeysroomidsessionid)

use axum::response::Response;
use myelin_accounts::BackupPlace;
use myelin_http::{Client, Raw};

use super::{changed, version};
use crate::{ClientApi, Error};

pub(crate) async fn delete_backup_keys_for_session(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let version = version(&client.body)?;
    let place = BackupPlace::Session(&client.body.path[0], &client.body.path[1]);
    let (store, user) = (&api.app.store, client.user_number);
    let backup = myelin_accounts::delete_backup_keys(store, user, &version, place).await?;
    Ok(changed(&backup))
}
