//! `GET /_matrix/client/v3/auth/{authType}/fallback/web`, and `POST` for what was filled in
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#fallback)

use axum::response::Response;
use http::{Method, StatusCode};
use myelin_accounts::{
    AccountSettings,
    uia::{Act, Page, PageError, Proof, Stage, complete_stage, find_page},
};
use myelin_http::{MatrixError, Public, Query, Raw, Routes};
use ruma::api::client::uiaa::get_uiaa_fallback_page::v3::Request;

use super::{
    failure_text,
    page::{html, script},
};
use crate::{ClientApi, Error, pages::escaped};

const SCRIPT_PATH: &str = "/_matrix/static/client/auth/done.js";

pub(super) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<Request, _, _, _, _>(get_uiaa_fallback_page)
        .route(
            &Method::POST,
            "/_matrix/client/r0/auth/{auth_type}/fallback/web",
            submit,
        )
        .route(
            &Method::POST,
            "/_matrix/client/v3/auth/{auth_type}/fallback/web",
            submit,
        )
        .route(&Method::GET, SCRIPT_PATH, done_script)
}

async fn get_uiaa_fallback_page(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let session = session_id(&call.body)?;
    let Some(stage) = stage(&call.body) else {
        return Ok(unknown());
    };
    show(&api, &session, stage, (StatusCode::OK, "")).await
}

/// The form of the page. What it holds is checked as if the client had sent it.
async fn submit(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let session = session_id(&call.body)?;
    let Some(stage) = stage(&call.body) else {
        return Ok(unknown());
    };
    let form = Query::of_form(&call.body.bytes)?;
    let field = |name| {
        form.get(name)
            .map(|text| text.unwrap_or_default().to_owned())
    };
    let proof = match stage {
        Stage::Password => Proof::Password {
            name: None,
            password: field("password")?,
        },
        Stage::RegistrationToken => Proof::RegistrationToken(field("token")?.trim().to_owned()),
        Stage::Dummy => Proof::Dummy,
        Stage::Terms => Proof::Terms,
    };
    let app = &api.app;
    let guess = match (
        stage,
        find_page(&app.server, &app.store, &session, stage).await,
    ) {
        (Stage::Password, Ok(Page { user, .. })) => {
            user.map(|user| app.login_attempt(&user)).transpose()?
        }
        _ => None,
    };
    match complete_stage(&app.server, &app.store, &app.accounts, &session, &proof).await {
        Ok(()) => Ok(done()),
        Err(PageError::Failed(failure)) => {
            if let Some(guess) = guess {
                guess.failed();
            }
            let said = (StatusCode::UNAUTHORIZED, failure_text(failure).1);
            show(&api, &session, stage, said).await
        }
        Err(PageError::Unknown) => Ok(unknown()),
        Err(PageError::Store(error)) => Err(error.into()),
    }
}

async fn done_script(_: ClientApi, _: Public<Raw>) -> Result<Response, Error> {
    Ok(script(include_str!("page/done.js")))
}

fn session_id(raw: &Raw) -> Result<String, MatrixError> {
    let query = raw.query()?;
    let session = query.get("session")?;
    session
        .map(str::to_owned)
        .ok_or_else(|| MatrixError::missing_param("session"))
}

fn stage(raw: &Raw) -> Option<Stage> {
    Stage::from_name(raw.path.first()?)
}

/// The page for a stage, with the status and the sentence that the last try has earned.
async fn show(
    api: &ClientApi,
    session: &str,
    stage: Stage,
    (status, said): (StatusCode, &str),
) -> Result<Response, Error> {
    let app = &api.app;
    match find_page(&app.server, &app.store, session, stage).await {
        Ok(page) if page.is_done => Ok(done()),
        Ok(page) => {
            let text = include_str!("page/stage.html")
                .replace("{intent}", &intent(&page))
                .replace("{fields}", &fields(&app.accounts, stage))
                .replace("{said}", &escaped(said));
            Ok(html(status, text))
        }
        Err(PageError::Store(error)) => Err(error.into()),
        Err(PageError::Unknown | PageError::Failed(_)) => Ok(unknown()),
    }
}

fn done() -> Response {
    html(StatusCode::OK, include_str!("page/done.html").to_owned())
}

fn unknown() -> Response {
    let text = include_str!("page/unknown.html").to_owned();
    html(StatusCode::NOT_FOUND, text)
}

/// Says what is about to happen, so that nobody approves what somebody else has begun.
fn intent(page: &Page) -> String {
    let act = match page.act {
        Act::Register => "to make an account",
        Act::ChangePassword => "to change the password",
        Act::Deactivate => "to end the account for ever",
        Act::DeleteDevices => "to log devices out",
        Act::AddAddress => "to add an address",
        Act::MakeLoginToken => "to let another device log in",
        Act::UploadSigningKeys => "to replace the keys by which others know the user",
    };
    match &page.user {
        Some(user) => format!(
            "Somebody who is logged in as <strong>{}</strong> wants {act}.",
            escaped(user)
        ),
        None => format!("Somebody wants {act}."),
    }
}

fn fields(settings: &AccountSettings, stage: Stage) -> String {
    match stage {
        Stage::Dummy => String::new(),
        Stage::Password => "<p><label>Password <input name=\"password\" type=\"password\" \
             autocomplete=\"current-password\" required autofocus></label></p>"
            .to_owned(),
        Stage::RegistrationToken => {
            "<p><label>Registration token <input name=\"token\" autocomplete=\"off\" \
             autocapitalize=\"none\" maxlength=\"64\" required autofocus></label></p>"
                .to_owned()
        }
        Stage::Terms => settings.terms().map_or_else(String::new, |terms| {
            format!(
                "<p><label><input type=\"checkbox\" required> I accept the \
                 <a href=\"{}\" target=\"_blank\" rel=\"noopener\">{}</a>.</label></p>",
                escaped(&terms.url),
                escaped(&terms.name)
            )
        }),
    }
}
