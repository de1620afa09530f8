//! `PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`

use std::collections::BTreeMap;

use axum::response::Response;
use myelin_accounts::{Dehydrate, UploadKeys};
use myelin_http::{Client, Raw};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::named;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    device_id: String,
    device_data: Map<String, Value>,
    initial_device_display_name: Option<String>,
    device_keys: Map<String, Value>,
    one_time_keys: Option<BTreeMap<String, Value>>,
    fallback_keys: Option<BTreeMap<String, Value>>,
}

pub(crate) async fn put_dehydrated_device(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let new = Dehydrate {
        device_id: body.device_id,
        display_name: body.initial_device_display_name,
        device_data: body.device_data,
        keys: UploadKeys {
            device_keys: Some(body.device_keys),
            one_time_keys: body.one_time_keys.unwrap_or_default(),
            fallback_keys: body.fallback_keys.unwrap_or_default(),
        },
    };
    let user = (&*client.user, client.user_number);
    let app = &api.app;
    myelin_accounts::put_dehydrated_device(&app.server, &app.store, user, &new).await?;
    Ok(named(&new.device_id))
}
