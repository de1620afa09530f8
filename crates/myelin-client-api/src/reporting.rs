//! What users find inappropriate.

mod report_content;
mod report_room;
mod report_user;

use myelin_http::Routes;
use ruma::api::client::room as api;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<api::report_content::v3::Request, _, _, _, _>(
            report_content::report_content,
        )
        .endpoint(report_room::report_room)
        .endpoint(report_user::report_user)
}
