//! `POST /_matrix/client/v3/keys/device_signing/upload`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload)

use axum::response::Response;
use myelin_accounts::{CrossSigningError, CrossSigningUpload, uia::Act, upload_cross_signing_keys};
use myelin_core::encryption_keys::Usage;
use myelin_http::{Client, Raw, ruma_response};
use ruma::api::client::keys::upload_signing_keys::v3;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{ClientApi, Error, uia};

/// Not ruma's type, which loses what it does not know.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are named as in the body")]
struct Body {
    master_key: Option<Map<String, Value>>,
    self_signing_key: Option<Map<String, Value>>,
    user_signing_key: Option<Map<String, Value>>,
}

pub(crate) async fn upload_signing_keys(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let keys = [
        (Usage::Master, body.master_key),
        (Usage::SelfSigning, body.self_signing_key),
        (Usage::UserSigning, body.user_signing_key),
    ];
    let keys = keys
        .into_iter()
        .filter_map(|(usage, key)| Some((usage, key?)));
    let upload = CrossSigningUpload {
        keys: keys.collect(),
    };
    let (server, store) = (&api.app.server, &api.app.store);
    let user = (&*client.user, client.user_number);
    match upload_cross_signing_keys(server, store, user, &upload, None).await {
        Err(CrossSigningError::NeedsApproval) => {
            let approval = uia::approve_by_user(&api, &client, Act::UploadSigningKeys).await?;
            upload_cross_signing_keys(server, store, user, &upload, Some(&approval)).await?;
        }
        uploaded => uploaded?,
    }
    Ok(ruma_response(v3::Response::new())?)
}
