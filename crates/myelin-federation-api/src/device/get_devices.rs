//! `GET /_matrix/federation/v1/user/devices/{userId}`

use myelin_http::{MatrixError, Peer};
use ruma::{
    UInt,
    api::federation::device::get_devices::v1::{Request, Response},
};

use crate::{Error, FederationApi, keys::shares_room};

/// The devices that have keys, and the version of their list. No device has keys so far, so the
/// list has never changed.
pub(crate) async fn get_devices(
    api: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, Error> {
    let user = peer.body.user_id;
    if !shares_room(&api, &peer.origin, &user).await? {
        let message = format!("{} shares no room with {user}.", peer.origin);
        return Err(MatrixError::forbidden(message).into());
    }
    Ok(Response::new(user, UInt::MIN))
}
