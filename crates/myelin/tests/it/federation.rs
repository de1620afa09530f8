//! Servers that find each other over real sockets, in this process.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
};

use myelin::{
    Environment, Running,
    config::{Sources, load},
    run,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with `ca.pem`, and a certificate of that authority for this machine.
fn certificates() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    let certificate = CertificateParams::new(names).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", authority.pem());
    write("tls.crt", certificate.pem());
    write("tls.key", key.serialize_pem());
    folder
}

/// A server with a plain listener and one with TLS, and what else its configuration says.
async fn start(folder: &TempDir, tls: &Path, name: &str, port: u16, federation: &str) -> Running {
    let file = folder.path().join("myelin.toml");
    let text = format!(
        "server_name = '{name}'\ndata_dir = '{}'\n[[listeners]]\nport = 0\n\
         [[listeners]]\nport = {port}\ntls_cert = '{}'\ntls_key = '{}'\n\
         [federation]\n{federation}\n",
        folder.path().display(),
        tls.join("tls.crt").display(),
        tls.join("tls.key").display(),
    );
    fs::write(&file, text).unwrap();
    let sources = Sources {
        file: Some(file),
        variables: Vec::new(),
    };
    let loaded = load(&sources).unwrap();
    run(&loaded.settings, Environment::system()).await.unwrap()
}

/// The body of an answer.
fn get(address: SocketAddr, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// A port that was free a moment ago: a server's name has to hold it before it listens.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// How many servers of this name are found by one with such a configuration.
async fn found(tls: &Path, name: &str, federation: &str) -> usize {
    let folder = TempDir::new().unwrap();
    let asking = start(&folder, tls, "localhost", 0, federation).await;
    let path = format!("/_matrix/key/v2/query/{name}");
    let address = asking.addresses()[0];
    let answer = tokio::task::spawn_blocking(move || get(address, &path))
        .await
        .unwrap();
    asking.stop().await;
    answer["server_keys"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_a_private_network_find_each_other() {
    let certificates = certificates();
    let tls = certificates.path();
    let ca_file = format!("ca_file = '{}'", tls.join("ca.pem").display());
    let private = "allow_private_addresses = true";
    for host in ["127.0.0.1", "localhost"] {
        let port = free_port();
        let name = format!("{host}:{port}");
        let folder = TempDir::new().unwrap();
        let asked = start(&folder, tls, &name, port, "").await;
        let both = format!("{ca_file}\n{private}");
        assert_eq!(found(tls, &name, &both).await, 1, "{name}");
        // Not by who does not know its authority, nor by who keeps to public addresses.
        assert_eq!(found(tls, &name, private).await, 0, "{name}");
        assert_eq!(found(tls, &name, &ca_file).await, 0, "{name}");
        asked.stop().await;
    }
}
