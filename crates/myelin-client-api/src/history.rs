//! Pages of a room's history, for which other servers are asked where something is missing here.

use std::time::Duration;

use myelin_rooms::{Backfilled, RoomView, Standing};
use myelin_store::{Read, StoreResult, gaps::Gap};
use myelin_sync::{Page, PageRequest};
use ruma::RoomId;
use tokio::time::Instant;

use crate::{ClientApi, Error};

/// How often others are asked for one page of which nothing could be shown so far.
const ROUNDS_MAX: usize = 5;
/// After this long nobody else is asked: the client can go on from where the page ends.
const WITHIN: Duration = Duration::from_secs(20);
/// After so many attempts in vain a gap is walked across, where something is known below it: who
/// could fill it may be gone for good.
const FAILURES_MAX: u32 = 3;

/// A page of what a user may see of a room's events. If it ends at a gap and there is room in it,
/// others are asked for what is missing; if they do not answer, it is what there is, with the place
/// to go on from.
pub(crate) async fn page(
    api: &ClientApi,
    read: &mut Read,
    (view, room_id): (&mut RoomView, &RoomId),
    mut request: PageRequest<'_>,
) -> Result<Page, Error> {
    let begun = Instant::now();
    let mut rounds = 0;
    loop {
        let mut page = api.syncs.messages(read, view, request).await?;
        let Some(gap) = &page.gap else {
            return Ok(page);
        };
        let has_some = rounds > 0 && !page.events.is_empty();
        if has_some || rounds >= ROUNDS_MAX || begun.elapsed() > WITHIN {
            return Ok(page);
        }
        rounds += 1;
        match ask_others(api, view, room_id, gap).await? {
            Backfilled::Changed => {}
            Backfilled::NotNow { failures } if failures < FAILURES_MAX || gap.lower == 0 => {
                return Ok(page);
            }
            Backfilled::Never if gap.lower == 0 => {
                page.end = None;
                return Ok(page);
            }
            Backfilled::NotNow { .. } | Backfilled::Never => request.across = Some(gap.upper),
        }
    }
}

/// Asks others for what is missing, for those who are in the room.
pub(crate) async fn ask_others(
    api: &ClientApi,
    view: &RoomView,
    room_id: &RoomId,
    gap: &Gap,
) -> StoreResult<Backfilled> {
    if view.standing != Standing::Member {
        return Ok(Backfilled::Never);
    }
    api.rooms.backfill(room_id, gap).await
}
