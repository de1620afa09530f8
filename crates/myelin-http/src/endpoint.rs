//! The adapter between handlers and axum: paths, methods and parsing come from ruma's types.

use axum::{
    Router,
    body::Body,
    extract::{FromRef, FromRequestParts, RawPathParams, Request, State},
    response::Response,
    routing::{MethodFilter, on},
};
use bytes::Bytes;
use http::{Method, request::Parts};
use ruma::{
    OwnedDeviceId, OwnedUserId,
    api::{
        IncomingRequest, IncomingRequestExt, Metadata, OutgoingResponse, OutgoingResponseExt,
        error::{DeserializationError, FromHttpRequestError},
        path_builder::PathBuilder,
    },
};
use serde::de::DeserializeOwned;

use crate::{
    App, MatrixError, Query, authenticate, body,
    enforce_limits::{FailureCounter, limit_address, limit_user},
    json_error, parse_json,
    rate_limits::Place,
};

/// A request by somebody who is logged in.
#[derive(Debug)]
pub struct Client<R> {
    /// Who it is.
    pub user: OwnedUserId,
    /// The interned number of the user's id.
    pub user_number: i64,
    /// The device of the access token.
    pub device: OwnedDeviceId,
    /// When the device was last seen, as far as it is recorded (at most once a minute).
    pub last_seen_ms: u64,
    /// Whether the user may use the admin API.
    pub admin: bool,
    /// Whether the user is a guest.
    pub guest: bool,
    /// Whether the user's account is suspended: they may redact what they said, and no other's.
    pub suspended: bool,
    /// What is asked.
    pub body: R,
}

/// A request by anybody.
#[derive(Debug)]
pub struct Public<R> {
    /// What is asked.
    pub body: R,
}

/// A request as it came, for handlers that ruma has no type for, or the wrong one.
#[derive(Debug)]
pub struct Raw {
    /// Method, address, headers.
    pub parts: Parts,
    /// The path's parameters, decoded, in their order.
    pub path: Vec<String>,
    /// The body.
    pub bytes: Bytes,
}

impl Raw {
    /// The query string.
    pub fn query(&self) -> Result<Query, MatrixError> {
        Query::of(&self.parts.uri)
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, MatrixError> {
        parse_json(&self.bytes)
    }

    async fn read(app: &App, parts: Parts, body: Body) -> Result<Self, MatrixError> {
        Self::read_within(parts, body, app.settings.body_bytes_max).await
    }

    pub(crate) async fn read_within(
        mut parts: Parts,
        body: Body,
        bytes_max: usize,
    ) -> Result<Self, MatrixError> {
        let parameters = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map_err(|_| MatrixError::invalid_param("The path is not UTF-8."))?;
        let path = parameters
            .iter()
            .map(|(_, value)| value.to_owned())
            .collect();
        let bytes = body::read_body(&parts.headers, body, bytes_max).await?;
        Ok(Self { parts, path, bytes })
    }
}

/// What a handler may ask for in [`Client`], [`Public`] and [`crate::Peer`]: a ruma request, or [`Raw`].
pub trait Parse: Sized {
    /// Reads it from the request.
    fn parse(raw: Raw) -> Result<Self, MatrixError>;
}

impl Parse for Raw {
    fn parse(raw: Raw) -> Result<Self, MatrixError> {
        Ok(raw)
    }
}

impl<R: IncomingRequest> Parse for R {
    fn parse(raw: Raw) -> Result<Self, MatrixError> {
        let mut bytes = &raw.bytes[..];
        if R::METHOD != Method::GET {
            bytes = body::or_empty_object(bytes);
            body::require_object(bytes)?;
        }
        let has_query = raw.parts.uri.query().is_some_and(|query| !query.is_empty());
        let request = http::Request::from_parts(raw.parts, bytes);
        let path: Vec<&str> = raw.path.iter().map(String::as_str).collect();
        R::try_from_http_request(request, &path)
            .map_err(|error| parse_error((bytes, has_query), error))
    }
}

/// What a request holds until it is answered.
#[derive(Debug, Default)]
pub struct Held {
    _place: Option<Place>,
}

impl Held {
    /// A place among the requests of its server.
    pub(crate) fn place(place: Option<Place>) -> Self {
        Self { _place: place }
    }
}

/// What a handler's second parameter may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from a request",
    note = "a handler takes the state of its router and `Client<R>`, `Public<R>` or `Peer<R>`"
)]
pub trait FromCall: Sized + Send {
    /// The ruma request, or [`Raw`].
    type Body: Parse + Send;

    /// Authenticates if the type says so, then reads the body.
    fn from_call(
        app: &App,
        request: Request,
    ) -> impl Future<Output = Result<(Self, Held), MatrixError>> + Send;
}

impl<R: Parse + Send> FromCall for Client<R> {
    type Body = R;

    async fn from_call(app: &App, request: Request) -> Result<(Self, Held), MatrixError> {
        // First of all: nobody's body is read before we know whose it is.
        let (parts, body) = request.into_parts();
        let session = authenticate(app, &parts).await?;
        limit_user(app, &parts, session.user_number).await?;
        app.note_act(&session, &parts);
        let raw = Raw::read(app, parts, body).await?;
        let call = Self {
            user: session.user,
            user_number: session.user_number,
            device: session.device,
            last_seen_ms: session.last_seen_ms,
            admin: session.admin,
            guest: session.guest,
            suspended: session.suspended,
            body: R::parse(raw)?,
        };
        Ok((call, Held::default()))
    }
}

impl<R: Parse + Send> FromCall for Public<R> {
    type Body = R;

    async fn from_call(app: &App, request: Request) -> Result<(Self, Held), MatrixError> {
        let (parts, body) = request.into_parts();
        limit_address(app, &parts)?;
        let raw = Raw::read(app, parts, body).await?;
        let call = Self {
            body: R::parse(raw)?,
        };
        Ok((call, Held::default()))
    }
}

/// A list of endpoints, to be merged into a router whose state is `S`.
#[derive(Debug)]
pub struct Routes<S> {
    router: Router<S>,
    names: Vec<(Method, String)>,
}

impl<S> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    App: FromRef<S>,
{
    /// No endpoints.
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            names: Vec::new(),
        }
    }

    /// Serves the handler's ruma request under all its paths, stable and unstable.
    #[must_use]
    pub fn endpoint<Q, R, F, Fut, E>(self, handler: F) -> Self
    where
        Q: FromCall<Body = R> + 'static,
        R: IncomingRequest,
        F: Fn(S, Q) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<R::OutgoingResponse, E>> + Send,
        E: Into<MatrixError>,
    {
        let answer = move |state: S, call: Q| {
            let handler = handler.clone();
            async move { ruma_response(handler(state, call).await.map_err(Into::into)?) }
        };
        self.raw_endpoint::<R, _, _, _, _>(answer)
    }

    /// Serves the paths of the ruma request `R` by a handler that reads or answers differently:
    /// where ruma's type is too strict, or an answer is streamed.
    #[must_use]
    pub fn raw_endpoint<R, Q, F, Fut, E>(mut self, handler: F) -> Self
    where
        R: Metadata,
        Q: FromCall + 'static,
        F: Fn(S, Q) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, E>> + Send,
        E: Into<MatrixError>,
    {
        // Stable paths come last, the newest at the end.
        let name = R::PATH_BUILDER.all_paths().last().unwrap_or_default();
        self.names.push((R::METHOD, name.to_owned()));
        paths::<R>().into_iter().fold(self, |routes, path| {
            routes.add(&R::METHOD, &path, handler.clone())
        })
    }

    /// Serves a handler that answers HTTP itself; it usually reads [`Raw`].
    ///
    /// # Panics
    ///
    /// If another handler has this method and path: a fault of the program, seen at its start.
    #[must_use]
    pub fn route<Q, F, Fut, E>(mut self, method: &Method, path: &str, handler: F) -> Self
    where
        Q: FromCall + 'static,
        F: Fn(S, Q) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, E>> + Send,
        E: Into<MatrixError>,
    {
        self.names.push((method.clone(), path.to_owned()));
        self.add(method, path, handler)
    }

    /// Adds the endpoints of another area.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.names.extend(other.names);
        self
    }

    /// Method and path of each endpoint, under its newest stable path where it has several.
    pub fn names(&self) -> &[(Method, String)] {
        &self.names
    }

    /// The router, to be given its state and then to [`crate::finish`].
    pub fn into_router(self) -> Router<S> {
        self.router
    }

    fn add<Q, F, Fut, E>(mut self, method: &Method, path: &str, handler: F) -> Self
    where
        Q: FromCall + 'static,
        F: Fn(S, Q) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, E>> + Send,
        E: Into<MatrixError>,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("Matrix uses no odd methods");
        let answer = async move |State(state): State<S>, request: Request| {
            let app = App::from_ref(&state);
            let (parts, body) = request.into_parts();
            let failures = FailureCounter::of(&parts);
            let request = Request::from_parts(parts, body);
            let (call, _held) = Q::from_call(&app, request).await?;
            let answer = handler(state, call).await.map_err(Into::into);
            failures.note(&app, &answer);
            answer
        };
        self.router = self.router.route(path, on(filter, answer));
        self
    }
}

impl<S> Default for Routes<S>
where
    S: Clone + Send + Sync + 'static,
    App: FromRef<S>,
{
    fn default() -> Self {
        Self::new()
    }
}

/// All paths of a ruma request. Where the last parameter is a state key, it may be empty and then
/// even the slash before it may be missing.
fn paths<R: Metadata>() -> Vec<String> {
    let mut paths = Vec::new();
    for path in R::PATH_BUILDER.all_paths() {
        paths.push(path.to_owned());
        if let Some(start) = path.strip_suffix("/{state_key}") {
            paths.push(start.to_owned());
            paths.push(format!("{start}/"));
        }
    }
    paths
}

/// The HTTP form of a ruma response.
pub fn ruma_response<A: OutgoingResponse>(answer: A) -> Result<Response, MatrixError> {
    let response = answer
        .try_into_http_response::<Vec<u8>>()
        .map_err(MatrixError::internal)?;
    Ok(response.map(Into::into))
}

fn parse_error((body, has_query): (&[u8], bool), error: FromHttpRequestError) -> MatrixError {
    let FromHttpRequestError::Deserialization(error) = error else {
        return MatrixError::internal(error);
    };
    match error {
        DeserializationError::Json(error) => json_error::describe(body, &error),
        DeserializationError::Query(error) => {
            let message = error.to_string();
            match json_error::quoted_after(&message, "missing field ") {
                Some(key) => MatrixError::missing_param(key),
                // ruma tells of paths by the same error.
                None if has_query => {
                    MatrixError::invalid_param(format!("In the path or the query: {message}."))
                }
                None => MatrixError::invalid_param(format!("In the path: {message}.")),
            }
        }
        DeserializationError::Ident(error) => {
            MatrixError::invalid_param(format!("In the path: {error}."))
        }
        error => MatrixError::invalid_param(format!("{error}.")),
    }
}
