//! `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`.

use std::collections::VecDeque;

use axum::response::Response;
use myelin_core::membership::Membership;
use myelin_http::{MatrixError, Peer, Raw, streamed_json};
use myelin_rooms::Rooms;
use serde_json::value::RawValue;

use super::{refusal, room_and_event, send};
use crate::FederationApi;

/// Events that are written as one piece.
const CHUNK: usize = 250;

// A server that could do without the members, and says so by `omit_members`, is told of them all
// the same.
pub(crate) async fn create_join_event(
    api: FederationApi,
    peer: Peer<Raw>,
) -> Result<Response, MatrixError> {
    let (room_id, event_id) = room_and_event(&peer.body)?;
    let pdu: Box<RawValue> = peer.body.json()?;
    let names = (&*room_id, &*event_id);
    let sent = send(&api, &peer.origin, names, (&pdu, Membership::Join)).await?;
    let answer = api.rooms.join_answer(&sent.event).await;
    let answer = answer.map_err(refusal)?;
    let name = api.app.server.name.as_str();
    let head = format!(
        r#"{{"origin":"{name}","members_omitted":false,"event":{},"auth_chain":["#,
        sent.event.json
    );
    let mut pieces = VecDeque::from([Piece::Text(head)]);
    add_list(&mut pieces, &answer.auth_chain);
    pieces.push_back(Piece::Text(r#"],"state":["#.to_owned()));
    add_list(&mut pieces, &answer.state);
    pieces.push_back(Piece::Text("]}".to_owned()));
    streamed_json((api.rooms, pieces), |(rooms, mut pieces)| async move {
        let Some(piece) = pieces.pop_front() else {
            return Ok::<_, MatrixError>(None);
        };
        let text = write(&rooms, piece).await?;
        Ok(Some((text, (rooms, pieces))))
    })
    .await
}

/// A part of the answer.
enum Piece {
    Text(String),
    /// Events by their numbers; whether others come before them in the list.
    Events(Vec<i64>, bool),
}

fn add_list(pieces: &mut VecDeque<Piece>, numbers: &[i64]) {
    for (index, chunk) in numbers.chunks(CHUNK).enumerate() {
        pieces.push_back(Piece::Events(chunk.to_vec(), index > 0));
    }
}

async fn write(rooms: &Rooms, piece: Piece) -> Result<String, MatrixError> {
    match piece {
        Piece::Text(text) => Ok(text),
        Piece::Events(numbers, follows) => {
            let mut text = if follows { "," } else { "" }.to_owned();
            text.push_str(&rooms.pdus(&numbers).await?);
            Ok(text)
        }
    }
}
