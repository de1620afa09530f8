//! What a server is told that may not see what it asks for.

use myelin_http::MatrixError;
use myelin_rooms::PeerError;

pub(crate) fn refusal(error: PeerError) -> MatrixError {
    match error {
        PeerError::UnknownRoom(_) | PeerError::UnknownEvent(_) => {
            MatrixError::not_found(format!("{error}."))
        }
        PeerError::KeptOut(_) | PeerError::NotInRoom(_) => {
            MatrixError::forbidden(format!("{error}."))
        }
        PeerError::Store(error) => MatrixError::internal(error),
    }
}
