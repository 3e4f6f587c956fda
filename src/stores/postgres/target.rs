//! Where a server is, and how it is reached.

use std::path::Path;

use plaza_config::redacted;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{StoreError, tls};

/// A URL as libpq takes it. Of `sslmode`, `disable` (the default here) and `verify-full` are known;
/// `sslrootcert` is the PEM file with the certificate authorities, the system's without it.
#[derive(Clone)]
pub struct Target {
    pub(super) config: Config,
    tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

/// What carries a connection; it ends when this does.
pub type Driver =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: not a URL, another `sslmode`, or certificate authorities that
    /// cannot be read.
    pub fn parse(url: &SecretString) -> Result<Self, StoreError> {
        let bad = |why: String| {
            StoreError::unavailable("postgres", format!("bad URL {}: {why}", redacted(url)))
        };
        let (plain, mode) = tls::take_parameter(url.expose_secret(), "sslmode");
        let (plain, ca_file) = tls::take_parameter(&plain, "sslrootcert");
        let mut config: Config = plain.parse().map_err(|error| bad(format!("{error}")))?;
        let verified = match mode.as_deref() {
            None | Some("disable") => false,
            Some("verify-full") => true,
            Some(other) => {
                return Err(bad(format!("sslmode is disable or verify-full, not {other}")));
            }
        };
        let client = if verified {
            config.ssl_mode(SslMode::Require);
            tls::client_config(ca_file.as_deref().map(Path::new)).map_err(bad)?
        } else {
            config.ssl_mode(SslMode::Disable);
            tls::untrusting().map_err(bad)?
        };
        Ok(Self { config, tls: MakeRustlsConnect::new(client) })
    }

    /// Opens a connection; whoever calls drives it.
    ///
    /// # Errors
    /// The server's or the network's.
    pub async fn connect(&self) -> Result<(Client, Driver), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }
}

/// Drives a connection until its client is dropped.
pub(super) fn driven((client, driver): (Client, Driver)) -> Client {
    #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
    tokio::spawn(driver);
    client
}

/// Opens a connection of its own to the server of a URL, and drives it until it is dropped.
///
/// # Errors
/// A bad URL; the server's or the network's.
pub async fn connect(url: &SecretString) -> anyhow::Result<Client> {
    Ok(driven(Target::parse(url)?.connect().await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_whether_a_connection_is_encrypted() {
        let mode =
            |url: &str| Target::parse(&url.into()).map(|target| target.config.get_ssl_mode());
        assert_eq!(mode("postgres://a:b@h/db").unwrap(), SslMode::Disable);
        assert_eq!(mode("postgres://a:b@h/db?sslmode=disable").unwrap(), SslMode::Disable);
        for bad in ["prefer", "require", "verify-ca", ""] {
            let refused = mode(&format!("postgres://a:secret@h/db?sslmode={bad}")).unwrap_err();
            assert!(refused.to_string().contains("verify-full"), "{refused}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
        let nowhere = mode("postgres://a:b@h/db?sslmode=verify-full&sslrootcert=/nowhere/ca.crt");
        assert!(nowhere.unwrap_err().to_string().contains("/nowhere/ca.crt"));
    }
}
