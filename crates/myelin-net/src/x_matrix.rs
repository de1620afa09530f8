//! Request authentication between servers: the header `Authorization: X-Matrix`, both ways.

mod header;

use http::{HeaderValue, Request, header::AUTHORIZATION};
use myelin_core::{event::PublicKeys, server::Server};
use ruma::{
    CanonicalJsonObject, OwnedServerName, ServerName, api::federation::authentication,
    serde::Base64, signatures::verify_json,
};

use self::header::Credentials;

/// The credentials of a request, as they were read from its header.
#[derive(Clone, Debug)]
pub struct XMatrix {
    header: Credentials,
}

/// Why a request is not taken for one of the server that it names.
#[derive(Debug, thiserror::Error)]
pub enum XMatrixError {
    /// There is no such header, or it cannot be read.
    #[error("{0}")]
    Header(String),
    /// It is meant for another server.
    #[error("the request is addressed to {0}")]
    Destination(OwnedServerName),
    /// The body is not JSON that could have been signed.
    #[error("the body is not JSON: {0}")]
    Body(serde_json::Error),
    /// The signature does not hold.
    #[error("the signature of the request is not valid")]
    Signature,
}

impl XMatrix {
    /// Reads the credentials of a request to this server.
    pub fn of(headers: &http::HeaderMap, destination: &ServerName) -> Result<Self, XMatrixError> {
        let text = headers.get(AUTHORIZATION).map(HeaderValue::to_str);
        let text = match text {
            Some(Ok(text)) => text,
            Some(Err(error)) => return Err(XMatrixError::Header(error.to_string())),
            None => return Err(XMatrixError::Header("the request is not signed".to_owned())),
        };
        let header = header::parse(text)?;
        if let Some(named) = header
            .destination
            .as_ref()
            .filter(|name| *name != destination)
        {
            return Err(XMatrixError::Destination(named.clone()));
        }
        Ok(Self { header })
    }

    /// Reads the text of a header, whatever server it is for.
    pub fn parse(text: &str) -> Result<Self, XMatrixError> {
        Ok(Self {
            header: header::parse(text)?,
        })
    }

    /// Adds a server's credentials to its request.
    pub fn sign<T: AsRef<[u8]>>(
        server: &Server,
        destination: &ServerName,
        request: &mut Request<T>,
    ) -> Result<(), XMatrixError> {
        let object = signed_object(request, &server.name, destination)?;
        let signature = server
            .key
            .sign(myelin_core::json::to_canonical(&object).as_bytes());
        let key = server.key.key_id().try_into();
        let header = authentication::XMatrix::new(
            server.name.clone(),
            destination.to_owned(),
            key.map_err(|error: ruma::IdParseError| XMatrixError::Header(error.to_string()))?,
            Base64::new(signature.to_vec()),
        );
        let value = HeaderValue::from(&header);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }

    /// Which server is said to have made the request.
    pub fn origin(&self) -> &ServerName {
        &self.header.origin
    }

    /// The id of the key that it is said to be signed with.
    pub fn key_id(&self) -> &str {
        &self.header.key_id
    }

    /// Whether the origin has signed this request. The address is the one that was asked for, the
    /// query included.
    pub fn verify<T: AsRef<[u8]>>(
        &self,
        request: &Request<T>,
        destination: &ServerName,
        keys: &PublicKeys,
    ) -> Result<(), XMatrixError> {
        let mut object = signed_object(request, self.origin(), destination)?;
        let signature = (
            self.key_id().to_owned(),
            self.header.signature.encode().into(),
        );
        let signatures = (
            self.origin().to_string(),
            CanonicalJsonObject::from([signature]).into(),
        );
        let signatures = CanonicalJsonObject::from([signatures]);
        object.insert("signatures".to_owned(), signatures.into());
        verify_json(keys, &object).map_err(|_| XMatrixError::Signature)
    }
}

fn signed_object<T: AsRef<[u8]>>(
    request: &Request<T>,
    origin: &ServerName,
    destination: &ServerName,
) -> Result<CanonicalJsonObject, XMatrixError> {
    authentication::XMatrix::request_object(request, origin, destination)
        .map_err(XMatrixError::Body)
}
