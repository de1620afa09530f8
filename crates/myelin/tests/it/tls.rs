//! Listeners with certificates, in this process.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
};

use myelin::{
    Environment,
    config::{Loaded, Sources, load},
    run,
};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, Stream,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn every_usual_form_of_key_serves() {
    for (cert, key) in [
        ("rsa.crt", "rsa-pkcs1.key"),
        ("rsa.crt", "rsa-pkcs8.key"),
        ("ec.crt", "ec-pkcs8.key"),
        ("ec.crt", "ec-sec1.key"),
    ] {
        let dir = TempDir::new().unwrap();
        let loaded = configuration(&dir, &fixture(cert), &fixture(key));
        let running = run(&loaded.settings, Environment::system()).await.unwrap();
        let [plain, tls] = running.addresses()[..] else {
            panic!("two listeners")
        };
        let answer = health_over_tls(tls, &fixture(cert)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{key}: {answer}");
        assert!(TcpStream::connect(plain).is_ok());
        running.stop().await;
        assert!(TcpStream::connect(plain).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_after_a_reload() {
    let dir = TempDir::new().unwrap();
    let (cert, key) = (dir.path().join("a.crt"), dir.path().join("a.key"));
    let put = |new_cert: &str, new_key: &str| {
        fs::copy(fixture(new_cert), &cert).unwrap();
        fs::copy(fixture(new_key), &key).unwrap();
    };
    put("rsa.crt", "rsa-pkcs1.key");
    let loaded = configuration(&dir, &cert, &key);
    let running = run(&loaded.settings, Environment::system()).await.unwrap();
    let address = running.addresses()[1];
    health_over_tls(address, &fixture("rsa.crt")).unwrap();
    put("ec.crt", "ec-sec1.key");
    health_over_tls(address, &fixture("rsa.crt")).unwrap();
    running.apply(&loaded.settings);
    health_over_tls(address, &fixture("ec.crt")).unwrap();
    running.stop().await;
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

/// Two listeners on ports of the system's choice, the second with TLS.
fn configuration(dir: &TempDir, cert: &Path, key: &Path) -> Loaded {
    let file = dir.path().join("myelin.toml");
    let text = format!(
        "data_dir = '{}'\n[[listeners]]\nport = 0\n[[listeners]]\nport = 0\n\
         tls_cert = '{}'\ntls_key = '{}'\n",
        dir.path().display(),
        cert.display(),
        key.display()
    );
    fs::write(&file, text).expect("the folder was made for this test");
    let sources = Sources {
        file: Some(file),
        variables: Vec::new(),
    };
    load(&sources).expect("the configuration is right")
}

/// `GET /health` over a connection on which the server shows exactly `cert`.
fn health_over_tls(address: SocketAddr, cert: &Path) -> std::io::Result<String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pinned = Pinned {
        cert: CertificateDer::from_pem_file(cert).expect("the fixture is PEM"),
        provider: provider.clone(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("this is a name");
    let mut connection =
        ClientConnection::new(Arc::new(config), name).expect("the configuration is complete");
    let mut socket = TcpStream::connect(address)?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Accepts one certificate, whoever signed it: the fixtures sign themselves.
#[derive(Debug)]
struct Pinned {
    cert: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.cert {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("another certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
