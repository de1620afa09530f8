//! `GET /_matrix/federation/v1/query/profile`

use myelin_accounts::get_profile;
use myelin_http::{MatrixError, Peer};
use ruma::api::federation::query::get_profile_information::v1::{Request, Response};

use crate::{Error, FederationApi};

pub(crate) async fn get_profile_information(
    api: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, Error> {
    let Request { user_id, field, .. } = peer.body;
    // Nobody of another server has a profile here, whatever we know of theirs.
    let profile = get_profile(&api.app.store, &user_id).await?;
    let mut profile = profile
        .filter(|_| api.app.server.is_local(&user_id))
        .ok_or_else(|| MatrixError::not_found("Profile not found."))?;
    if let Some(field) = field {
        profile.retain(|key, _| key == field.as_str());
    }
    Ok(profile.into_iter().collect())
}
