//! `GET /_matrix/client/v3/profile/{userId}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Public, Raw, json_response};

use super::profile;
use crate::{ClientApi, Error};

pub(crate) async fn get_profile(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let user = call.body.path.first().map_or("", String::as_str);
    let profile = profile(&api, user).await?;
    Ok(json_response(StatusCode::OK, &profile))
}
