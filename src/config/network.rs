//! Networks by their usual notation.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use serde::Deserialize;

/// A network, in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// `10.0.0.0/8`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| alone()).ok().map(Self)
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

/// An address as far as one network or host has it: all of IPv4, the /64 of IPv6.
pub fn client_network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            let network = Ipv6Net::new(six, 64).map(|net| net.trunc());
            network.unwrap_or_else(|_| six.into()).to_string()
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no network: write 10.0.0.0/8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_parsed_or_not() {
        for bad in ["", "1.2.3", "1.2.3.4/33", "::/129", "x/8"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        assert!(Network::parse("::1/128").unwrap().contains("::1".parse().unwrap()));
        assert!(!Network::parse("0.0.0.0/0").unwrap().contains("::1".parse().unwrap()));
    }
}
