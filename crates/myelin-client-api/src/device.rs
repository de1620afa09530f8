//! The devices of who is logged in.

mod delete_device;
mod delete_devices;
mod get_device;
mod get_devices;
mod update_device;

use myelin_accounts::uia::Act;
use myelin_http::{Client, Raw, Routes};
use myelin_store::sessions::SeenDevice;
use ruma::{OwnedDeviceId, api::client::device};
use serde::Serialize;

use crate::{ClientApi, Error, uia};

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<device::get_devices::v3::Request, _, _, _, _>(get_devices::get_devices)
        .raw_endpoint::<device::get_device::v3::Request, _, _, _, _>(get_device::get_device)
        .endpoint(update_device::update_device)
        .raw_endpoint::<device::delete_device::v3::Request, _, _, _, _>(
            delete_device::delete_device,
        )
        .raw_endpoint::<device::delete_devices::v3::Request, _, _, _, _>(
            delete_devices::delete_devices,
        )
}

/// A device in an answer. Not ruma's type, which says `null` for what is not known.
#[derive(Serialize)]
struct DeviceBody {
    device_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_ip: Option<String>,
    last_seen_ts: i64,
}

impl From<SeenDevice> for DeviceBody {
    fn from(device: SeenDevice) -> Self {
        Self {
            device_id: device.device_id,
            display_name: device.display_name,
            last_seen_ip: device.address,
            last_seen_ts: device.last_seen_ms,
        }
    }
}

/// Removes devices once the user has approved it.
async fn delete(
    api: &ClientApi,
    client: &Client<Raw>,
    devices: &[OwnedDeviceId],
) -> Result<(), Error> {
    let approval = uia::approve_by_user(api, client, Act::DeleteDevices).await?;
    let (server, store) = (&api.app.server, &api.app.store);
    let user = client.user_number;
    myelin_accounts::delete_devices(server, store, &approval, user, devices).await?;
    Ok(())
}
