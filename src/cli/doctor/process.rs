//! What the process itself needs of this machine.

use super::Wrong;
use crate::cli::listeners::{self, Listener};
use plaza_config::{AuthConfig, LimitsConfig};
use plaza_domain::identity::{Identity, Keys};

pub(super) fn signing_key(config: &AuthConfig, limits: &LimitsConfig) -> Result<String, Wrong> {
    use std::os::unix::fs::PermissionsExt;
    let file = &config.signing_key_file;
    let make = format!("run `plaza keygen {}`", file.display());
    let metadata = std::fs::metadata(file)
        .map_err(|error| Wrong::new(format!("{}: {error}", file.display()), &make))?;
    let read = Keys::read(config).and_then(|keys| Identity::new(config, limits, &keys));
    read.map_err(|error| {
        Wrong::new(
            format!("no Ed25519 key in PKCS#8 PEM ({error})"),
            format!("move it away, then {make}"),
        )
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Wrong::new(
            format!("{} can be read by others", file.display()),
            format!("chmod 600 {}", file.display()),
        ));
    }
    Ok(file.display().to_string())
}

pub(super) fn listen(address: std::net::SocketAddr, field: &str) -> Result<String, Wrong> {
    match listeners::at(address) {
        Listener::Free => Ok(format!("{address} is free")),
        Listener::Process { pid, program } if program == "plaza" => {
            Ok(format!("{address} is held by plaza, pid {pid}"))
        }
        Listener::Process { pid, program } => Err(Wrong::new(
            format!("{address} is taken by {program}, pid {pid}"),
            format!("stop that process, or change {field}"),
        )),
        Listener::Hidden => Err(Wrong::new(
            format!("{address} is taken by a process that this user may not see"),
            format!("find it as root (`ss -ltnp`), or change {field}"),
        )),
        Listener::Refused(error) => Err(Wrong::new(
            format!("cannot listen on {address}: {error}"),
            format!("change {field}"),
        )),
    }
}
