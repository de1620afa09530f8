//! Answers that are written piece by piece, so that a large one is never in memory as a whole.

use std::{
    fmt::Write,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderValue, header};
use hyper::body::Frame;
use tracing::Span;

use crate::MatrixError;

/// Up to this size an answer is sent in one piece, and a failure is still a proper error.
const WHOLE_MAX: usize = 64 * 1024;

/// An answer of JSON that `next` writes: each call gives a piece and what comes after it, None at
/// the end. The next piece is written when the client has taken those before it.
///
/// A failure behind the first 64 KiB cannot be told any more: it is logged, and the connection
/// breaks, so that the client sees that the answer is not whole.
pub async fn streamed_json<S, F, Fut, E>(state: S, mut next: F) -> Result<Response, E>
where
    F: FnMut(S) -> Fut + Send + Unpin + 'static,
    Fut: Future<Output = Result<Option<(String, S)>, E>> + Send + 'static,
    E: Into<MatrixError>,
{
    let mut first = String::new();
    let mut state = Some(state);
    while let Some(current) = state.take_if(|_| first.len() < WHOLE_MAX) {
        if let Some((piece, rest)) = next(current).await? {
            first.push_str(&piece);
            state = Some(rest);
        }
    }
    let body = match state {
        None => Body::from(first),
        Some(state) => Body::new(Pieces {
            first: Some(Bytes::from(first)),
            running: Some(Box::pin(next(state))),
            next,
            span: Span::current(),
        }),
    };
    let mut response = Response::new(body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// The body of an answer whose first piece is there and whose second is being written.
struct Pieces<F, Fut> {
    first: Option<Bytes>,
    next: F,
    running: Option<Pin<Box<Fut>>>,
    /// That of the request: what is logged while writing belongs to it.
    span: Span,
}

impl<S, F, Fut, E> HttpBody for Pieces<F, Fut>
where
    F: FnMut(S) -> Fut + Unpin,
    Fut: Future<Output = Result<Option<(String, S)>, E>>,
    E: Into<MatrixError>,
{
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let _entered = this.span.enter();
        while let Some(running) = &mut this.running {
            let written = ready!(running.as_mut().poll(context));
            this.running = None;
            let (piece, state) = match written {
                Ok(Some(written)) => written,
                Ok(None) => break,
                Err(error) => {
                    let reason = reason(error.into());
                    tracing::error!(reason, "answer broken off");
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
            };
            this.running = Some(Box::pin((this.next)(state)));
            // A frame without data would end the answer for some clients.
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
            }
        }
        Poll::Ready(None)
    }
}

/// What breaks the connection; the log says why.
#[derive(Debug, thiserror::Error)]
#[error("the answer could not be written to its end")]
struct BrokenOff;

fn reason(error: MatrixError) -> String {
    let mut text = error.message;
    let mut source = error
        .source
        .as_deref()
        .map(|error| error as &dyn std::error::Error);
    while let Some(error) = source {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// An answer of some pieces, which fails instead of writing the piece `fails_at`.
    async fn answer(pieces: usize, size: usize, fails_at: usize) -> Result<Response, MatrixError> {
        streamed_json(0, move |written: usize| async move {
            if written == fails_at {
                return Err(MatrixError::internal(std::io::Error::other("no more")));
            }
            Ok((written < pieces).then(|| ("x".repeat(size), written + 1)))
        })
        .await
    }

    #[tokio::test]
    async fn a_small_answer_has_a_length() {
        let response = answer(3, 10, 99).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.body().size_hint().exact(), Some(30));
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes().len(), 30);
    }

    #[tokio::test]
    async fn a_large_answer_comes_in_pieces() {
        let mut body = answer(10, 50_000, 99).await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), None);
        let mut sizes = Vec::new();
        while let Some(frame) = body.frame().await {
            sizes.push(frame.unwrap().into_data().unwrap().len());
        }
        assert_eq!(sizes.iter().sum::<usize>(), 500_000);
        assert!(sizes.iter().all(|size| *size <= 100_000), "{sizes:?}");
    }

    #[tokio::test]
    async fn an_early_failure_is_an_error() {
        assert_eq!(answer(10, 50_000, 1).await.unwrap_err().status, 500);
    }

    #[tokio::test]
    async fn a_late_failure_breaks_the_answer_off() {
        let mut body = answer(10, 50_000, 5).await.unwrap().into_body();
        let mut taken = 0;
        let failed = loop {
            match body.frame().await {
                Some(Ok(frame)) => taken += frame.into_data().unwrap().len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(failed);
        assert_eq!(taken, 250_000);
    }
}
