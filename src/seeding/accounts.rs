//! Users, their names, and whom they follow, as rows.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::load::Loader;
use super::rows::{Row, Rows, Table};
use super::world::{Followed, Made, World, sequence};
use super::{names, numbered};
use plaza_base::ids::{Bucket, Id, UserId, compose};

const USERS: Table = Table {
    name: "users",
    columns: "id, handle, email, display_name, bio, password_hash, version",
    taken: "true",
};
const HANDLES: Table = Table { name: "handle_claims", columns: "handle, user_id", taken: "true" };
const EMAILS: Table = Table { name: "email_claims", columns: "email, user_id", taken: "true" };
const FOLLOWS: Table = Table {
    name: "follows",
    columns: "follower_id, followee_id, id, version, active",
    taken: "true",
};
const FOLLOWERS: Table = Table {
    name: "followers",
    columns: "followee_id, follower_id, follow_id, active",
    taken: "true",
};

/// `count` users. Their ids, and so their buckets, follow from the seed, their number and the
/// beginning of seeded time (Unix milliseconds).
pub fn people(count: u64, seed: u64, beginning_ms: i64) -> Vec<UserId> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|number| {
            let bucket = Bucket::new(random.random());
            UserId::from_i64(compose(
                beginning_ms + i64::try_from(number).unwrap_or_default(),
                bucket,
                sequence(number),
            ))
        })
        .collect()
}

impl Loader {
    /// So many users with the lowest ids: of those who were seeded the first, whom most follow.
    ///
    /// # Errors
    /// The server's.
    pub async fn first_people(&self, count: u32) -> anyhow::Result<Vec<UserId>> {
        const FIRST: &str = "SELECT id FROM users ORDER BY id LIMIT $1";
        let mut people = Vec::new();
        for shard in &self.shards {
            let rows = shard.query(FIRST, &[&i64::from(count)]).await?;
            people.extend(rows.iter().map(|row| UserId::from_i64(row.get(0))));
        }
        people.sort_unstable();
        people.truncate(usize::try_from(count)?);
        Ok(people)
    }
}

/// The e-mail address that goes with a handle.
pub(super) fn email(handle: &str) -> String {
    format!("{handle}@example.org")
}

impl World {
    /// The claims of users's names, where the names' hashes say.
    pub(super) fn make_claims(&self, numbers: Range<u64>) -> Made {
        let (mut handles, mut emails) = (Rows::new(HANDLES), Rows::new(EMAILS));
        for (number, person) in numbers.filter_map(|number| Some((number, self.person(number)?))) {
            let (handle, id) = (names::handle(number), person.as_i64());
            let email = email(&handle);
            handles.add(
                &self.map,
                Bucket::of_text(&handle),
                Row::default().text(&handle).plain(id),
            );
            emails.add(&self.map, Bucket::of_text(&email), Row::default().text(&email).plain(id));
        }
        Made { rows: vec![handles, emails], people: Vec::new() }
    }

    /// Accounts, all with one password.
    pub(super) fn make_people(&self, numbers: Range<u64>) -> Made {
        let mut made = Made::default();
        let mut users = Rows::new(USERS);
        let hash = self.password_hash.as_deref().unwrap_or_default();
        for (number, person) in numbers.filter_map(|number| Some((number, self.person(number)?))) {
            let handle = names::handle(number);
            let bio = names::bio(number, &mut numbered(self.seed, "people", number));
            let row = Row::default()
                .plain(person.as_i64())
                .text(&handle)
                .text(&email(&handle))
                .text(&names::display_name(number))
                .text(&bio)
                .text(hash)
                // There is no event of them yet: their first one is version 1.
                .plain(0);
            users.add(&self.map, person.bucket(), row);
            made.people.push(person);
        }
        made.rows.push(users);
        made
    }

    /// The follower's side of the follows of these users.
    pub(super) fn make_follows(&self, numbers: Range<u64>) -> Made {
        let mut own = Rows::new(FOLLOWS);
        for number in numbers.filter_map(|number| u32::try_from(number).ok()) {
            let Some(follower) = self.person(u64::from(number)) else { continue };
            for (place, followee) in (0_u32..).zip(self.follows.of(number)) {
                let Some(followee) = self.person(u64::from(followee)) else { continue };
                let row = Row::default()
                    .plain(follower.as_i64())
                    .plain(followee.as_i64())
                    .plain(self.follow_id(number, place));
                own.add(&self.map, follower.bucket(), row.plain(0).plain("t"));
            }
        }
        Made { rows: vec![own], people: Vec::new() }
    }

    /// The followed side of the follows to a range of users.
    pub(super) fn make_followers(&self, chunk: u64) -> Made {
        let (range, sorted) = self.sorted(chunk);
        let mut others = Rows::new(FOLLOWERS);
        let begin = sorted.follows.partition_point(|follow| follow.followee < range.start);
        for follow in
            sorted.follows.iter().skip(begin).take_while(|follow| follow.followee < range.end)
        {
            let Followed { followee, follower, place } = *follow;
            let (Some(followed), Some(following)) =
                (self.person(u64::from(followee)), self.person(u64::from(follower)))
            else {
                continue;
            };
            let row = Row::default()
                .plain(followed.as_i64())
                .plain(following.as_i64())
                .plain(self.follow_id(follower, place));
            others.add(&self.map, followed.bucket(), row.plain("t"));
        }
        Made { rows: vec![others], people: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people() {
        assert_eq!(people(100, 7, 1_767_225_600_000), people(100, 7, 1_767_225_600_000));
        assert_ne!(people(100, 7, 1_767_225_600_000), people(100, 8, 1_767_225_600_000));
        assert_eq!(people(50, 7, 1_767_225_600_000)[..], people(100, 7, 1_767_225_600_000)[..50]);
    }
}
