//! Accounts: registration, password, addresses, the end, and who one is.

mod add_3pid;
mod addresses;
mod bind_3pid;
mod change_password;
mod check_registration_token_validity;
mod deactivate;
mod delete_3pid;
mod get_3pids;
mod get_username_availability;
mod register;
mod request_openid_token;
mod unbind_3pid;
mod whoami;

use myelin_http::Routes;
use ruma::api::client::account;

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<account::register::v3::Request, _, _, _, _>(register::register)
        .endpoint(get_username_availability::get_username_availability)
        .endpoint(check_registration_token_validity::check_registration_token_validity)
        .raw_endpoint::<account::change_password::v3::Request, _, _, _, _>(
            change_password::change_password,
        )
        .raw_endpoint::<account::deactivate::v3::Request, _, _, _, _>(deactivate::deactivate)
        .raw_endpoint::<account::request_openid_token::v3::Request, _, _, _, _>(
            request_openid_token::request_openid_token,
        )
        .endpoint(whoami::whoami)
        .merge(address_routes())
}

/// ruma has the deprecated endpoint no more, so its paths stand here.
fn address_routes() -> Routes<ClientApi> {
    use account::{
        add_3pid as add, bind_3pid as bind, delete_3pid as delete, get_3pids as get,
        request_3pid_management_token_via_email as email,
        request_3pid_management_token_via_msisdn as phone,
        request_password_change_token_via_email as password_email,
        request_password_change_token_via_msisdn as password_phone,
        request_registration_token_via_email as register_email,
        request_registration_token_via_msisdn as register_phone, unbind_3pid as unbind,
    };
    let old = |version| format!("/_matrix/client/{version}/account/3pid");
    let post = http::Method::POST;
    Routes::new()
        .raw_endpoint::<get::v3::Request, _, _, _, _>(get_3pids::get_3pids)
        .raw_endpoint::<add::v3::Request, _, _, _, _>(add_3pid::add_3pid)
        .raw_endpoint::<bind::v3::Request, _, _, _, _>(bind_3pid::bind_3pid)
        .raw_endpoint::<delete::v3::Request, _, _, _, _>(delete_3pid::delete_3pid)
        .raw_endpoint::<unbind::v3::Request, _, _, _, _>(unbind_3pid::unbind_3pid)
        .raw_endpoint::<email::v3::Request, _, _, _, _>(addresses::deny_email)
        .raw_endpoint::<phone::v3::Request, _, _, _, _>(addresses::deny_phone)
        .raw_endpoint::<password_email::v3::Request, _, _, _, _>(addresses::deny_email)
        .raw_endpoint::<password_phone::v3::Request, _, _, _, _>(addresses::deny_phone)
        .raw_endpoint::<register_email::v3::Request, _, _, _, _>(addresses::deny_email)
        .raw_endpoint::<register_phone::v3::Request, _, _, _, _>(addresses::deny_phone)
        .route(&post, &old("r0"), add_3pid::add_3pid_of_old)
        .route(&post, &old("v3"), add_3pid::add_3pid_of_old)
}
