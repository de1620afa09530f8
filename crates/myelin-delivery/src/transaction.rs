//! Transactions: what is sent to one server at once (spec: "Transactions").

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use myelin_core::server::Server;
use myelin_net::{Federation, FederationError, Limits};
use myelin_store::to_device::Place;
use ruma::ServerName;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Most events of one transaction.
pub(crate) const PDUS_MAX: usize = 50;
/// Events above this many bytes wait for the next transaction.
pub(crate) const BYTES_MAX: usize = 1024 * 1024;

/// A server may take its time: it may fetch what it lacks before it answers.
const LIMITS: Limits = Limits {
    time: Duration::from_mins(1),
    bytes: 1024 * 1024,
};

/// An event as it is sent.
#[derive(Debug)]
pub(crate) struct Pdu {
    pub(crate) id: String,
    pub(crate) json: String,
}

/// What is sent at once. Sent again it has the same id, so that its receiver can tell.
#[derive(Debug)]
pub(crate) struct Transaction {
    id: String,
    pdus: Vec<Arc<Pdu>>,
    edus: Vec<String>,
    /// The messages to devices among the EDUs, which wait in the database until it has arrived.
    pub(crate) messages: Vec<Place>,
}

/// Why a transaction was not taken.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: FederationError,
    /// The server asks to be left alone for this long.
    pub(crate) retry_after_ms: Option<i64>,
}

/// How to another server.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) server: Arc<Server>,
    pub(crate) federation: Federation,
}

impl Transaction {
    /// A transaction of events is named by what it holds: after a restart the same one is made
    /// again. One of EDUs alone may say the same as an earlier one and mean it, so it gets a name
    /// of its own.
    pub(crate) fn new(server: &Server, pdus: Vec<Arc<Pdu>>, edus: Vec<String>) -> Self {
        let id = if pdus.is_empty() {
            server.random_token(22)
        } else {
            let mut hash = Sha256::new();
            let ids = pdus.iter().map(|pdu| &pdu.id);
            for part in ids.chain(&edus) {
                hash.update(part.len().to_be_bytes());
                hash.update(part);
            }
            URL_SAFE_NO_PAD.encode(&hash.finalize()[..18])
        };
        Self {
            id,
            pdus,
            edus,
            messages: Vec::new(),
        }
    }

    /// The same, with these messages among its EDUs.
    pub(crate) fn with_messages(self, messages: Vec<Place>) -> Self {
        Self { messages, ..self }
    }

    /// Sends it and waits for the answer. If the server does not take it as it is, each event is
    /// sent alone, so that one of them cannot keep back the others; what is not taken even so is
    /// given up.
    pub(crate) async fn send(&self, line: &Line, to: &ServerName) -> Result<(), Failure> {
        let Err(error) = self.send_once(line, to).await else {
            return Ok(());
        };
        if !is_about_content(&error) {
            return Err(Failure::new(error));
        }
        if self.pdus.len() + self.edus.len() <= 1 {
            self.give_up(to, &error);
            return Ok(());
        }
        let pdus = self.pdus.iter().map(|pdu| (vec![pdu.clone()], Vec::new()));
        let edus = self.edus.iter().map(|edu| (Vec::new(), vec![edu.clone()]));
        for (pdus, edus) in pdus.chain(edus) {
            let alone = Self::new(&line.server, pdus, edus);
            match alone.send_once(line, to).await {
                Ok(()) => {}
                Err(error) if is_about_content(&error) => alone.give_up(to, &error),
                Err(error) => return Err(Failure::new(error)),
            }
        }
        Ok(())
    }

    async fn send_once(&self, line: &Line, to: &ServerName) -> Result<(), FederationError> {
        let request = Request::put(format!("/_matrix/federation/v1/send/{}", self.id))
            .header(header::CONTENT_TYPE, "application/json")
            .body(self.body(&line.server))
            .map_err(|error| FederationError::Request(error.to_string()))?;
        match line.federation.request(to, request, LIMITS).await {
            Ok(response) => {
                log_refused(to, response.body());
                Ok(())
            }
            // The operator does not want to speak with it any more: there is nothing to send.
            Err(FederationError::NotAllowed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn body(&self, server: &Server) -> Bytes {
        let pdus: Vec<_> = self.pdus.iter().map(|pdu| pdu.json.as_str()).collect();
        let (name, now_ms) = (&server.name, server.now_ms());
        let (pdus, edus) = (pdus.join(","), self.edus.join(","));
        let body = format!(
            r#"{{"edus":[{edus}],"origin":"{name}","origin_server_ts":{now_ms},"pdus":[{pdus}]}}"#
        );
        Bytes::from(body)
    }

    fn give_up(&self, to: &ServerName, error: &FederationError) {
        let what = self.pdus.first().map_or("an EDU", |pdu| pdu.id.as_str());
        tracing::warn!(%to, what, %error, "the server does not take this, which is given up");
    }
}

impl Failure {
    fn new(error: FederationError) -> Self {
        let retry_after_ms = match &error {
            FederationError::Refused { status, body, .. }
                if *status == StatusCode::TOO_MANY_REQUESTS =>
            {
                body["retry_after_ms"].as_i64()
            }
            _ => None,
        };
        Self {
            error,
            retry_after_ms,
        }
    }
}

/// Whether what was sent is at fault, and not the server or the way to it.
fn is_about_content(error: &FederationError) -> bool {
    match error {
        FederationError::Request(_) => true,
        FederationError::Refused { status, .. } => {
            *status == StatusCode::BAD_REQUEST || *status == StatusCode::PAYLOAD_TOO_LARGE
        }
        _ => false,
    }
}

/// Notes which events the server has not taken. That is its own affair, and an answer that is not
/// as specified has been given all the same.
fn log_refused(to: &ServerName, body: &[u8]) {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        pdus: std::collections::BTreeMap<String, &'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Outcome {
        error: Option<String>,
    }
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(body) else {
        return;
    };
    for (event, outcome) in answer.pdus {
        if let Ok(Outcome { error: Some(error) }) = serde_json::from_str(outcome.get()) {
            tracing::debug!(%to, %event, %error, "the server has refused an event");
        }
    }
}
