//! Networks by their usual notation.

use std::net::IpAddr;

use serde::Deserialize;

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `10.0.0.0/8`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits =
            bits.map_or(Some(most), |bits| bits.parse().ok()).filter(|bits| *bits <= most)?;
        Some(Self { address, bits })
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(self.address, self.bits) == masked(address, self.bits)
    }
}

/// The first `bits` bits of an address, IPv4 and IPv6 distinguished.
fn masked(address: IpAddr, bits: u8) -> (bool, u128) {
    let (four, number, width) = match address {
        IpAddr::V4(four) => (true, u128::from(u32::from(four)), 32_u32),
        IpAddr::V6(six) => (false, u128::from(six), 128),
    };
    let dropped = width.saturating_sub(u32::from(bits));
    (four, number.checked_shr(dropped).unwrap_or_default())
}

/// An address as far as one household or host has it: all of IPv4, the /64 of IPv6.
pub fn client_network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(_) => format!("{:x}", masked(address, 64).1),
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
