//! `GET /_matrix/client/v3/login`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login)

use myelin_http::Public;
use ruma::api::client::session::get_login_types::v3::{
    LoginType, PasswordLoginType, Request, Response,
};

use crate::{ClientApi, Error};

pub(crate) async fn get_login_types(_: ClientApi, _: Public<Request>) -> Result<Response, Error> {
    let password = LoginType::Password(PasswordLoginType::default());
    Ok(Response::new(vec![password]))
}
