//! `POST /_matrix/client/v3/account/deactivate`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate)

use axum::response::Response;
use myelin_accounts::uia::Act;
use myelin_http::{Client, Raw, ruma_response};
use ruma::api::client::account::{ThirdPartyIdRemovalStatus, deactivate::v3};
use serde::Deserialize;

use crate::{ClientApi, Error, uia};

#[derive(Deserialize)]
struct Body {
    erase: Option<bool>,
}

pub(crate) async fn deactivate(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let approval = uia::approve_by_user(&api, &client, Act::Deactivate).await?;
    let erase = body.erase == Some(true);
    myelin_accounts::deactivate(&api.app.server, &api.app.store, &approval, erase).await?;
    // Nobody has an address, so all of them are unbound.
    Ok(ruma_response(v3::Response::new(
        ThirdPartyIdRemovalStatus::Success,
    ))?)
}
