//! The names and sockets of the operating system.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
};
use tokio::net::TcpStream;

use super::{Internet, LookupError, Pending, Service, Socket, hosts_file::HostsFile};

/// How long one name server is waited for, whatever the system's configuration says.
const NAME_SERVER_TIMEOUT: Duration = Duration::from_secs(2);
/// Answers kept in memory, for as long as they say.
const CACHE_SIZE: u64 = 10_000;

/// The hosts file, then the name servers of `/etc/resolv.conf`.
pub struct SystemInternet {
    hosts: HostsFile,
    resolver: TokioResolver,
}

impl SystemInternet {
    /// To be called within a tokio runtime. Without a usable configuration of name servers only the
    /// hosts file is left, which is said in the log.
    pub fn new() -> Result<Self, LookupError> {
        Self::with_hosts_file(PathBuf::from("/etc/hosts"))
    }

    fn with_hosts_file(hosts: PathBuf) -> Result<Self, LookupError> {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "there are no name servers: only the hosts file is asked");
            TokioResolver::builder_with_config(
                ResolverConfig::from_parts(None, Vec::new(), Vec::new()),
                TokioRuntimeProvider::default(),
            )
        });
        let mut builder = builder;
        set_options(builder.options_mut());
        let resolver = builder
            .build()
            .map_err(|error| failure("the name servers", &error))?;
        Ok(Self {
            hosts: HostsFile::new(hosts),
            resolver,
        })
    }
}

fn set_options(options: &mut ResolverOpts) {
    options.timeout = options.timeout.min(NAME_SERVER_TIMEOUT);
    options.attempts = options.attempts.min(1);
    options.cache_size = CACHE_SIZE;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Ours is read again when it changes.
    options.use_hosts_file = ResolveHosts::Never;
}

impl Internet for SystemInternet {
    fn addresses<'a>(&'a self, host: &'a str) -> Pending<'a, Result<Vec<IpAddr>, LookupError>> {
        Box::pin(async move {
            let known = self.hosts.find(host);
            if !known.is_empty() {
                return Ok(known);
            }
            match self.resolver.lookup_ip(host).await {
                Ok(found) => Ok(found.iter().collect()),
                Err(error) if is_nothing(&error) => Ok(Vec::new()),
                Err(error) => Err(failure(host, &error)),
            }
        })
    }

    fn services<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Vec<Service>, LookupError>> {
        Box::pin(async move {
            // The dot keeps the search list of the system away from it.
            let found = match self.resolver.srv_lookup(format!("{name}.")).await {
                Ok(found) => found,
                Err(error) if is_nothing(&error) => return Ok(Vec::new()),
                Err(error) => return Err(failure(name, &error)),
            };
            let records = found.answers().iter();
            Ok(records
                .filter_map(|record| match &record.data {
                    RData::SRV(service) => Some(Service {
                        priority: service.priority,
                        weight: service.weight,
                        port: service.port,
                        host: service.target.to_ascii().trim_end_matches('.').to_owned(),
                    }),
                    _ => None,
                })
                .collect())
        })
    }

    fn connect(&self, address: SocketAddr) -> Pending<'_, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }
}

fn is_nothing(error: &NetError) -> bool {
    error.is_nx_domain() || error.is_no_records_found()
}

fn failure(name: &str, error: &NetError) -> LookupError {
    LookupError {
        name: name.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn the_hosts_file_comes_before_the_name_servers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        std::fs::write(&file, "127.0.0.1 hs1\n").unwrap();
        let internet = SystemInternet::with_hosts_file(file).unwrap();
        let found = internet.addresses("hs1").await.unwrap();
        assert_eq!(found, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn connects_to_an_address() {
        let folder = tempfile::tempdir().unwrap();
        let internet = SystemInternet::with_hosts_file(folder.path().join("hosts")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(internet.connect(address), listener.accept());
        let (mut client, (mut server, _)) = (client.unwrap(), server.unwrap());
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'x');
    }
}
