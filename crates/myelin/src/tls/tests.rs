//! Tests of reading certificates and keys.

use super::*;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

#[test]
fn every_usual_form_of_key_is_read() {
    for (cert, key) in [
        ("rsa.crt", "rsa-pkcs1.key"),
        ("rsa.crt", "rsa-pkcs8.key"),
        ("ec.crt", "ec-pkcs8.key"),
        ("ec.crt", "ec-sec1.key"),
    ] {
        let certificate = Certificate::load(&file(cert), &file(key)).unwrap();
        let config = certificate.server_config().unwrap();
        assert_eq!(config.alpn_protocols, [&b"h2"[..], b"http/1.1"], "{key}");
    }
}

#[test]
fn errors_name_the_file_at_fault() {
    let dir = tempfile::tempdir().unwrap();
    let (empty, broken) = (dir.path().join("empty.pem"), dir.path().join("broken.pem"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(
        &broken,
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let missing = dir.path().join("missing.pem");
    let (cert, key) = (file("rsa.crt"), file("rsa-pkcs8.key"));
    for (cert, key, wanted) in [
        (&missing, &key, "cannot read the TLS file"),
        (&cert, &missing, "cannot read the TLS file"),
        (&empty, &key, "there is no certificate"),
        (&key, &key, "there is no certificate"),
        (&cert, &empty, "there is no private key"),
        (&cert, &cert, "there is no private key"),
        (&broken, &key, "is not PEM"),
        (
            &cert,
            &file("ec-sec1.key"),
            "does not belong to the certificate",
        ),
    ] {
        let error = Certificate::load(cert, key).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
        assert!(error.contains('/'), "{error}");
    }
}

#[test]
fn a_certificate_is_exchanged_and_kept_when_the_new_one_is_broken() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("a.crt"), dir.path().join("a.key"));
    let put = |cert_from: &str, key_from: &str| {
        std::fs::copy(file(cert_from), &cert).unwrap();
        std::fs::copy(file(key_from), &key).unwrap();
    };
    put("rsa.crt", "rsa-pkcs1.key");
    let certificate = Certificate::load(&cert, &key).unwrap();
    let chain = || certificate.current.read().cert.clone();
    let first = chain();
    put("ec.crt", "rsa-pkcs1.key");
    certificate.reload().unwrap_err();
    assert_eq!(chain(), first);
    put("ec.crt", "ec-sec1.key");
    certificate.reload().unwrap();
    assert_ne!(chain(), first);
}
