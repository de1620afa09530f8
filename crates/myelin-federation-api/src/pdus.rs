//! PDUs as they were signed, for answers.

use std::collections::VecDeque;

use axum::response::Response;
use myelin_http::{MatrixError, streamed_json};
use myelin_rooms::{PeerView, Rooms};
use serde_json::value::RawValue;

/// PDUs that are loaded together.
const CHUNK: usize = 100;

/// PDUs for an answer that is in memory as a whole.
pub(crate) fn raw(pdus: Vec<String>) -> Result<Vec<Box<RawValue>>, MatrixError> {
    let raw = pdus.into_iter().map(RawValue::from_string);
    raw.collect::<Result<_, _>>().map_err(MatrixError::internal)
}

/// An object with lists of PDUs, named by their numbers and loaded as the other server takes them.
pub(crate) async fn streamed(
    rooms: Rooms,
    view: PeerView,
    lists: Vec<(&'static str, Vec<i64>)>,
) -> Result<Response, MatrixError> {
    let writer = Writer {
        rooms,
        view,
        pieces: pieces(lists),
        follows: false,
    };
    streamed_json(writer, |writer| Box::pin(writer.next())).await
}

enum Piece {
    Text(String),
    Pdus(Vec<i64>),
}

/// What is to be written, in its order: at least one piece of text stands between the lists.
fn pieces(lists: Vec<(&'static str, Vec<i64>)>) -> VecDeque<Piece> {
    let mut pieces = VecDeque::new();
    let mut before = '{';
    for (name, numbers) in lists {
        pieces.push_back(Piece::Text(format!("{before}\"{name}\":[")));
        for chunk in numbers.chunks(CHUNK) {
            pieces.push_back(Piece::Pdus(chunk.to_vec()));
        }
        pieces.push_back(Piece::Text("]".to_owned()));
        before = ',';
    }
    pieces.push_back(Piece::Text("}".to_owned()));
    pieces
}

struct Writer {
    rooms: Rooms,
    view: PeerView,
    pieces: VecDeque<Piece>,
    /// A PDU of the list stands before the next one.
    follows: bool,
}

impl Writer {
    async fn next(mut self) -> Result<Option<(String, Self)>, MatrixError> {
        let numbers = match self.pieces.pop_front() {
            None => return Ok(None),
            Some(Piece::Text(text)) => {
                self.follows = false;
                return Ok(Some((text, self)));
            }
            Some(Piece::Pdus(numbers)) => numbers,
        };
        let mut read = self.rooms.store().read();
        let pdus = self
            .rooms
            .served_pdus(&mut read, &self.view, &numbers)
            .await;
        let mut piece = String::new();
        for pdu in pdus.map_err(MatrixError::internal)? {
            if std::mem::replace(&mut self.follows, true) {
                piece.push(',');
            }
            piece.push_str(&pdu);
        }
        drop(read);
        Ok(Some((piece, self)))
    }
}
