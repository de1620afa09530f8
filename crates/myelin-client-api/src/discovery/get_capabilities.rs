//! `GET /_matrix/client/v3/capabilities`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, json_response};
use myelin_rooms::{DELAY_MS_MAX, SCHEDULED_MAX};
use myelin_store::users;
use ruma::{RoomVersionId, api::client::discovery::get_capabilities::v3::Request};
use serde_json::{Map, Value, json};

use crate::{
    ClientApi, Error,
    delayed_events::{CAPABILITY, UNSTABLE_CAPABILITY},
};

pub(crate) async fn get_capabilities(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let versions = (1..=12).map(|number| (number.to_string(), json!("stable")));
    let known = versions.filter(|(version, _)| {
        RoomVersionId::try_from(version.as_str()).is_ok_and(|version| version.rules().is_some())
    });
    let available: Map<String, Value> = known.collect();
    let mut answer = json!({
        "capabilities": {
            "m.room_versions": {
                "default": api.settings.default_room_version.as_str(),
                "available": available,
            },
            "m.change_password": {"enabled": true},
            "m.set_displayname": {"enabled": true},
            "m.set_avatar_url": {"enabled": true},
            "m.profile_fields": {"enabled": true},
            "m.3pid_changes": {"enabled": false},
            "m.get_login_token": {"enabled": true},
            "m.forget_forced_upon_leave": {"enabled": false},
        },
    });
    let delayed_events = json!({"max_delay_ms": DELAY_MS_MAX, "max_scheduled": SCHEDULED_MAX});
    for name in [CAPABILITY, UNSTABLE_CAPABILITY] {
        answer["capabilities"][name] = delayed_events.clone();
    }
    let account = users::find(&mut api.app.store.read(), client.user_number).await?;
    if account.is_some_and(|account| account.admin) {
        answer["capabilities"]["m.account_moderation"] = json!({"lock": true, "suspend": true});
    }
    Ok(json_response(StatusCode::OK, &answer))
}
