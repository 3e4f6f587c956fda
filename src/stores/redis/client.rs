//! A client of the configured server.

use redis::{Client, RedisResult, TlsCertificates};
use secrecy::{ExposeSecret, SecretString};

use crate::tls;

/// The parameter that names the PEM file with the certificate authorities of a `rediss://` server,
/// as redis-py calls it; the system's without it.
const AUTHORITIES: &str = "ssl_ca_certs";

/// The client of a URL; nothing is connected yet.
///
/// # Errors
/// A URL that is none, and certificate authorities that cannot be read.
pub fn client(url: &SecretString) -> RedisResult<Client> {
    let (address, ca_file) = tls::take_parameter(url.expose_secret(), AUTHORITIES);
    if !address.starts_with("rediss://") {
        return Client::open(address);
    }
    tls::install_provider();
    let root_cert = ca_file
        .map(|file| {
            std::fs::read(&file)
                .map_err(|error| std::io::Error::new(error.kind(), format!("{file}: {error}")))
        })
        .transpose()?;
    Client::build_with_tls(address, TlsCertificates { client_tls: None, root_cert })
}
