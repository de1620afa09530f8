//! `POST /_matrix/client/v3/account/password`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword)

use axum::response::Response;
use myelin_accounts::{ChangePassword, uia::Act};
use myelin_http::{Client, Raw, ruma_response};
use ruma::api::client::account::change_password::v3;
use serde::Deserialize;

use crate::{ClientApi, Error, uia};

#[derive(Deserialize)]
struct Body {
    new_password: String,
    logout_devices: Option<bool>,
}

pub(crate) async fn change_password(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: Body = client.body.json()?;
    let approval = uia::approve_by_user(&api, &client, Act::ChangePassword).await?;
    let change = ChangePassword {
        user_number: client.user_number,
        device: client.device,
        new_password: body.new_password,
        logout_devices: body.logout_devices != Some(false),
    };
    let app = &api.app;
    myelin_accounts::change_password(&app.server, &app.store, &app.accounts, &approval, &change)
        .await?;
    Ok(ruma_response(v3::Response::new())?)
}
