//! RabbitMQ: the queues of jobs.

pub mod depths;
pub mod discard;
pub mod publisher;
pub mod topology;

use lapin::tcp::OwnedTLSConfig;
use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};

use crate::{StoreError, tls};

/// The parameter that names the PEM file with the certificate authorities of an `amqps://` server,
/// as RabbitMQ's URIs call it; the system's are trusted besides.
const AUTHORITIES: &str = "cacertfile";

/// The parameter of a heartbeat in seconds, as RabbitMQ's URIs call it.
const HEARTBEAT: &str = "heartbeat";
/// The heartbeat of an address that names none; without one of ours lapin takes the broker's own, a
/// minute.
const HEARTBEAT_S: u16 = 10;
/// The same for the connection by which a worker is handed jobs. The broker looks once an interval,
/// and ends a connection that was silent at two looks: what a worker holds that hangs is handed to
/// another one two to three seconds later.
pub(crate) const WORKERS_HEARTBEAT_S: u16 = 1;

/// An address with a heartbeat: its own, or ours. The broker's own is taken if that is shorter.
fn with_heartbeat(address: &str, seconds: u16) -> String {
    if tls::take_parameter(address, HEARTBEAT).1.is_some() {
        return address.to_owned();
    }
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{HEARTBEAT}={seconds}")
}

/// Opens a connection, with a heartbeat of 10 s unless the address names another.
///
/// # Errors
/// [`StoreError::Unavailable`], also when the certificate authorities cannot be read.
pub async fn connect(url: &SecretString, name: &str) -> Result<Connection, StoreError> {
    open(url, name, HEARTBEAT_S).await
}

/// The same for a worker that is to be handed jobs: with a heartbeat of 1 s.
///
/// # Errors
/// As [`connect`].
pub async fn connect_worker(url: &SecretString, name: &str) -> Result<Connection, StoreError> {
    open(url, name, WORKERS_HEARTBEAT_S).await
}

async fn open(url: &SecretString, name: &str, heartbeat_s: u16) -> Result<Connection, StoreError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let (address, ca_file) = tls::take_parameter(url.expose_secret(), AUTHORITIES);
    let cert_chain = ca_file
        .map(|file| {
            std::fs::read_to_string(&file)
                .map_err(|error| StoreError::unavailable("rabbitmq", format!("{file}: {error}")))
        })
        .transpose()?;
    let trust = OwnedTLSConfig { identity: None, cert_chain };
    let runtime = lapin::runtime::default_runtime()
        .map_err(|error| StoreError::unavailable("rabbitmq", error))?;
    let address = with_heartbeat(&address, heartbeat_s);
    let connecting = Connection::connect_with_config(&address, properties, trust, runtime);
    match tokio::time::timeout(std::time::Duration::from_secs(5), connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(unavailable(error)),
        Err(_) => Err(StoreError::unavailable("rabbitmq", "no answer in 5 s")),
    }
}

/// Any of lapin's errors: the connection is not to be used again.
pub fn unavailable(error: lapin::Error) -> StoreError {
    StoreError::unavailable("rabbitmq", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_heartbeat_of_its_own_or_ours() {
        for (address, with) in [
            ("amqp://a:b@h/v", "amqp://a:b@h/v?heartbeat=10"),
            ("amqp://a:b@h/v?channel_max=9", "amqp://a:b@h/v?channel_max=9&heartbeat=10"),
            ("amqp://a:b@h/v?heartbeat=3", "amqp://a:b@h/v?heartbeat=3"),
        ] {
            assert_eq!(with_heartbeat(address, 10), with);
        }
    }
}
