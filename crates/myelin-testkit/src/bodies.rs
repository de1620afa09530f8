//! Bodies of answers: those of large answers, which come in pieces, and those that no honest server
//! would give, which do not end or take their time.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::time::{Sleep, sleep};

/// A body that comes in pieces of this size, as it does through a socket.
pub fn in_pieces(mut whole: Bytes, bytes: usize) -> Body {
    let next = move || (!whole.is_empty()).then(|| whole.split_to(bytes.min(whole.len())));
    Body::new(Pieces {
        next: Box::new(next),
        pause: Duration::ZERO,
        waits: None,
        ends: true,
    })
}

/// A body that says this, and then nothing more, though it does not end.
pub fn silent_after(said: impl Into<Bytes>) -> Body {
    let mut said = Some(said.into());
    Body::new(Pieces {
        next: Box::new(move || said.take()),
        pause: Duration::ZERO,
        waits: None,
        ends: false,
    })
}

/// A body that says this once it is let go, and then ends.
pub fn held_until(let_go: Arc<AtomicBool>, said: impl Into<Bytes>) -> Body {
    let mut said = Some(said.into());
    let next = move || {
        if let_go.load(Ordering::SeqCst) {
            said.take()
        } else {
            Some(Bytes::new())
        }
    };
    Body::new(Pieces {
        next: Box::new(next),
        pause: Duration::from_millis(5),
        waits: None,
        ends: true,
    })
}

/// A body of pieces with a pause before each. When there are no more it falls silent, and does not
/// end.
pub fn dripping(pause: Duration, next: impl FnMut() -> Option<Bytes> + Send + 'static) -> Body {
    Body::new(Pieces {
        next: Box::new(next),
        pause,
        waits: None,
        ends: false,
    })
}

struct Pieces {
    next: Box<dyn FnMut() -> Option<Bytes> + Send>,
    pause: Duration,
    waits: Option<Pin<Box<Sleep>>>,
    ends: bool,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.pause.is_zero() {
            let pause = self.pause;
            let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(pause)));
            if waits.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.waits = None;
        }
        match (self.next)() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.ends => Poll::Ready(None),
            // Nobody will wake who waits.
            None => Poll::Pending,
        }
    }
}
