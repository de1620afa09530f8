//! `POST /_matrix/client/v3/rooms/{roomId}/report`

use myelin_http::Client;
use myelin_rooms::{MakeReport, ReportOf};
use ruma::api::client::room::report_room::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn report_room(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let report = MakeReport {
        reporter: &user,
        reporter_number: client.user_number,
        of: ReportOf::Room(&body.room_id),
        reason: Some(&body.reason),
        score: None,
    };
    api.rooms.report(report).await?;
    Ok(Response::new())
}
