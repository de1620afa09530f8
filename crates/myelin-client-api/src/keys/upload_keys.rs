//! `POST /_matrix/client/v3/keys/upload`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload)

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{KeyOwner, UploadKeys};
use myelin_http::{Client, Raw, json_response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{ClientApi, Error};

/// Not ruma's type, which loses what it does not know.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are named as in the body")]
struct Body {
    device_keys: Option<Map<String, Value>>,
    one_time_keys: Option<BTreeMap<String, Value>>,
    fallback_keys: Option<BTreeMap<String, Value>>,
}

pub(crate) async fn upload_keys(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let owner = KeyOwner {
        user: &client.user,
        user_number: client.user_number,
        device: client.device.as_str(),
    };
    let upload = UploadKeys {
        device_keys: body.device_keys,
        one_time_keys: body.one_time_keys.unwrap_or_default(),
        fallback_keys: body.fallback_keys.unwrap_or_default(),
    };
    let totals = myelin_accounts::upload_keys(&api.app.store, owner, &upload).await?;
    let body = json!({"one_time_key_counts": totals.one_time});
    Ok(json_response(StatusCode::OK, &body))
}
