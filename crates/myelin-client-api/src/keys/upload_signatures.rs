//! `POST /_matrix/client/v3/keys/signatures/upload`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload)

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{SignatureFailure, SignedKeys};
use myelin_http::{Client, Raw, json_response};
use serde_json::{Value, json};

use crate::{ClientApi, Error};

pub(crate) async fn upload_signatures(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let signed: SignedKeys = client.body.json()?;
    let user = (&*client.user, client.user_number);
    let app = &api.app;
    let servers = (&*app.server, &app.federation);
    let failures = myelin_accounts::upload_signatures(servers, &app.store, user, &signed).await?;
    let failures = failures.into_iter().map(|(owner, keys)| {
        let keys = keys.into_iter().map(|(key, failure)| (key, error(failure)));
        (owner, keys.collect::<BTreeMap<String, Value>>())
    });
    let failures: BTreeMap<_, _> = failures.collect();
    Ok(json_response(
        StatusCode::OK,
        &json!({"failures": failures}),
    ))
}

fn error(failure: SignatureFailure) -> Value {
    let code = match failure {
        SignatureFailure::NotFound => "M_NOT_FOUND",
        SignatureFailure::Malformed => "M_BAD_JSON",
        SignatureFailure::Invalid => "M_INVALID_SIGNATURE",
    };
    json!({"errcode": code, "error": format!("{failure}.")})
}
