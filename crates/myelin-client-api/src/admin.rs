//! What administrators may do, as far as the specification has it, and registration by tools that
//! know the shared secret.

mod get_user_info;
mod is_user_locked;
mod is_user_suspended;
mod lock_user;
mod register;
mod send_server_notice;
mod suspend_user;

use http::Method;
use myelin_accounts::Moderated;
use myelin_http::{Client, Routes};
use ruma::{UserId, api::client::admin};

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<admin::get_user_info::v3::Request, _, _, _, _>(get_user_info::get_user_info)
        .endpoint(is_user_locked::is_user_locked)
        .endpoint(lock_user::lock_user)
        .endpoint(is_user_suspended::is_user_suspended)
        .endpoint(suspend_user::suspend_user)
}

/// Endpoints that other servers' tools know, and no specification.
pub(crate) fn tool_routes() -> Routes<ClientApi> {
    const REGISTER: &str = "/_synapse/admin/v1/register";
    const NOTICE: &str = "/_synapse/admin/v1/send_server_notice";
    Routes::new()
        .route(&Method::GET, REGISTER, register::get_nonce)
        .route(&Method::POST, REGISTER, register::register)
        .route(
            &Method::POST,
            NOTICE,
            send_server_notice::send_server_notice,
        )
        .route(
            &Method::PUT,
            &format!("{NOTICE}/{{txn_id}}"),
            send_server_notice::send_server_notice,
        )
}

fn moderated<'a, R>(client: &Client<R>, target: &'a UserId) -> Moderated<'a> {
    Moderated {
        moderator: client.user_number,
        is_admin: client.admin,
        target,
    }
}
