//! `DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device`

use axum::response::Response;
use myelin_http::{Client, Raw};

use super::named;
use crate::{ClientApi, Error};

pub(crate) async fn delete_dehydrated_device(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let store = &api.app.store;
    let device = myelin_accounts::delete_dehydrated_device(store, client.user_number).await?;
    Ok(named(&device))
}
