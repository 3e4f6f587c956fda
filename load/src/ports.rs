//! Where this clone's plaza is, and which ports are its own: a second clone on one machine runs on
//! ports that are shifted, all by as many, and seeded people are alike in every clone. Whoever asks
//! the wrong one is logged in there and nowhere else.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context;
use plaza::config::Config;

/// nginx's port in a clone whose ports are not shifted.
const UNSHIFTED: u16 = 4_000;

static SHIFT: OnceLock<u16> = OnceLock::new();

/// Reads off the configuration where GraphQL is served, and by how much ports are shifted.
///
/// # Errors
/// A configuration that cannot be read, or whose `server.public_url` is no address.
pub fn find(config: &Path) -> anyhow::Result<String> {
    let public = Config::load(Some(&config.to_path_buf()))?.server.public_url;
    let (url, shift) = read(&public)?;
    SHIFT.get_or_init(|| shift);
    Ok(url)
}

/// The endpoint of a public address, and the shift that its port tells.
fn read(public: &str) -> anyhow::Result<(String, u16)> {
    let base = reqwest::Url::parse(public)
        .with_context(|| format!("server.public_url is no address: {public}"))?;
    let shift = base.port().and_then(|port| port.checked_sub(UNSHIFTED)).unwrap_or(0);
    Ok((format!("{}/graphql", public.trim_end_matches('/')), shift))
}

/// The port of this clone that an unshifted one has as `port`.
pub fn at(port: u16) -> u16 {
    port.saturating_add(SHIFT.get().copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_finds_its_own_endpoint_and_ports() {
        let of = |public: &str| read(public).unwrap();
        assert_eq!(of("http://127.0.0.1:4000"), ("http://127.0.0.1:4000/graphql".to_owned(), 0));
        assert_eq!(of("http://127.0.0.1:4500/"), ("http://127.0.0.1:4500/graphql".to_owned(), 500));
        assert_eq!(of("https://plaza.example"), ("https://plaza.example/graphql".to_owned(), 0));
        assert_eq!(of("http://127.0.0.1:80"), ("http://127.0.0.1:80/graphql".to_owned(), 0));
        assert!(read("nowhere").is_err());
    }
}
