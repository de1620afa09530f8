//! Users come and go.

mod ban_user;
mod forget_room;
mod get_member_events;
mod get_mutual_rooms;
mod invite_user;
mod join_room_by_id;
mod join_room_by_id_or_alias;
mod joined_members;
mod joined_rooms;
mod kick_user;
mod knock_room;
mod leave_room;
mod unban_user;

use myelin_core::json;
use myelin_http::{MatrixError, Routes};
use ruma::{
    CanonicalJsonObject, OwnedRoomId, OwnedRoomOrAliasId, OwnedServerName,
    api::client::membership::{
        ThirdPartySigned, get_member_events::v3::Request as GetMemberEvents,
        get_mutual_rooms::v1::Request as GetMutualRooms, invite_user::v3::Request as InviteUser,
        joined_members::v3::Request as JoinedMembers,
    },
};

use crate::{ClientApi, Error};

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(ban_user::ban_user)
        .endpoint(forget_room::forget_room)
        .raw_endpoint::<GetMemberEvents, _, _, _, _>(get_member_events::get_member_events)
        .raw_endpoint::<GetMutualRooms, _, _, _, _>(get_mutual_rooms::get_mutual_rooms)
        .raw_endpoint::<InviteUser, _, _, _, _>(invite_user::invite_user)
        .endpoint(join_room_by_id::join_room_by_id)
        .endpoint(join_room_by_id_or_alias::join_room_by_id_or_alias)
        .raw_endpoint::<JoinedMembers, _, _, _, _>(joined_members::joined_members)
        .endpoint(joined_rooms::joined_rooms)
        .endpoint(kick_user::kick_user)
        .endpoint(knock_room::knock_room)
        .endpoint(leave_room::leave_room)
        .endpoint(unban_user::unban_user)
}

/// The room that a path names by its id or its alias, and the servers that may help with it.
async fn room_named(
    api: &ClientApi,
    name: OwnedRoomOrAliasId,
    via: Vec<OwnedServerName>,
) -> Result<(OwnedRoomId, Vec<OwnedServerName>), Error> {
    match OwnedRoomId::try_from(name) {
        Ok(room_id) => Ok((room_id, via)),
        Err(alias) => {
            let target = api.rooms.resolve_alias(&alias).await?;
            let via = via.into_iter().chain(target.servers);
            Ok((target.room_id, via.collect()))
        }
    }
}

/// What an identity server has signed, as the object that its signatures cover.
fn signed(signed: Option<&ThirdPartySigned>) -> Result<Option<CanonicalJsonObject>, Error> {
    signed
        .map(|signed| {
            let bytes = serde_json::to_vec(signed).map_err(MatrixError::internal)?;
            Ok(json::parse_object(&bytes).map_err(crate::error::json)?)
        })
        .transpose()
}
