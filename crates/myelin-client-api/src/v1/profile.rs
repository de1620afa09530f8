//! `GET /_matrix/client/api/v1/profile/{userId}`, and
//! `GET` and `PUT /_matrix/client/api/v1/profile/{userId}/displayname` and `.../avatar_url`

use axum::response::Response;
use http::Method;
use myelin_accounts::set_profile_field;
use myelin_http::{Client, MatrixError, Public, Raw, Routes};
use myelin_store::{StoreError, users};
use serde_json::{Map, Value, json};

use super::{path, reply, request};
use crate::{ClientApi, Error, profile::find_profile, require_self::require_self_in_path};

/// What a profile had in 2014.
const KEYS: [&str; 2] = ["avatar_url", "displayname"];

pub(super) fn routes() -> Routes<ClientApi> {
    let whole = Routes::new().route(&Method::GET, &path("/profile/{user}"), get_profile);
    KEYS.into_iter().fold(whole, |routes, key| {
        let path = path(&format!("/profile/{{user}}/{key}"));
        let get = move |api, call| get_field(api, call, key);
        let put = move |api, client| put_field(api, client, key);
        routes
            .route(&Method::GET, &path, get)
            .route(&Method::PUT, &path, put)
    })
}

async fn get_profile(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    shown(&api, &call, &KEYS).await
}

async fn get_field(
    api: ClientApi,
    call: Public<Raw>,
    key: &'static str,
) -> Result<Response, Error> {
    shown(&api, &call, &[key]).await
}

/// What is not set was null then, and is absent today; of somebody who has set nothing, today there
/// is no profile at all.
async fn shown(api: &ClientApi, call: &Public<Raw>, keys: &[&str]) -> Result<Response, Error> {
    let user = request::parameter(&call.body, 0);
    let mut profile = match find_profile(api, user).await? {
        Some(profile) => profile,
        None if is_known(api, user).await? => Map::new(),
        None => return Err(MatrixError::not_found("Profile not found.").into()),
    };
    let fields = keys
        .iter()
        .map(|key| ((*key).to_owned(), profile.remove(*key).unwrap_or_default()));
    Ok(reply(&Value::Object(fields.collect::<Map<_, _>>())))
}

async fn is_known(api: &ClientApi, user: &str) -> Result<bool, StoreError> {
    let store = &api.app.store;
    let Some(number) = store.find_interned(user.as_bytes()).await? else {
        return Ok(false);
    };
    Ok(users::find(&mut store.read(), number).await?.is_some())
}

async fn put_field(
    api: ClientApi,
    client: Client<Raw>,
    key: &'static str,
) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let value = request::text(&mut request::body(&client.body)?, key)?;
    let (server, store) = (&api.app.server, &api.app.store);
    let field = (key, value.map(Value::String));
    set_profile_field(server, store, client.user_number, field).await?;
    Ok(reply(&json!({})))
}
