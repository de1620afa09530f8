//! Backups of the keys of encrypted rooms.

mod add_backup_keys;
mod add_backup_keys_for_room;
mod add_backup_keys_for_session;
mod create_backup_version;
mod delete_backup_keys;
mod delete_backup_keys_for_room;
mod delete_backup_keys_for_session;
mod delete_backup_version;
mod get_backup_info;
mod get_backup_keys;
mod get_backup_keys_for_room;
mod get_backup_keys_for_session;
mod get_latest_backup_info;
mod update_backup_version;

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{BackupMethod, KeyUploads, shown_auth_data};
use myelin_http::{Client, MatrixError, Raw, Routes, json_response};
use myelin_store::key_backups::KeyBackup;
use ruma::api::client::backup as api;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{ClientApi, Error};

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<api::create_backup_version::v3::Request, _, _, _, _>(
            create_backup_version::create_backup_version,
        )
        .raw_endpoint::<api::get_latest_backup_info::v3::Request, _, _, _, _>(
            get_latest_backup_info::get_latest_backup_info,
        )
        .raw_endpoint::<api::get_backup_info::v3::Request, _, _, _, _>(
            get_backup_info::get_backup_info,
        )
        .raw_endpoint::<api::update_backup_version::v3::Request, _, _, _, _>(
            update_backup_version::update_backup_version,
        )
        .raw_endpoint::<api::delete_backup_version::v3::Request, _, _, _, _>(
            delete_backup_version::delete_backup_version,
        )
        .merge(key_routes())
}

fn key_routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<api::add_backup_keys::v3::Request, _, _, _, _>(
            add_backup_keys::add_backup_keys,
        )
        .raw_endpoint::<api::add_backup_keys_for_room::v3::Request, _, _, _, _>(
            add_backup_keys_for_room::add_backup_keys_for_room,
        )
        .raw_endpoint::<api::add_backup_keys_for_session::v3::Request, _, _, _, _>(
            add_backup_keys_for_session::add_backup_keys_for_session,
        )
        .raw_endpoint::<api::get_backup_keys::v3::Request, _, _, _, _>(
            get_backup_keys::get_backup_keys,
        )
        .raw_endpoint::<api::get_backup_keys_for_room::v3::Request, _, _, _, _>(
            get_backup_keys_for_room::get_backup_keys_for_room,
        )
        .raw_endpoint::<api::get_backup_keys_for_session::v3::Request, _, _, _, _>(
            get_backup_keys_for_session::get_backup_keys_for_session,
        )
        .raw_endpoint::<api::delete_backup_keys::v3::Request, _, _, _, _>(
            delete_backup_keys::delete_backup_keys,
        )
        .raw_endpoint::<api::delete_backup_keys_for_room::v3::Request, _, _, _, _>(
            delete_backup_keys_for_room::delete_backup_keys_for_room,
        )
        .raw_endpoint::<api::delete_backup_keys_for_session::v3::Request, _, _, _, _>(
            delete_backup_keys_for_session::delete_backup_keys_for_session,
        )
}

/// How a backup's keys are encrypted, as a body tells it.
#[derive(Deserialize)]
struct MethodBody {
    algorithm: String,
    auth_data: Map<String, Value>,
    version: Option<String>,
}

impl MethodBody {
    fn method(self) -> BackupMethod {
        BackupMethod {
            algorithm: self.algorithm,
            auth_data: self.auth_data,
        }
    }
}

/// What is told of a backup.
fn info(backup: &KeyBackup) -> Result<Response, Error> {
    let body = json!({
        "algorithm": backup.algorithm,
        "auth_data": shown_auth_data(backup)?,
        "count": backup.count,
        "etag": backup.etag.to_string(),
        "version": backup.backup.to_string(),
    });
    Ok(json_response(StatusCode::OK, &body))
}

/// What is told after keys have changed.
fn changed(backup: &KeyBackup) -> Response {
    let body = json!({"count": backup.count, "etag": backup.etag.to_string()});
    json_response(StatusCode::OK, &body)
}

/// The backup that a request is about.
fn version(raw: &Raw) -> Result<String, MatrixError> {
    let version = raw.query()?.get("version")?.map(str::to_owned);
    version.ok_or_else(|| MatrixError::missing_param("version"))
}

/// Adds keys to the current backup.
async fn add(
    api: &ClientApi,
    client: &Client<Raw>,
    uploads: &KeyUploads,
) -> Result<Response, Error> {
    let version = version(&client.body)?;
    let user = client.user_number;
    let store = &api.app.store;
    let backup = myelin_accounts::add_backup_keys(store, user, &version, uploads).await?;
    Ok(changed(&backup))
}
