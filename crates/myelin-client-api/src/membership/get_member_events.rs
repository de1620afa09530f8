//! `GET /_matrix/client/v3/rooms/{roomId}/members`

use axum::response::Response;
use myelin_core::membership::Membership;
use myelin_http::{Client, MatrixError};
use myelin_rooms::MemberFilter;
use ruma::{
    api::client::membership::get_member_events::v3::Request, events::room::member::MembershipState,
};

use crate::{
    ClientApi, Error,
    event_pages::{Form, client_form, write_pages},
    events::viewer,
    parameters::parse_token,
};

pub(crate) async fn get_member_events(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let request = &client.body;
    let filter = MemberFilter {
        membership: membership("membership", request.membership.as_ref())?,
        not_membership: membership("not_membership", request.not_membership.as_ref())?,
    };
    let at = request.at.as_deref().map(parse_token).transpose()?;
    let mut read = api.app.store.read();
    let mut view = api
        .rooms
        .view(&mut read, &request.room_id, &client.user)
        .await?;
    let root = match at {
        Some(token) => api.syncs.root_at_token(&mut read, &mut view, token).await?,
        None => Some(view.root.clone()),
    };
    let root = root.ok_or_else(|| {
        MatrixError::forbidden("You may not see who was in the room at that time.")
    })?;
    let pages = api.rooms.members(&mut read, &view, &root, filter).await?;
    let form = Form {
        opening: r#"{"chunk":["#,
        closing: "]}",
        ..client_form(&api, viewer(&client), request.room_id.clone())
    };
    write_pages(&api, read, pages, form).await
}

fn membership(
    key: &str,
    value: Option<&MembershipState>,
) -> Result<Option<Membership>, MatrixError> {
    let parse = |value: &MembershipState| {
        Membership::from_name(value.as_str()).ok_or_else(|| {
            MatrixError::invalid_param(format!("`{key}` is none of the five memberships."))
        })
    };
    value.map(parse).transpose()
}
