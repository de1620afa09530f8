//! `GET /_matrix/client/v3/profile/{userId}/{keyName}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Public, Raw, json_response};
use serde_json::Map;

use super::profile;
use crate::{ClientApi, Error};

pub(crate) async fn get_profile_field(
    api: ClientApi,
    call: Public<Raw>,
) -> Result<Response, Error> {
    let parameter = |index: usize| call.body.path.get(index).map_or("", String::as_str);
    let key = parameter(1);
    let mut profile = profile(&api, parameter(0)).await?;
    let value = profile
        .remove(key)
        .ok_or_else(|| MatrixError::not_found(format!("The profile has no `{key}`.")))?;
    let answer = Map::from_iter([(key.to_owned(), value)]);
    Ok(json_response(StatusCode::OK, &answer))
}
