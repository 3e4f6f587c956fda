//! Where a shard is, as PostgreSQL's own programs take it.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::Host;

use super::target::Target;
use crate::{StoreError, tls};
use plaza_config::ShardUrls;

/// A connection string of libpq (`host=.. port=..`), and what is not to stand in one: arguments of
/// a process are everybody's to read.
#[derive(Debug, Clone)]
pub struct Libpq {
    /// All of the shard's servers, of which the one that takes writes is meant.
    pub conninfo: String,
    /// For `PGPASSWORD`.
    pub password: Option<SecretString>,
}

impl Libpq {
    /// Of a shard's servers; user, password and TLS are those of its primary's URL.
    ///
    /// # Errors
    /// A URL that is none; a server that is reached by a socket file beside one by TCP.
    pub fn of(urls: &ShardUrls, application: &str) -> Result<Self, StoreError> {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for url in std::iter::once(&urls.primary).chain(&urls.replicas) {
            let target = Target::parse(url)?;
            let listed = target.config.get_ports();
            for (number, host) in target.config.get_hosts().iter().enumerate() {
                hosts.push(match host {
                    Host::Tcp(name) => name.clone(),
                    Host::Unix(folder) => folder.display().to_string(),
                });
                let port = listed.get(number).or(listed.first()).copied().unwrap_or(5432);
                ports.push(port.to_string());
            }
        }
        let primary = Target::parse(&urls.primary)?.config;
        let (rest, mode) = tls::take_parameter(urls.primary.expose_secret(), "sslmode");
        let authorities = tls::take_parameter(&rest, "sslrootcert").1;
        let mut pairs = vec![
            ("host", hosts.join(",")),
            ("port", ports.join(",")),
            ("user", primary.get_user().unwrap_or_default().to_owned()),
            ("dbname", primary.get_dbname().unwrap_or_default().to_owned()),
            ("sslmode", mode.unwrap_or_else(|| "disable".to_owned())),
            ("application_name", application.to_owned()),
            ("target_session_attrs", "read-write".to_owned()),
            ("connect_timeout", "5".to_owned()),
            ("keepalives_idle", "5".to_owned()),
            ("keepalives_interval", "2".to_owned()),
            ("keepalives_count", "3".to_owned()),
        ];
        pairs.extend(authorities.map(|file| ("sslrootcert", file)));
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        let password = primary.get_password().map(String::from_utf8_lossy);
        Ok(Self {
            conninfo: pairs.join(" "),
            password: password.map(|password| password.into_owned().into()),
        })
    }
}

/// A value of a connection string.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A value of `postgresql.conf`; `None` where a line cannot hold it.
pub fn setting(value: &str) -> Option<String> {
    let is_line = !value.contains(['\n', '\r']);
    is_line.then(|| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''")))
}

/// Whether a folder has what PostgreSQL keeps at the root of its data.
pub fn is_data_folder(folder: &Path) -> bool {
    folder.join("PG_VERSION").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_servers_of_a_shard_are_named_and_the_password_is_not() {
        let urls = ShardUrls {
            primary: "postgres://plaza:it's@a:15000/plaza?sslmode=disable".into(),
            replicas: vec!["postgres://plaza:it's@b:15001/plaza".into()],
        };
        let libpq = Libpq::of(&urls, "backup").unwrap();
        assert!(libpq.conninfo.starts_with("host='a,b' port='15000,15001' user='plaza'"));
        assert!(libpq.conninfo.contains("target_session_attrs='read-write'"));
        assert!(!libpq.conninfo.contains("it\\'s"), "{}", libpq.conninfo);
        assert!(!libpq.conninfo.contains("password"), "{}", libpq.conninfo);
        assert_eq!(libpq.password.unwrap().expose_secret(), "it's");
        assert_eq!(quoted(r"a'b\"), r"'a\'b\\'");
        assert_eq!(setting("a'b").as_deref(), Some("'a''b'"));
        assert_eq!(setting("a\nb"), None);
    }
}
