//! `graphql-transport-ws`: subscriptions, and queries and mutations for clients that have nothing
//! else. The same guard, cost and limits stand before a message as before a request.

mod allowance;
mod connection;
mod credentials;
mod messages;
mod operation;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use super::answer::{Refusal, refusal};
use super::execute::Refused;
use super::{RequestId, Served, origin};
use plaza_config::network::client_network;
use plaza_graphql::error::ErrorCode;
use plaza_telemetry::metrics::GaugeGuard;

/// The only protocol spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// What a socket reads at a time; the library's 128 KiB would cost 13 GB for 100,000 idle sockets.
const READ_BUFFER: usize = 1_024;
/// What may wait for a client that reads slowly, in bytes.
const WRITE_BUFFER: usize = 256 * 1_024;

/// How many sockets each client network has open at this server.
#[derive(Debug, Default)]
pub struct Sockets {
    open: Mutex<HashMap<String, usize>>,
}

/// One open socket or event stream; dropped, it is counted no more.
#[derive(Debug)]
pub(crate) struct Open {
    sockets: Arc<Sockets>,
    client_network: String,
    _counted: GaugeGuard,
}

impl Sockets {
    fn open(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Open> {
        let client_network = client_network(address);
        let mut open = self.open.lock();
        let count = open.entry(client_network.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Open {
            sockets: Arc::clone(self),
            client_network,
            _counted: GaugeGuard::new(metrics::gauge!("plaza_sockets")),
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.sockets.open.lock();
        if let Some(count) = open.get_mut(&self.client_network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client_network);
            }
        }
    }
}

/// Takes a handshake.
pub fn accept(
    served: Served,
    id: RequestId,
    address: IpAddr,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    match admit(&served, address, headers) {
        Ok(open) => {
            let upgrade = upgrade
                .protocols([PROTOCOL])
                .read_buffer_size(READ_BUFFER)
                .write_buffer_size(0)
                .max_write_buffer_size(WRITE_BUFFER)
                .max_message_size(served.app.config.server.body_limit)
                .max_frame_size(served.app.config.server.body_limit);
            let tasks = served.app.tasks.clone();
            upgrade.on_upgrade(move |socket| async move {
                // Waited for at the end, so that each client gets a close frame before the process
                // ends.
                tasks.spawn_detached(connection::serve(served, id, address, socket, open));
            })
        }
        Err(refused) => refused.into_response(),
    }
}

fn admit(served: &Served, address: IpAddr, headers: &HeaderMap) -> Result<Open, Refusal> {
    if !origin::is_allowed(&served.app.config.server, headers) {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden,
            "pages of this origin may not use the API",
        ));
    }
    let offered = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    if !offered.flat_map(|value| value.split(',')).any(|protocol| protocol.trim() == PROTOCOL) {
        return Err(refusal(
            StatusCode::BAD_REQUEST,
            ErrorCode::BadUserInput,
            format!("the WebSocket protocol is {PROTOCOL}"),
        ));
    }
    Ok(place(served, address)?)
}

/// A place for something that stays open: a socket, or an event stream.
///
/// # Errors
/// `OVERLOADED` from a server that stops; `RATE_LIMITED` where the address has as many as it may.
pub(crate) fn place(served: &Served, address: IpAddr) -> Result<Open, Refused> {
    if !served.app.tasks.is_ready() {
        return Err(Refused::until_later(ErrorCode::Overloaded, "this server is stopping", 1));
    }
    let most = served.app.config.limits.sockets_per_address;
    served.sockets.open(address, most).ok_or_else(|| {
        let message = "too many sockets from this address";
        Refused::until_later(ErrorCode::RateLimited, message, 10)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_a_household_are_bounded() {
        let sockets = Arc::new(Sockets::default());
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let held: Vec<Open> = (0..2).filter_map(|_| sockets.open(address, 2)).collect();
        assert_eq!(held.len(), 2);
        assert!(sockets.open(address, 2).is_none());
        assert!(sockets.open("10.0.0.2".parse().unwrap(), 2).is_some());
        drop(held);
        assert!(sockets.open(address, 2).is_some());
        assert!(sockets.open.lock().is_empty());
    }
}
