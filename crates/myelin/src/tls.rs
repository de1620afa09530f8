//! Certificates and keys of listeners, from PEM files, exchangeable at run time.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use rustls::{
    Error as RustlsError, InconsistentKeys, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// Why a listener has no certificate. Each names the file at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read the TLS file {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("there is no certificate (BEGIN CERTIFICATE) in {}", .0.display())]
    NoCertificate(PathBuf),
    #[error("there is no private key (BEGIN PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY) in {}", .0.display())]
    NoKey(PathBuf),
    #[error("{} is not PEM: {reason}", .file.display())]
    NotPem { file: PathBuf, reason: String },
    #[error("the TLS key {} does not belong to the certificate {}", .key.display(), .cert.display())]
    NoPair { cert: PathBuf, key: PathBuf },
    #[error("the TLS certificate {} or its key {} cannot be used", .cert.display(), .key.display())]
    Unusable {
        cert: PathBuf,
        key: PathBuf,
        source: RustlsError,
    },
    #[error("TLS cannot be set up")]
    Setup(#[source] RustlsError),
}

/// The certificate of one listener: what it serves now, and where to read it again.
pub(crate) struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a certificate chain and its key.
    pub(crate) fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(Arc::new(read(cert, key, &provider)?));
        Ok(Arc::new(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            provider,
            current,
        }))
    }

    /// Reads the files again; connections made from now on get what they hold. On an error the old
    /// certificate stays.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let newer = read(&self.cert, &self.key, &self.provider)?;
        *self.current.write() = Arc::new(newer);
        Ok(())
    }

    /// The set-up of a listener that serves this certificate over HTTP/2 and HTTP/1.1.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().clone())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("cert", &self.cert)
            .finish_non_exhaustive()
    }
}

fn read(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(cert, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(cert.to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey(key.to_owned()),
        other => fault(key, other),
    })?;
    CertifiedKey::from_der(chain, private, provider).map_err(|source| {
        let (cert, key) = (cert.to_owned(), key.to_owned());
        match source {
            RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::NoPair { cert, key }
            }
            source => TlsError::Unusable { cert, key, source },
        }
    })
}

fn fault(file: &Path, error: pem::Error) -> TlsError {
    let file = file.to_owned();
    match error {
        pem::Error::Io(error) => TlsError::Unreadable(file, error),
        other => TlsError::NotPem {
            file,
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
