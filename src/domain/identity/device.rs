//! A client that was logged in before: it holds a sealed text that says so, and log-ins beside it
//! are counted as its own.

use chrono::TimeDelta;

use crate::Domain;
use plaza_base::ids::{Id, SessionId, UserId};

/// How long after a log-in or refresh a client is known.
const KNOWN: TimeDelta = TimeDelta::days(180);
const PURPOSE: &str = "device";

/// A client of somebody's, by the session that it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) user: UserId,
    pub(super) session: SessionId,
}

impl Device {
    /// What the client is given. It proves nothing but that it was logged in: without the password
    /// it is good for nothing.
    pub(super) fn token(self, domain: &Domain) -> String {
        let numbers = [self.user.as_i64(), self.session.as_i64(), domain.clock.now_ms()];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        domain.identity.seals.seal(PURPOSE, &bytes)
    }

    /// Whose client a text says to be; `None` for one that is not ours, or too old.
    pub(super) fn of_token(domain: &Domain, token: &str) -> Option<Self> {
        let bytes = domain.identity.seals.open(PURPOSE, token)?;
        let (eights, _) = bytes.as_chunks::<8>();
        let numbers: Vec<i64> = eights.iter().map(|eight| i64::from_be_bytes(*eight)).collect();
        let [user, session, given_ms] = numbers.try_into().ok()?;
        let age = TimeDelta::milliseconds(domain.clock.now_ms().saturating_sub(given_ms));
        let device = Self { user: UserId::from_i64(user), session: SessionId::from_i64(session) };
        (age < KNOWN).then_some(device)
    }
}
