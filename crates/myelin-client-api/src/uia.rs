//! User-Interactive Authentication at the door: how a request carries it, and what it is answered.
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)

mod get_uiaa_fallback_page;
mod page;

use std::collections::BTreeMap;

use http::StatusCode;
use myelin_accounts::{
    AccountSettings,
    uia::{
        self, Act, Approval, Attempt, Flow, Progress, Proof, Stage, StageFailure, UiaError, Wish,
    },
};
use myelin_http::{Client, MatrixError, Raw, Routes};
use ruma::api::error::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{ClientApi, Error, identifier::Identifier};

pub(crate) fn routes() -> Routes<ClientApi> {
    get_uiaa_fallback_page::routes()
}

/// Not ruma's type: clients in use name themselves by a `user` beside the password.
#[derive(Deserialize)]
struct AuthData {
    #[serde(rename = "type")]
    stage: Option<String>,
    session: Option<String>,
    identifier: Option<Identifier>,
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    auth: Option<AuthData>,
}

/// Passes what the user who is logged in has approved by their password.
pub(crate) async fn approve_by_user(
    api: &ClientApi,
    client: &Client<Raw>,
    act: Act,
) -> Result<Approval, Error> {
    let attempt = attempt(&client.body)?;
    let request = identity(&client.body)?;
    let app = &api.app;
    let wish = Wish::of_user(&app.store, client.user_number, act, &request).await;
    let wish = wish.map_err(|error| error_of(&app.accounts, error))?;
    // To guess a password here is as good as to guess it at the login.
    let guesses = matches!(attempt.proof, Some(Proof::Password { .. }));
    let guess = guesses.then(|| app.login_attempt(client.user.as_str()));
    let guess = guess.transpose()?;
    let approval = approve(api, &wish, &attempt).await;
    if let (Err(UiaError::Incomplete(_, Some(StageFailure::WrongPassword))), Some(guess)) =
        (&approval, guess)
    {
        guess.failed();
    }
    approval.map_err(|error| error_of(&app.accounts, error).into())
}

/// Passes who did what is asked of those who register.
pub(crate) async fn approve_registration(
    api: &ClientApi,
    raw: &Raw,
    flows: Vec<Flow>,
) -> Result<Approval, Error> {
    let approval = approve(api, &Wish::register(flows), &attempt(raw)?).await;
    approval.map_err(|error| error_of(&api.app.accounts, error).into())
}

async fn approve(api: &ClientApi, wish: &Wish, attempt: &Attempt) -> Result<Approval, UiaError> {
    let app = &api.app;
    uia::approve(&app.server, &app.store, &app.accounts, wish, attempt).await
}

fn attempt(raw: &Raw) -> Result<Attempt, MatrixError> {
    let body: Body = raw.json()?;
    let Some(auth) = body.auth else {
        return Ok(Attempt::default());
    };
    Ok(Attempt {
        session: auth.session.clone(),
        proof: proof(auth)?,
    })
}

fn proof(auth: AuthData) -> Result<Option<Proof>, MatrixError> {
    let Some(stage) = &auth.stage else {
        return Ok(None);
    };
    let missing = |key| MatrixError::missing_param(key);
    Ok(Some(match Stage::from_name(stage) {
        None => Proof::Unknown,
        Some(Stage::Dummy) => Proof::Dummy,
        Some(Stage::Terms) => Proof::Terms,
        Some(Stage::RegistrationToken) => {
            Proof::RegistrationToken(auth.token.ok_or_else(|| missing("auth.token"))?)
        }
        Some(Stage::Password) => Proof::Password {
            name: Identifier::name(auth.identifier, auth.user)?,
            password: auth.password.ok_or_else(|| missing("auth.password"))?,
        },
    }))
}

/// What may not change between the steps: the path's parameters and the body without `auth`.
fn identity(raw: &Raw) -> Result<Vec<u8>, MatrixError> {
    // Sorted by key, so that clients may send theirs in any order.
    let mut body: BTreeMap<String, Value> = raw.json()?;
    body.remove("auth");
    let identity = json!([raw.path, body]);
    Ok(identity.to_string().into_bytes())
}

fn error_of(settings: &AccountSettings, error: UiaError) -> MatrixError {
    match error {
        UiaError::Incomplete(progress, failure) => incomplete(settings, &progress, failure),
        UiaError::RequestChanged => {
            MatrixError::forbidden("The request has changed since its authentication began.")
        }
        UiaError::UnknownAddress => {
            MatrixError::forbidden("Nobody with this address, or the password is wrong.")
        }
        UiaError::NothingToProve => MatrixError::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::Forbidden,
            "This account has no password, so nobody can prove to be its user.",
        ),
        UiaError::Store(error) => error.into(),
    }
}

fn incomplete(
    settings: &AccountSettings,
    progress: &Progress,
    failure: Option<StageFailure>,
) -> MatrixError {
    let names = |stages: &[Stage]| -> Vec<_> { stages.iter().map(|stage| stage.name()).collect() };
    let flows: Vec<_> = progress
        .flows
        .iter()
        .map(|flow| json!({ "stages": names(flow) }))
        .collect();
    let mut body = Map::new();
    body.insert("flows".to_owned(), flows.into());
    body.insert("params".to_owned(), params(settings, &progress.flows));
    body.insert("session".to_owned(), progress.session.as_str().into());
    if !progress.completed.is_empty() {
        body.insert("completed".to_owned(), names(&progress.completed).into());
    }
    let Some(failure) = failure else {
        return MatrixError::authentication_challenge(body);
    };
    let (kind, message) = failure_text(failure);
    MatrixError {
        extra: body,
        ..MatrixError::new(StatusCode::UNAUTHORIZED, kind, message)
    }
}

/// What the pages say, too.
fn failure_text(failure: StageFailure) -> (ErrorCode, &'static str) {
    match failure {
        StageFailure::WrongPassword => (ErrorCode::Forbidden, "Wrong password."),
        StageFailure::InvalidRegistrationToken => (
            ErrorCode::Unauthorized,
            "This registration token is unknown or used up.",
        ),
        StageFailure::NotOnOffer => (
            ErrorCode::Unrecognized,
            "This authentication type is not part of any flow, or not at this point.",
        ),
        StageFailure::UnknownSession => (
            ErrorCode::Unknown,
            "This authentication session is unknown or has expired; another one has begun.",
        ),
    }
}

fn params(settings: &AccountSettings, flows: &[Flow]) -> Value {
    let has_terms = flows.iter().flatten().any(|stage| *stage == Stage::Terms);
    let Some(terms) = settings.terms().filter(|_| has_terms) else {
        return json!({});
    };
    json!({
        "m.login.terms": {
            "policies": {
                "terms_of_service": {
                    "version": terms.version,
                    "en": {"name": terms.name, "url": terms.url},
                },
            },
        },
    })
}
