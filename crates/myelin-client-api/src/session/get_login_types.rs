//! `GET /_matrix/client/v3/login`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login)

use myelin_http::Public;
use ruma::api::client::session::get_login_types::v3::{
    LoginType, PasswordLoginType, Request, Response, TokenLoginType,
};

use crate::{ClientApi, Error};

pub(crate) async fn get_login_types(_: ClientApi, _: Public<Request>) -> Result<Response, Error> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    Ok(Response::new(vec![
        LoginType::Password(PasswordLoginType::new()),
        LoginType::Token(token),
    ]))
}
