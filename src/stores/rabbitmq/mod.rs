//! RabbitMQ: the queues of jobs.

pub mod depths;
pub mod publisher;
pub mod topology;

use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};

use super::StoreError;

/// Opens a connection.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn connect(url: &SecretString, name: &str) -> Result<Connection, StoreError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = Connection::connect(url.expose_secret(), properties);
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
