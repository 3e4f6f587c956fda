//! RabbitMQ: the queues of jobs.

pub mod depths;
pub mod publisher;
pub mod topology;

use lapin::tcp::OwnedTLSConfig;
use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};

use crate::{StoreError, tls};

/// The parameter that names the PEM file with the certificate authorities of an `amqps://` server,
/// as RabbitMQ's URIs call it; the system's are trusted besides.
const AUTHORITIES: &str = "cacertfile";

/// Opens a connection.
///
/// # Errors
/// [`StoreError::Unavailable`], also when the certificate authorities cannot be read.
pub async fn connect(url: &SecretString, name: &str) -> Result<Connection, StoreError> {
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
