//! `PUT /_matrix/client/v1/admin/lock/{userId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminlockuserid)

use myelin_accounts::{Restriction, restrict};
use myelin_http::Client;
use ruma::api::client::admin::lock_user::v1::{Request, Response};

use super::moderated;
use crate::{ClientApi, Error};

pub(crate) async fn lock_user(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let (server, store) = (&api.app.server, &api.app.store);
    let locked = client.body.locked;
    let target = moderated(&client, &client.body.user_id);
    restrict(server, store, target, Restriction::Lock, locked).await?;
    Ok(Response::new(locked))
}
