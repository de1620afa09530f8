//! `PUT /_matrix/client/v3/room_keys/keys`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeys)

use std::collections::BTreeMap;

use axum::response::Response;
use myelin_accounts::KeyUpload;
use myelin_http::{Client, Raw};
use serde::Deserialize;

use super::add;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    rooms: BTreeMap<String, Room>,
}

#[derive(Deserialize)]
struct Room {
    sessions: BTreeMap<String, KeyUpload>,
}

pub(crate) async fn add_backup_keys(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let uploads = body.rooms.into_iter();
    let uploads = uploads.map(|(room, Room { sessions })| (room, sessions));
    add(&api, &client, &uploads.collect()).await
}
