//! Account data: for a user, and for a user and a room.

mod delete_account_data;
mod get_global_account_data;
mod get_room_account_data;
mod set_global_account_data;
mod set_room_account_data;

use http::Method;
use myelin_http::{MatrixError, Routes};
use myelin_store::StoreError;
use serde_json::value::RawValue;

use self::delete_account_data::{delete_global_account_data, delete_room_account_data};
use crate::ClientApi;

/// Where what MSC3391 adds is found while it is not specified.
const UNSTABLE: &str = "/_matrix/client/unstable/org.matrix.msc3391";
const STABLE: &str = "/_matrix/client/v3";

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    [UNSTABLE, STABLE]
        .into_iter()
        .fold(Routes::new(), |routes, base| {
            let global = format!("{base}/user/{{user_id}}/account_data/{{event_type}}");
            let room =
                format!("{base}/user/{{user_id}}/rooms/{{room_id}}/account_data/{{event_type}}");
            routes
                .route(&Method::DELETE, &global, delete_global_account_data)
                .route(&Method::DELETE, &room, delete_room_account_data)
        })
        .endpoint(get_global_account_data::get_global_account_data)
        .endpoint(get_room_account_data::get_room_account_data)
        .endpoint(set_global_account_data::set_global_account_data)
        .endpoint(set_room_account_data::set_room_account_data)
}

/// Stored JSON as it is sent.
fn stored_json(content: &[u8]) -> Result<Box<RawValue>, StoreError> {
    serde_json::from_slice(content).map_err(|error| StoreError::Corrupt {
        table: "account_data",
        column: 3,
        wanted: "JSON",
        found: error.to_string(),
    })
}

fn not_found() -> MatrixError {
    MatrixError::not_found("Account data not found.")
}
