//! `GET /_matrix/client/v3/pushrules/`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::shown_push_rules;
use myelin_http::{Client, Raw, json_response};

use crate::{ClientApi, Error};

pub(crate) async fn get_pushrules_all(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let mut read = api.app.store.read();
    let rules = shown_push_rules(&mut read, (client.user_number, &client.user)).await?;
    Ok(json_response(StatusCode::OK, &rules))
}
