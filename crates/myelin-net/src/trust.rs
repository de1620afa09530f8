//! Whose certificates are believed.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
};

/// Whose word is taken for who the other end of a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The system's authorities, and those of a PEM file.
    Authorities(Option<PathBuf>),
    /// Anybody's. For tests and closed networks.
    Anybody,
}

/// Why the authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no such file, or it may not be read.
    #[error("cannot read the authorities in {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is not a PEM file with certificates.
    #[error("{} is not a PEM file of certificates: {reason}", .file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] Error),
}

/// The set-up of connections to others, without protocols of the layer above.
pub(crate) fn client_config(trust: &Trust) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?;
    let config = match trust {
        Trust::Authorities(file) => builder
            .with_root_certificates(roots(file.as_deref())?)
            .with_no_client_auth(),
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
    };
    Ok(config)
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "some of the system's authorities cannot be read");
    }
    // Some systems hold certificates that are not valid; the others count.
    let (added, _) = roots.add_parsable_certificates(system.certs);
    if added == 0 {
        tracing::warn!("the system has no authorities that certificates could be checked against");
    }
    if let Some(file) = file {
        for certificate in read(file)? {
            roots
                .add(certificate)
                .map_err(|error| not_pem(file, &error.to_string()))?;
        }
    }
    Ok(roots)
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| match error {
            pem::Error::Io(error) => TrustError::Unreadable(file.to_owned(), error),
            other => not_pem(file, &other.to_string()),
        })?;
    if certificates.is_empty() {
        return Err(not_pem(file, "there is no BEGIN CERTIFICATE in it"));
    }
    Ok(certificates)
}

fn not_pem(file: &Path, reason: &str) -> TrustError {
    TrustError::NotPem {
        file: file.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Believes every certificate, but still checks that the other end has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let config = |file: &Path| client_config(&Trust::Authorities(Some(file.to_owned())));
        assert!(matches!(
            config(&file).unwrap_err(),
            TrustError::Unreadable(..)
        ));
        for text in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        ] {
            std::fs::write(&file, text).unwrap();
            assert!(matches!(
                config(&file).unwrap_err(),
                TrustError::NotPem { .. }
            ));
        }
    }
}
