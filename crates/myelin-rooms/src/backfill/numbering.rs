//! The numbers of a stretch's events.

use myelin_store::{Sequence, StoreError, StoreResult};

use super::stretch::Piece;
use crate::{Rooms, numbers::EventNumbers};

/// The number of each piece, and those of what it names.
pub(super) async fn number(
    rooms: &Rooms,
    pieces: &[Piece],
) -> StoreResult<Vec<(i64, EventNumbers)>> {
    let is_new = |piece: &&Piece| piece.stored.is_none();
    let new = pieces.iter().filter(is_new).count();
    let new = rooms.store.next_numbers(Sequence::Event, new).await?;
    let mut new = new.into_iter();
    // At once, so that what is new takes one commit.
    let names = pieces.iter().flat_map(|piece| {
        let event = &piece.event;
        let state_key = event.state_key.iter().map(String::as_bytes);
        state_key.chain([event.type_str().as_bytes(), event.sender.as_bytes()])
    });
    rooms.store.intern(&names.collect::<Vec<_>>()).await?;
    let mut numbers = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let number = match &piece.stored {
            Some(stored) => Some(stored.event),
            None => new.next(),
        };
        let number = number.ok_or(StoreError::Missing { table: "sequences" })?;
        let event = &piece.event;
        let state_key = event.state_key.as_deref();
        let names =
            EventNumbers::intern(&rooms.store, event.type_str(), &event.sender, state_key).await?;
        numbers.push((number, names));
    }
    Ok(numbers)
}
