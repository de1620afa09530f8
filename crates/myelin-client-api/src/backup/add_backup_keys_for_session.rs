//! `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomidsessionid)

use std::collections::BTreeMap;

use axum::response::Response;
use myelin_accounts::KeyUpload;
use myelin_http::{Client, Raw};

use super::add;
use crate::{ClientApi, Error};

pub(crate) async fn add_backup_keys_for_session(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let key: KeyUpload = client.body.json()?;
    let (room, session) = (client.body.path[0].clone(), client.body.path[1].clone());
    let sessions = BTreeMap::from([(session, key)]);
    add(&api, &client, &BTreeMap::from([(room, sessions)])).await
}
