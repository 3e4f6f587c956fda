//! argon2id, on threads of its own and a few at a time: hashing is meant to be slow, and must not
//! slow down anything else.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{Semaphore, SemaphorePermit};
use unicode_normalization::UnicodeNormalization;

use crate::{DomainError, UserError, UserErrorCode};
use plaza_config::AuthConfig;

/// Fewest bytes of a password.
const MIN_BYTES: usize = 8;
/// Fewest characters of one that is chosen now.
const MIN_CHARACTERS: usize = 8;
/// Most bytes of a password.
const MAX_BYTES: usize = 1_024;
/// How many guesses a password must withstand: more than the 30,000 commonest passwords are.
const GUESSED_FIRST: u64 = 40_000;
/// How much of a password is checked for that, in characters: what is longer is not guessed.
const MOST_LOOKED_AT: usize = 64;
/// Most ways to read its symbols as letters: the check takes about half a millisecond for each.
const MOST_READINGS: usize = 16;
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

/// Whether a text can be anybody's password: 8 to 1,024 bytes.
pub fn can_be(password: &str) -> bool {
    (MIN_BYTES..=MAX_BYTES).contains(&password.len()) && !password.contains('\0')
}

/// A password as it is hashed: in one form of those that are typed alike (NFC).
fn normalised(password: &str) -> String {
    password.nfc().collect()
}

/// Whether a password is among the first that anybody would try: it is well known, or made of a
/// well known one or of these names in a way that is well known too.
fn is_guessed_first(password: &str, names: &[&str]) -> bool {
    let head: String = password.chars().take(MOST_LOOKED_AT).collect();
    readings(&head) <= MOST_READINGS && zxcvbn::zxcvbn(&head, names).guesses() < GUESSED_FIRST
}

/// In how many ways the symbols of a password can be read as letters: the check takes each of them
/// through its dictionaries. Nobody's well known password mixes more than a few.
fn readings(password: &str) -> usize {
    // Symbols that are read as one letter, where there are several: by the check's own table.
    const ALIKE: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];
    let used = |symbols: &str| symbols.chars().filter(|symbol| password.contains(*symbol)).count();
    ALIKE.iter().map(|symbols| used(symbols).max(1)).product()
}

/// A password that somebody chooses, in the form that is hashed; `names` are what the account is
/// known by.
///
/// # Errors
/// [`UserErrorCode::Invalid`]: too short, too long, with a nul (at which other programs would cut
/// it off), a name of the account, or easily guessed.
fn chosen(password: &str, names: &[&str]) -> Result<String, UserError> {
    let refused = |message: &str| UserError::field(UserErrorCode::Invalid, "password", message);
    // Bounded before it is normalised, which can make it longer.
    if password.len() > MAX_BYTES {
        return Err(refused("is too long: use at most 1,024 bytes"));
    }
    let password = normalised(password);
    if password.len() > MAX_BYTES {
        return Err(refused("is too long: use at most 1,024 bytes"));
    }
    if password.chars().count() < MIN_CHARACTERS {
        return Err(refused("is too short: use at least 8 characters"));
    }
    if password.contains('\0') {
        return Err(refused("must not contain the character NUL"));
    }
    let folded = |text: &str| normalised(text).to_lowercase();
    let own = folded(&password);
    let local = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    if names.iter().any(|name| own == folded(name) || own == folded(&local(name))) {
        return Err(refused("must not be your handle, your name or your e-mail address"));
    }
    if is_guessed_first(&password, names) {
        return Err(refused(
            "is one of those that are tried first: use a longer one, or several words",
        ));
    }
    Ok(password)
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

    /// [`chosen`], on a thread of those that hash: the check takes milliseconds.
    ///
    /// # Errors
    /// When no thread can be had; within, why the password is refused.
    pub async fn chosen(
        &self,
        password: String,
        names: [String; 3],
    ) -> Result<Result<String, UserError>, DomainError> {
        self.on_a_thread(move |_| chosen(&password, &names.each_ref().map(String::as_str))).await
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
    /// Older hashes are of what was typed, in whichever form: both are tried where they differ.
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
                let Ok(parsed) = argon2::password_hash::phc::PasswordHash::new(&hash) else {
                    return false;
                };
                let is = |form: &str| argon2.verify_password(form.as_bytes(), &parsed).is_ok();
                let as_stored = normalised(&password);
                is(&as_stored) || (as_stored != password && is(&password))
            })
            .await?;
        Ok(same && known)
    }
}

#[cfg(test)]
impl Passwords {
    /// A quick one.
    pub(super) fn of_a_test() -> Self {
        let params = Params::new(64, 1, 1, None).unwrap();
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            permits: Arc::new(Semaphore::new(1)),
            queue: Semaphore::new(1),
            nobody: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["ann_smith", "ann.smith@example.org", "Ann Smith"];

    fn refusal(password: &str) -> String {
        chosen(password, NAMES).expect_err(password).message
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for known in [
            "password",
            "Password",
            "PASSWORD1",
            "password123",
            "12345678",
            "123456789",
            "1234567890",
            "87654321",
            "qwertyuiop",
            "1q2w3e4r",
            "iloveyou",
            "aaaaaaaa",
            "        ",
            "abcdefgh",
            "p@ssw0rd",
            "sunshine",
            "football",
            "princess",
            "letmein1",
            "trustno1",
            "superman",
            "starwars",
            "baseball",
            "11111111",
            "zzzzzzzzzzzz",
            "abcabcabc",
        ] {
            let message = refusal(known);
            assert!(message.contains("tried first"), "{known}: {message}");
        }
    }

    #[test]
    fn symbols_that_are_read_in_many_ways_are_not_all_tried() {
        for known in ["p@ssw0rd", "1234567890", "Tr0ub4dor&3", "1q2w3e4r5t6y7u8i9o0p"] {
            assert!(readings(known) <= MOST_READINGS, "{known}: {}", readings(known));
        }
        let every = "4@8({[<369!1|70$5+7%2".repeat(3);
        assert!(readings(&every) > 500);
        assert_eq!(chosen(&every, NAMES).as_deref(), Ok(&*every));
    }

    #[test]
    fn a_name_of_the_account_is_no_password() {
        for own in ["ann_smith", "ANN_SMITH", "ann.smith", "Ann.Smith@Example.org", "Ann Smith"] {
            assert!(refusal(own).contains("must not be your"), "{own}");
        }
    }

    #[test]
    fn bounds_are_in_plain_words() {
        assert!(refusal("short").contains("at least 8 characters"));
        // Four characters of four bytes.
        assert!(refusal("\u{1f600}\u{1f601}\u{1f602}\u{1f603}").contains("at least 8 characters"));
        assert!(refusal(&"x".repeat(1_025)).contains("at most 1,024 bytes"));
        // Bounded before it grows: U+FB2C becomes three characters.
        assert!(refusal(&"\u{fb2c}".repeat(300)).contains("at most 1,024 bytes"));
        assert!(refusal("correct\0horse").contains("NUL"));
    }

    #[test]
    fn good_ones_are_taken_in_one_form() {
        for good in
            ["correct horse", "plaza-demo-1", "another password", "na\u{ef}ve caf\u{e9} tiger"]
        {
            assert_eq!(chosen(good, NAMES).as_deref(), Ok(good));
        }
        assert_eq!(chosen("cafe\u{301} tiger moon", NAMES).as_deref(), Ok("caf\u{e9} tiger moon"));
        assert_eq!(chosen(&"x1y".repeat(341), NAMES).map(|p| p.len()), Ok(1_023));
    }

    #[tokio::test]
    async fn either_form_of_an_older_password_is_known() {
        let passwords = Passwords::of_a_test();
        let (composed, apart) = ("caf\u{e9} tiger", "cafe\u{301} tiger");
        for stored in [composed, apart] {
            let hash = passwords.hash(stored.to_owned()).await.unwrap();
            assert!(passwords.verify(stored.to_owned(), Some(hash.clone())).await.unwrap());
            assert!(!passwords.verify("other tiger".to_owned(), Some(hash)).await.unwrap());
        }
        let now = passwords.hash(chosen(apart, &[]).unwrap()).await.unwrap();
        for typed in [composed, apart] {
            assert!(passwords.verify(typed.to_owned(), Some(now.clone())).await.unwrap());
        }
    }
}
