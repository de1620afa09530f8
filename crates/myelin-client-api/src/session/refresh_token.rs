//! `POST /_matrix/client/v3/refresh`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh)

use axum::response::Response;
use myelin_http::{Public, Raw, ruma_response, seen_from};
use ruma::api::client::session::refresh_token::v3;
use serde::Deserialize;

use super::lifetime;
use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    refresh_token: String,
}

pub(crate) async fn refresh_token(api: ClientApi, req: Public<Raw>) -> Result<Response, Error> {
    let body: Body = req.body.json()?;
    let app = &api.app;
    let seen_from = seen_from(&req.body.parts);
    let tokens =
        myelin_accounts::refresh(&app.server, &app.store, &body.refresh_token, &seen_from).await?;
    let mut response = v3::Response::new(tokens.access_token);
    response.refresh_token = tokens.refresh_token;
    response.expires_in_ms = tokens.expires_in_ms.map(lifetime);
    Ok(ruma_response(response)?)
}
