//! Keys that depend on each other: combinations that cannot work, and defaults that follow from
//! other keys.

use std::{collections::BTreeMap, net::IpAddr};

use ruma::ServerName;
use toml::Value;

use super::values::Values;

/// Reports combinations that cannot work.
pub(super) fn check(values: &mut Values) {
    for index in 0..values.listeners {
        check_tls(values, index);
    }
    check_addresses(values);
}

fn check_tls(values: &mut Values, index: usize) {
    let [cert, key] = ["tls_cert", "tls_key"].map(|name| format!("listeners.{index}.{name}"));
    for (one, other) in [(&cert, &key), (&key, &cert)] {
        if !values.text(one).is_empty() && values.text(other).is_empty() {
            values.problem(one, format!("{other} must be set, too"));
        }
    }
}

/// Two listeners cannot share an address, unless the system chooses the ports.
fn check_addresses(values: &mut Values) {
    let mut seen = BTreeMap::new();
    for index in 0..values.listeners {
        let (bind, port) = (bind(values, index), port(values, index));
        if port == 0 {
            continue;
        }
        if let Some(first) = seen.insert((bind.clone(), port), index) {
            let path = ["port", "bind"]
                .map(|name| format!("listeners.{index}.{name}"))
                .into_iter()
                .find(|path| values.get(path).is_some())
                .unwrap_or_else(|| format!("listeners.{index}.port"));
            values.problem(
                &path,
                format!("listener {first} has {bind} port {port} already"),
            );
        }
    }
}

/// The default of a key that follows from others.
pub(super) fn follow(values: &Values, path: &str) -> Value {
    let data_dir = Some(values.text("data_dir")).filter(|dir| !dir.is_empty());
    let data_dir = data_dir.unwrap_or("myelin-data").trim_end_matches('/');
    match path {
        "public_base_url" => public_base_url(values).into(),
        "database.url" => format!("sqlite://{data_dir}/myelin.db").into(),
        "media.path" => format!("{data_dir}/media").into(),
        "federation.delegate" => delegate(values).into(),
        "registration.open" => {
            let local = (0..values.listeners).all(|index| is_loopback(values, index));
            (local && host(values) == "localhost").into()
        }
        _ => unreachable!("a test asks for each key that follows from others"),
    }
}

fn public_base_url(values: &Values) -> String {
    let host = host(values);
    if host != "localhost" {
        return format!("https://{host}");
    }
    let scheme = if values.text("listeners.0.tls_cert").is_empty() {
        "http"
    } else {
        "https"
    };
    format!("{scheme}://localhost:{}", port(values, 0))
}

/// Where clients are sent by another name than the server's, its neighbours are most likely to find
/// it there, too. Where it is the same name, what serves it may not have the federation's resources,
/// and others look at port 8448 by themselves.
fn delegate(values: &Values) -> String {
    let address = values.text("public_base_url").strip_prefix("https://");
    let authority = address.and_then(|rest| rest.split('/').next());
    let Ok(server) = ServerName::parse(authority.unwrap_or_default()) else {
        return String::new();
    };
    if server.host() == host(values) {
        return String::new();
    }
    format!("{}:{}", server.host(), server.port().unwrap_or(443))
}

fn host(values: &Values) -> String {
    let name = ServerName::parse(values.text("server_name"));
    name.map_or_else(|_| "localhost".to_owned(), |name| name.host().to_owned())
}

fn is_loopback(values: &Values, index: usize) -> bool {
    bind(values, index)
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

fn bind(values: &Values, index: usize) -> String {
    let bind = values.text(&format!("listeners.{index}.bind"));
    if bind.is_empty() {
        "127.0.0.1".to_owned()
    } else {
        bind.to_owned()
    }
}

fn port(values: &Values, index: usize) -> i64 {
    let port = values
        .get(&format!("listeners.{index}.port"))
        .and_then(Value::as_integer);
    port.unwrap_or(8008)
}
