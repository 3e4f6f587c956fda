//! argon2id, on threads of its own and a few at a time: hashing is meant to be slow, and must not
//! slow down anything else.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::AuthConfig;
use crate::domain::{DomainError, UserError, UserErrorCode};

/// Fewest bytes of a password.
const MIN_BYTES: usize = 8;
/// Most bytes of a password.
const MAX_BYTES: usize = 1_024;
/// Passwords that may wait for each one that is hashed: whoever comes later is better off trying
/// again than holding up everybody's requests.
const WAITING: usize = 16;

/// The hasher.
#[derive(Debug)]
pub struct Passwords {
    argon2: Argon2<'static>,
    permits: Arc<Semaphore>,
    queue: Semaphore,
    /// What a log-in of somebody who does not exist is compared with, so that it takes as long as
    /// any.
    nobody: String,
}

/// # Errors
/// [`UserErrorCode::Invalid`]: too short, too long, or with a nul, at which other programs would
/// cut it off.
pub fn checked(password: &str) -> Result<(), UserError> {
    if (MIN_BYTES..=MAX_BYTES).contains(&password.len()) && !password.contains('\0') {
        return Ok(());
    }
    Err(UserError::field(
        UserErrorCode::Invalid,
        "password",
        format!("must have {MIN_BYTES} to {MAX_BYTES} bytes, none of them 0"),
    ))
}

fn internal(error: impl std::fmt::Display) -> DomainError {
    DomainError::Internal(format!("password hashing: {error}"))
}

impl Passwords {
    /// # Errors
    /// Parameters that argon2 refuses.
    pub fn new(config: &AuthConfig) -> Result<Self, DomainError> {
        let params = Params::new(config.argon2_kib, 2, 1, None).map_err(internal)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = argon2.hash_password(b"nobody's password").map_err(internal)?.to_string();
        let parallel = config.parallel_hashes.max(1);
        Ok(Self {
            argon2,
            permits: Arc::new(Semaphore::new(parallel)),
            queue: Semaphore::new(parallel * WAITING),
            nobody,
        })
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, DomainError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(internal)?;
        let argon2 = self.argon2.clone();
        let running = tokio::task::spawn_blocking(move || {
            let result = work(argon2);
            drop(permit);
            result
        });
        running.await.map_err(internal)
    }

    /// A place among those who wait for a password: taken before anything else is done for them,
    /// and held to the end.
    ///
    /// # Errors
    /// [`DomainError::Limited`] when too many wait.
    pub fn place(&self) -> Result<SemaphorePermit<'_>, DomainError> {
        self.queue.try_acquire().map_err(|_| DomainError::Limited { retry_after_s: 1 })
    }

    /// A PHC string.
    ///
    /// # Errors
    /// When hashing itself fails.
    pub async fn hash(&self, password: String) -> Result<String, DomainError> {
        self.on_a_thread(move |argon2| {
            argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string())
        })
        .await?
        .map_err(internal)
    }

    /// Whether the password is the one that was hashed; with no hash, false after the same time.
    ///
    /// # Errors
    /// When hashing itself fails.
    pub async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, DomainError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let same = self
            .on_a_thread(move |argon2| {
                argon2::password_hash::phc::PasswordHash::new(&hash).is_ok_and(|parsed| {
                    argon2.verify_password(password.as_bytes(), &parsed).is_ok()
                })
            })
            .await?;
        Ok(same && known)
    }
}
