//! `GET /_matrix/client/v1/admin/suspend/{userId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1adminsuspenduserid)

use myelin_accounts::Restriction;
use myelin_http::Client;
use ruma::api::client::admin::is_user_suspended::v1::{Request, Response};

use super::moderated;
use crate::{ClientApi, Error};

pub(crate) async fn is_user_suspended(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let (server, store) = (&api.app.server, &api.app.store);
    let target = moderated(&client, &client.body.user_id);
    let suspended = myelin_accounts::moderated(server, store, target, Restriction::Suspend).await?;
    Ok(Response::new(suspended))
}
