//! `GET /_matrix/client/versions`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions)

use myelin_http::Public;
use ruma::api::client::discovery::get_supported_versions::{Request, Response};

use crate::{ClientApi, Error};

/// Clients choose paths by this list, and what stands here promises whole versions: the newest one
/// is that after which an endpoint is missing that every server has to have. v1.7 brought uploads in
/// two steps, and v1.11 media for those who are logged in. What newer versions brought besides is
/// there, and announced feature by feature; `docs/dev/versions.md` goes through it.
const VERSIONS: [&str; 7] = ["r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6"];

/// What clients may use although no version above has it, or ask for by this name alone.
const UNSTABLE_FEATURES: &[&str] = &[
    // Redaction by sending an event (v1.18).
    "com.beeper.msc4169",
    // Signing with one key for all devices: asked for by name, though every version has it.
    "org.matrix.e2e_cross_signing",
    // The aliases of a room: asked for by name, though every version has them.
    "org.matrix.msc2432",
    // Deleting account data.
    "org.matrix.msc3391",
    // Dehydrated devices.
    "org.matrix.msc3814",
    // Filtering of histories by relations.
    "org.matrix.msc3874",
    // Logging in another device (v1.7).
    "org.matrix.msc3882",
    // Redaction of what relates to an event.
    "org.matrix.msc3912",
    // Mentions that are meant (v1.7).
    "org.matrix.msc3952_intentional_mentions",
    // Following relations of relations (v1.10).
    "org.matrix.msc3981",
    // Delayed events.
    "org.matrix.msc4140",
    "org.matrix.msc4140.stable",
    // Reports of rooms (v1.13).
    "org.matrix.msc4151",
    // Filtering of invitations.
    "org.matrix.msc4155",
    // The state after the timeline in `/sync` (v1.16).
    "org.matrix.msc4222",
    "org.matrix.msc4222.stable",
    // Reports of users (v1.14).
    "org.matrix.msc4260",
    "org.matrix.msc4260.stable",
    // Subscriptions to threads.
    "org.matrix.msc4306",
    // Sticky events.
    "org.matrix.msc4354",
    // Refusing all invitations (v1.18).
    "org.matrix.msc4380",
    "org.matrix.msc4380.stable",
    // Rooms in which two users are (v1.19).
    "uk.half-shot.msc2666.query_mutual_rooms.stable",
    // Custom fields of profiles (v1.16).
    "uk.tcpip.msc4133",
    "uk.tcpip.msc4133.stable",
    // Locking and suspending accounts (v1.18).
    "uk.timedout.msc4323",
];

pub(crate) async fn get_supported_versions(
    _: ClientApi,
    _: Public<Request>,
) -> Result<Response, Error> {
    let mut response = Response::new(VERSIONS.map(str::to_owned).to_vec());
    let features = UNSTABLE_FEATURES.iter();
    let features = features.map(|feature| ((*feature).to_owned(), true));
    response.unstable_features = features.collect();
    Ok(response)
}
