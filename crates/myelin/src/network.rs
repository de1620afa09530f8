//! The ways to other servers, and to others than servers, as the configuration wants them.

use std::sync::Arc;

use anyhow::Context;
use myelin_core::server::Server;
use myelin_net::{
    EgressGuard, Federation, FederationSettings, InternetTransport, InternetWeb, Outbound,
    SystemInternet, Trust,
};
use myelin_store::Store;

use crate::config;

/// The way through the internet.
pub(crate) fn federation(
    settings: &config::FederationSettings,
    server: &Arc<Server>,
    store: &Store,
) -> anyhow::Result<Federation> {
    let config::FederationSettings {
        allow_private_addresses,
        ca_file,
        trusted_key_servers,
        allow,
        deny,
        delegate: _,
    } = settings;
    let ca_file = (!ca_file.as_os_str().is_empty()).then(|| ca_file.clone());
    let transport = InternetTransport::new(
        Arc::new(SystemInternet::new()?),
        EgressGuard::new(*allow_private_addresses),
        &Trust::Authorities(ca_file),
        server.clock.clone(),
        server.chance.clone(),
    );
    let transport = transport.context("federation.ca_file")?;
    let settings = FederationSettings {
        allow: allow.clone(),
        deny: deny.clone(),
        trusted_key_servers: trusted_key_servers.clone(),
    };
    let (server, store) = (server.clone(), store.clone());
    Ok(Federation::new(
        server,
        store,
        Arc::new(transport),
        settings,
    ))
}

/// The way to others than servers.
pub(crate) fn outbound(settings: config::OutboundSettings) -> anyhow::Result<Outbound> {
    let config::OutboundSettings {
        allow_private_addresses,
        verify_tls,
    } = settings;
    let trust = if verify_tls {
        Trust::Authorities(None)
    } else {
        Trust::Anybody
    };
    let guard = EgressGuard::new(allow_private_addresses);
    let web = InternetWeb::new(Arc::new(SystemInternet::new()?), guard, &trust);
    Ok(Outbound::new(Arc::new(web.context("outbound")?)))
}
