//! `GET /_matrix/client/v3/room_keys/keys`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeys)

use std::fmt::Write;

use axum::response::Response;
use myelin_accounts::{backup_page, get_backup};
use myelin_http::{Client, MatrixError, Raw, streamed_json};
use myelin_store::{Store, key_backups::KeyBackup};
use serde_json::Value;

use super::version;
use crate::{ClientApi, Error};

/// An answer that is being written: there can be hundreds of thousands of keys.
struct Writing {
    store: Store,
    backup: KeyBackup,
    /// What the next page begins after; None: everything is written.
    after: Option<(i64, String)>,
    /// The room whose sessions are being written.
    room: Option<String>,
}

pub(crate) async fn get_backup_keys(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let version = version(&client.body)?;
    let store = api.app.store;
    let backup = get_backup(&store, client.user_number, Some(&version)).await?;
    let writing = Writing {
        store,
        backup,
        after: Some((i64::MIN, String::new())),
        room: None,
    };
    streamed_json(writing, |mut writing| async move {
        let piece = writing.piece().await?;
        Ok::<_, Error>(piece.map(|piece| (piece, writing)))
    })
    .await
}

impl Writing {
    async fn piece(&mut self) -> Result<Option<String>, Error> {
        let Some((room, session_id)) = self.after.take() else {
            return Ok(None);
        };
        let mut text = String::new();
        if room == i64::MIN {
            text.push_str("{\"rooms\":{");
        }
        let page = backup_page(&self.store, &self.backup, (room, &session_id)).await?;
        for (room_id, session_id, key) in page.keys {
            self.go_to_room(&mut text, room_id);
            let key = serde_json::to_string(&key).map_err(MatrixError::internal)?;
            // Writing to a string cannot fail.
            let _ = write!(text, "{}:{key}", Value::from(session_id));
        }
        self.after = page.next;
        if self.after.is_none() {
            text.push_str(if self.room.is_some() { "}}}}" } else { "}}" });
        }
        Ok(Some(text))
    }

    /// Begins the next session: of the room that is being written, or of another one.
    fn go_to_room(&mut self, text: &mut String, room_id: String) {
        if self.room.as_ref() == Some(&room_id) {
            text.push(',');
            return;
        }
        let end = if self.room.is_some() { "}}," } else { "" };
        let name = Value::from(room_id.as_str());
        // Writing to a string cannot fail.
        let _ = write!(text, "{end}{name}:{{\"sessions\":{{");
        self.room = Some(room_id);
    }
}
