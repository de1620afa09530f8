//! `PUT /_matrix/client/v3/room_keys/keys/{roomId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomid)

use std::collections::BTreeMap;

use axum::response::Response;
use myelin_accounts::KeyUpload;
use myelin_http::{Client, Raw};
use serde::Deserialize;

use super::add;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    sessions: BTreeMap<String, KeyUpload>,
}

pub(crate) async fn add_backup_keys_for_room(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let room = client.body.path[0].clone();
    add(&api, &client, &BTreeMap::from([(room, body.sessions)])).await
}
