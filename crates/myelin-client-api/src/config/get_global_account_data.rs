//! `GET /_matrix/client/v3/user/{userId}/account_data/{type}`

use myelin_accounts::{AccountDataPlace, get_account_data, shown_push_rules};
use myelin_http::{Client, MatrixError};
use ruma::{
    api::client::config::get_global_account_data::v3::{Request, Response},
    serde::Raw,
};
use serde_json::value::to_raw_value;

use super::{not_found, stored_json};
use crate::{ClientApi, Error, require_self::require_self};

pub(crate) async fn get_global_account_data(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    require_self(&user, &body.user_id)?;
    let event_type = body.event_type.to_string();
    if event_type == "m.push_rules" {
        let mut read = api.app.store.read();
        let rules = shown_push_rules(&mut read, (client.user_number, &user)).await?;
        let rules = to_raw_value(&rules).map_err(MatrixError::internal)?;
        return Ok(Response::new(Raw::from_json(rules)));
    }
    let place = AccountDataPlace {
        user: client.user_number,
        room_id: None,
        event_type: &event_type,
    };
    let content = get_account_data(&api.app.store, place).await?;
    let content = content.ok_or_else(not_found)?;
    Ok(Response::new(Raw::from_json(stored_json(&content)?)))
}
