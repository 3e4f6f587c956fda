//! What every client of the brokers is configured with.

use rdkafka::ClientConfig;
use secrecy::ExposeSecret;

use plaza_config::KafkaConfig;

/// Where the brokers are, and how connections to them are protected.
pub fn client(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.brokers);
    client.set("security.protocol", config.security_protocol.name());
    if let Some(file) = &config.ca_file {
        client.set("ssl.ca.location", file.display().to_string());
    }
    if config.security_protocol.is_authenticated() {
        client.set("sasl.mechanisms", "SCRAM-SHA-512");
        if let Some(user) = &config.username {
            client.set("sasl.username", user);
        }
        if let Some(password) = &config.password {
            client.set("sasl.password", password.expose_secret());
        }
    }
    client
}
