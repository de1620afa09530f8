//! What users tell others about themselves.

mod delete_profile_field;
mod get_profile;
mod get_profile_field;
mod set_profile_field;

use myelin_http::{MatrixError, Routes};
use ruma::{UserId, api::client::profile as api};
use serde_json::{Map, Value};

use crate::{ClientApi, Error};

/// The endpoints of this area. ruma's types of them know neither what was sent nor which form the
/// answer has to have, so they give the paths alone.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<api::delete_profile_field::v3::Request, _, _, _, _>(
            delete_profile_field::delete_profile_field,
        )
        .raw_endpoint::<api::get_profile::v3::Request, _, _, _, _>(get_profile::get_profile)
        .raw_endpoint::<api::get_profile_field::v3::Request, _, _, _, _>(
            get_profile_field::get_profile_field,
        )
        .raw_endpoint::<api::set_profile_field::v3::Request, _, _, _, _>(
            set_profile_field::set_profile_field,
        )
}

/// A user's profile.
async fn profile(api: &ClientApi, user: &str) -> Result<Map<String, Value>, Error> {
    let found = find_profile(api, user).await?;
    Ok(found.ok_or_else(|| MatrixError::not_found("Profile not found."))?)
}

/// A user's profile if there is one; of a user of another server, that server is asked.
pub(crate) async fn find_profile(
    api: &ClientApi,
    user: &str,
) -> Result<Option<Map<String, Value>>, Error> {
    let user = <&UserId>::try_from(user)
        .map_err(|_| MatrixError::invalid_param("The path holds no user id."))?;
    if !api.app.server.is_local(user) {
        let asked = api.rooms.remote_profiles().find(user).await;
        return Ok(asked.map_err(MatrixError::from)?);
    }
    Ok(myelin_accounts::get_profile(&api.app.store, user).await?)
}
