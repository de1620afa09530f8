//! `GET /.well-known/matrix/support`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Public, json_response};
use ruma::api::client::discovery::discover_support::Request;
use serde_json::{Map, Value, json};

use crate::ClientApi;

pub(crate) async fn discover_support(
    api: ClientApi,
    _: Public<Request>,
) -> Result<Response, MatrixError> {
    let support = &api.app.settings.support;
    let contact = |role: &str, matrix_id: &str, email_address: &str| {
        let told = [("matrix_id", matrix_id), ("email_address", email_address)];
        let told = told.iter().filter(|(_, text)| !text.is_empty());
        let mut contact: Map<String, Value> = told
            .map(|(key, text)| ((*key).to_owned(), json!(text)))
            .collect();
        let is_told = !contact.is_empty();
        contact.insert("role".to_owned(), json!(role));
        is_told.then_some(contact)
    };
    let contacts = [
        contact(
            "m.role.admin",
            &support.admin_matrix_id,
            &support.admin_email,
        ),
        contact("m.role.security", "", &support.security_email),
    ];
    let contacts: Vec<_> = contacts.into_iter().flatten().collect();
    let mut answer = Map::new();
    if !contacts.is_empty() {
        answer.insert("contacts".to_owned(), json!(contacts));
    }
    if !support.page.is_empty() {
        answer.insert("support_page".to_owned(), json!(support.page));
    }
    if answer.is_empty() {
        return Err(MatrixError::not_found(
            "This server names nobody who helps.",
        ));
    }
    Ok(json_response(StatusCode::OK, &answer))
}
