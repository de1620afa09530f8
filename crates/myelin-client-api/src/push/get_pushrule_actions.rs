//! `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`

use myelin_http::Client;
use ruma::api::client::push::get_pushrule_actions::v3::{Request, Response};

use super::push_rule;
use crate::{ClientApi, Error};

pub(crate) async fn get_pushrule_actions(
    _: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let rule = push_rule(&user, body.kind, &body.rule_id)?;
    Ok(Response::new(rule.as_ref().actions().to_vec()))
}
