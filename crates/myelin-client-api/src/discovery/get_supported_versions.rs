//! `GET /_matrix/client/versions`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions)

use myelin_http::Public;
use ruma::api::client::discovery::get_supported_versions::{Request, Response};

use crate::{ClientApi, Error};

/// Clients choose paths by this list, and what stands here promises whole versions. Each of these
/// is reached by the paths we serve (`/r0` and `/v3`); a newer one is added once nothing that came
/// with it is missing.
const VERSIONS: [&str; 6] = ["r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5"];

/// What clients may use although no version above has it.
const UNSTABLE_FEATURES: [&str; 9] = [
    // Deleting account data.
    "org.matrix.msc3391",
    // Dehydrated devices.
    "org.matrix.msc3814",
    // Filtering of histories by relations.
    "org.matrix.msc3874",
    // Delayed events.
    "org.matrix.msc4140",
    "org.matrix.msc4140.stable",
    // Filtering of invitations.
    "org.matrix.msc4155",
    // Rooms in which two users are.
    "uk.half-shot.msc2666.query_mutual_rooms.stable",
    // Custom fields of profiles.
    "uk.tcpip.msc4133",
    "uk.tcpip.msc4133.stable",
];

pub(crate) async fn get_supported_versions(
    _: ClientApi,
    _: Public<Request>,
) -> Result<Response, Error> {
    let mut response = Response::new(VERSIONS.map(str::to_owned).to_vec());
    let features = UNSTABLE_FEATURES.map(|feature| (feature.to_owned(), true));
    response.unstable_features = features.into();
    Ok(response)
}
