//! Answers that hold many state events, written page by page as they are read.

use axum::response::Response;
use myelin_http::streamed_json;
use myelin_rooms::{EventPages, Rooms};
use myelin_store::{Read, StoreResult, events::StoredEvent};
use myelin_sync::{Audience, Notes, Viewer};
use ruma::OwnedRoomId;

use crate::{ClientApi, Error};

/// Writes one event.
type WriteEvent = dyn Fn(&mut String, &StoredEvent) -> StoreResult<()> + Send;

/// How events are written: in which form each, and what stands around them all.
pub(crate) struct Form {
    /// What comes first.
    pub(crate) opening: &'static str,
    /// What comes last.
    pub(crate) closing: &'static str,
    /// Writes one event.
    pub(crate) write: Box<WriteEvent>,
}

/// Where an answer has come to.
struct Written {
    rooms: Rooms,
    read: Read,
    pages: EventPages,
    form: Form,
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Opening,
    /// Before the first event, which no comma stands before.
    First,
    Rest,
    Done,
}

/// Answers with all events of these pages.
pub(crate) async fn write_pages(
    api: &ClientApi,
    read: Read,
    pages: EventPages,
    form: Form,
) -> Result<Response, Error> {
    let written = Written {
        rooms: api.rooms.clone(),
        read,
        pages,
        form,
        part: Part::Opening,
    };
    streamed_json(written, |mut written| async move {
        let piece = written.next().await?;
        Ok::<_, Error>(piece.map(|piece| (piece, written)))
    })
    .await
}

/// Writes events as the client-server API shows them.
pub(crate) fn client_form(api: &ClientApi, viewer: Viewer, room_id: OwnedRoomId) -> Form {
    let now_ms = api.app.server.now_ms();
    Form {
        opening: "[",
        closing: "]",
        write: Box::new(move |out, event| {
            let audience = Audience {
                viewer: &viewer,
                now_ms,
                room_id: Some(room_id.as_str()),
            };
            myelin_sync::write_shown(out, (event, &Notes::default()), audience)
        }),
    }
}

impl Written {
    async fn next(&mut self) -> StoreResult<Option<String>> {
        match self.part {
            Part::Opening => {
                self.part = Part::First;
                return Ok(Some(self.form.opening.to_owned()));
            }
            Part::First | Part::Rest => {}
            Part::Done => return Ok(None),
        }
        let page = self.rooms.next_page(&mut self.read, &mut self.pages);
        let Some(events) = page.await? else {
            self.part = Part::Done;
            return Ok(Some(self.form.closing.to_owned()));
        };
        let mut out = String::new();
        for event in &events {
            if self.part == Part::Rest {
                out.push(',');
            }
            self.part = Part::Rest;
            (self.form.write)(&mut out, event)?;
        }
        Ok(Some(out))
    }
}
