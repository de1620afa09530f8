//! `PUT /_matrix/client/v1/admin/suspend/{userId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminsuspenduserid)

use myelin_accounts::{Restriction, restrict};
use myelin_http::Client;
use ruma::api::client::admin::suspend_user::v1::{Request, Response};

use super::moderated;
use crate::{ClientApi, Error};

pub(crate) async fn suspend_user(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let (server, store) = (&api.app.server, &api.app.store);
    let suspended = client.body.suspended;
    let target = moderated(&client, &client.body.user_id);
    restrict(server, store, target, Restriction::Suspend, suspended).await?;
    Ok(Response::new(suspended))
}
