//! Reading another server's answer into a snapshot while it comes in.

use myelin_core::snapshot::{AnswerError, AnswerReader, Part};
use myelin_net::{FederationError, Pieces};
use serde_json::value::RawValue;

use super::{Snapshot, SnapshotError};

/// Why an answer could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// It did not come to its end.
    #[error(transparent)]
    Federation(FederationError),
    /// It is no such answer.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// It leaves members out.
    #[error("it leaves members out, which it was not asked to")]
    MembersOmitted,
    /// It is too large.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Snapshot {
    /// Takes note of all that an answer tells of a room's state. Given back is the event that the
    /// answer is about, as the other server has signed it, if it says so.
    pub(crate) async fn read(&mut self, mut pieces: Pieces) -> Result<Option<Vec<u8>>, ReadError> {
        let mut reader = AnswerReader::default();
        let (mut parts, mut signed) = (Vec::new(), None);
        while let Some(piece) = pieces.next().await.map_err(ReadError::Federation)? {
            reader.feed(&piece, &mut parts)?;
            for part in parts.drain(..) {
                self.take_part(part, &mut signed).await?;
            }
        }
        reader.finish()?;
        Ok(signed)
    }

    async fn take_part(
        &mut self,
        part: Part,
        signed: &mut Option<Vec<u8>>,
    ) -> Result<(), ReadError> {
        match part {
            Part::Pdu(place, json) => {
                let told = String::from_utf8(json).ok();
                let told = told.and_then(|json| RawValue::from_string(json).ok());
                // What is no JSON is no event, and is left out alone.
                if let Some(pdu) = told {
                    self.tell(place, pdu).await?;
                }
            }
            Part::Event(json) => *signed = Some(json),
            Part::MembersOmitted => return Err(ReadError::MembersOmitted),
        }
        Ok(())
    }
}
