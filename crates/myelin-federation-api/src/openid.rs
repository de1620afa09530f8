//! Who it is that holds a token of `OpenID`.

mod get_openid_userinfo;

use myelin_http::Routes;
use ruma::api::federation::openid as requests;

use crate::FederationApi;

/// The endpoint of this area. ruma's request would be refused without a token, but not as the
/// specification says.
pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new().raw_endpoint::<requests::get_openid_userinfo::v1::Request, _, _, _, _>(
        get_openid_userinfo::get_openid_userinfo,
    )
}
