//! The keys of a deployment: one signs access tokens, and what seals texts and signs addresses of
//! images follows from it. Only servers need them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use pem::{EncodeConfig, LineEnding, Pem};

use crate::DomainError;
use plaza_config::AuthConfig;

fn internal(error: impl std::fmt::Display) -> DomainError {
    DomainError::Internal(format!("keys: {error}"))
}

/// A key's file, as read.
struct File {
    path: PathBuf,
    text: Vec<u8>,
}

impl File {
    fn read(path: &Path) -> Result<Self, DomainError> {
        let text = std::fs::read(path)
            .map_err(|error| internal(format!("{}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), text })
    }

    fn bad(&self, error: impl std::fmt::Display) -> DomainError {
        internal(format!("{}: {error}", self.path.display()))
    }

    /// The bytes in the PEM.
    fn der(&self) -> Result<Vec<u8>, DomainError> {
        Ok(pem::parse(&self.text).map_err(|error| self.bad(error))?.into_contents())
    }

    /// The public key, of either half. A public one (SubjectPublicKeyInfo) ends in its 32 bytes.
    fn public_half(&self) -> Result<Vec<u8>, DomainError> {
        /// What comes before an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
        const PREFIX: [u8; 12] =
            [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let der = self.der()?;
        if let Some(public) = der.strip_prefix(&PREFIX).filter(|public| public.len() == 32) {
            return Ok(public.to_vec());
        }
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|error| self.bad(error))?;
        Ok(pair.public_key().as_ref().to_vec())
    }

    /// A public half is no secret: with it anybody could sign.
    fn is_private(&self) -> bool {
        String::from_utf8_lossy(&self.text).contains("PRIVATE KEY")
    }
}

/// The signing key, and those accepted besides it.
pub struct Keys {
    signing: File,
    accepted: Vec<File>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("accepted", &self.accepted.len()).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the configured files.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(config: &AuthConfig) -> Result<Self, DomainError> {
        let accepted: Result<_, _> =
            config.accepted_key_files.iter().map(|path| File::read(path)).collect();
        Ok(Self { signing: File::read(&config.signing_key_file)?, accepted: accepted? })
    }

    /// A key that nobody else has: for a process that signs nothing and checks no signature, so
    /// that it cannot give away what signs.
    ///
    /// # Errors
    /// When the library makes none.
    pub fn of_this_process() -> Result<Self, DomainError> {
        let path = PathBuf::from("a key of this process' own");
        Ok(Self { signing: File { path, text: generate()?.into_bytes() }, accepted: Vec::new() })
    }

    /// The signing key (PKCS#8).
    ///
    /// # Errors
    /// A file that is no PEM.
    pub(crate) fn signing(&self) -> Result<Vec<u8>, DomainError> {
        self.signing.der()
    }

    /// The public halves of all accepted keys, the signing one's first.
    pub(crate) fn public_halves(&self) -> impl Iterator<Item = Result<Vec<u8>, DomainError>> {
        std::iter::once(&self.signing).chain(&self.accepted).map(File::public_half)
    }

    /// What other keys are derived from: the signing key's file first, then every accepted one with
    /// a private half.
    pub(crate) fn secrets(&self) -> Vec<Vec<u8>> {
        let accepted = self.accepted.iter().filter(|file| file.is_private());
        std::iter::once(&self.signing).chain(accepted).map(|file| file.text.clone()).collect()
    }
}

/// A new Ed25519 key as PKCS#8 PEM.
fn generate() -> Result<String, DomainError> {
    let der = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(internal)?;
    Ok(pem::encode_config(
        &Pem::new("PRIVATE KEY", der.as_ref()),
        EncodeConfig::new().set_line_ending(LineEnding::LF),
    ))
}

/// Makes a key file (PKCS#8 PEM, readable by its owner only) unless there is one; whether it made
/// one.
///
/// # Errors
/// The folder is not there or not writable.
pub fn generate_key_file(path: &Path) -> std::io::Result<bool> {
    if path.try_exists()? {
        return Ok(false);
    }
    let pem = generate().map_err(std::io::Error::other)?;
    // Written aside and linked into place: whoever finds the file finds all of it, and of two
    // makers one wins. The file aside is this call's alone: a second maker that opened it would
    // truncate the key that is linked to it.
    let aside =
        path.with_extension(format!("new-{}-{:016x}", std::process::id(), rand::random::<u64>()));
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = file
        .write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&aside, path));
    std::fs::remove_file(&aside)?;
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
