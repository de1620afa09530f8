//! `GET /_matrix/client/v3/sync`

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use myelin_accounts::{acknowledge_to_device, find_filter};
use myelin_http::{Client, MatrixError, Query, Raw, streamed_json};
use myelin_sync::{
    StateForm, StreamToken, SyncRequest, TokenError, Viewer,
    filter::{Filter, FilterError},
};
use ruma::presence::PresenceState;

use crate::{ClientApi, Error, presence::note_poll};

/// `use_state_after` as clients called it before the specification took it in.
const USE_STATE_AFTER_UNSTABLE: &str = "org.matrix.msc4222.use_state_after";

pub(crate) async fn sync_events(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let request = Arc::new(request(&api, &client).await?);
    acknowledge(&api, &request).await?;
    note_poll(&api, &client, &request.set_presence, request.timeout);
    let answer = tokio::select! {
        answer = api.syncs.sync(&request) => answer?,
        // An answer with nothing in it sends the client to another node, or back to this one.
        () = api.app.shutdown.begun() => {
            let at_once = SyncRequest { timeout: Duration::ZERO, ..(*request).clone() };
            api.syncs.sync(&Arc::new(at_once)).await?
        }
    };
    streamed_json(answer, |mut answer| async move {
        let piece = answer.next().await?;
        Ok::<_, Error>(piece.map(|piece| (piece, answer)))
    })
    .await
}

/// Deletes the messages to the device that the client has received, as its token shows. Nothing else
/// deletes them.
async fn acknowledge(api: &ClientApi, request: &SyncRequest) -> Result<(), Error> {
    let Some(since) = request.since.filter(|since| since.to_device > 0) else {
        return Ok(());
    };
    let Viewer { user, device } = &request.viewer;
    let Some(device) = device else {
        return Ok(());
    };
    // A token ahead of the log is from before a backup was restored: it tells of other messages.
    if since.position <= api.syncs.position().await? {
        let store = &api.app.store;
        acknowledge_to_device(store, *user, device, since.to_device).await?;
    }
    Ok(())
}

async fn request(api: &ClientApi, client: &Client<Raw>) -> Result<SyncRequest, Error> {
    let query = client.body.query()?;
    let since = query.get("since")?.map(str::parse::<StreamToken>);
    let since = since
        .transpose()
        .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")))?;
    Ok(SyncRequest {
        viewer: Viewer {
            user: client.user_number,
            device: Some(client.device.to_string()),
        },
        since,
        timeout: Duration::from_millis(query.number("timeout")?.unwrap_or_default()),
        filter: filter(api, client.user_number, &query).await?,
        full_state: flag(&query, "full_state")?,
        state_form: state_form(&query)?,
        set_presence: set_presence(&query)?,
    })
}

/// A filter written out, or the id of one that the user has uploaded.
async fn filter(api: &ClientApi, user: i64, query: &Query) -> Result<Filter, Error> {
    let Some(text) = query.get("filter")?.filter(|text| !text.is_empty()) else {
        return Ok(Filter::default());
    };
    let stored = if text.starts_with('{') {
        None
    } else {
        let found = find_filter(&mut api.app.store.read(), user, text).await?;
        let found = found.ok_or_else(|| MatrixError::invalid_param("There is no such filter."))?;
        Some(String::from_utf8_lossy(&found).into_owned())
    };
    let filter = Filter::parse(stored.as_deref().unwrap_or(text));
    Ok(filter.map_err(|FilterError(error)| {
        MatrixError::invalid_param(format!("`filter` cannot be read: {error}."))
    })?)
}

fn state_form(query: &Query) -> Result<StateForm, MatrixError> {
    let stable = flag(query, "use_state_after")?;
    let unstable = flag(query, USE_STATE_AFTER_UNSTABLE)?;
    Ok(match (stable, unstable) {
        (true, _) => StateForm::After,
        (false, true) => StateForm::AfterUnstable,
        (false, false) => StateForm::Before,
    })
}

fn set_presence(query: &Query) -> Result<PresenceState, MatrixError> {
    match query.get("set_presence")? {
        None | Some("online") => Ok(PresenceState::Online),
        Some("unavailable") => Ok(PresenceState::Unavailable),
        Some("offline") => Ok(PresenceState::Offline),
        Some(_) => Err(MatrixError::invalid_param(
            "`set_presence` must be `online`, `unavailable` or `offline`.",
        )),
    }
}

fn flag(query: &Query, key: &str) -> Result<bool, MatrixError> {
    match query.get(key)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(MatrixError::invalid_param(format!(
            "`{key}` must be `true` or `false`."
        ))),
    }
}
