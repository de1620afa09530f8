//! `GET /_matrix/client/v3/pushrules/global/`

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::get_push_rules;
use myelin_http::{Client, Raw, json_response};

use crate::{ClientApi, Error};

pub(crate) async fn get_pushrules_global_scope(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let mut read = api.app.store.read();
    let rules = get_push_rules(&mut read, client.user_number).await?;
    let shown = rules.shown(client.user.as_str());
    Ok(json_response(StatusCode::OK, &shown))
}
