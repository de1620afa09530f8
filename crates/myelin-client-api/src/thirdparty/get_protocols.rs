//! `GET /_matrix/client/v3/thirdparty/protocols`

use std::collections::BTreeMap;

use myelin_http::Client;
use ruma::api::client::thirdparty::get_protocols::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn get_protocols(_: ClientApi, _: Client<Request>) -> Result<Response, Error> {
    Ok(Response::new(BTreeMap::new()))
}
