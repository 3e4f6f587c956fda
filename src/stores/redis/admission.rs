//! What a request begins with, in one message: its points are taken, what its session has written
//! lately is recalled, and whether it was at a server before is found out.

use redis::{RedisResult, Value};

use super::Redis;
use super::attempts;
use super::rate_limit::{Bucket, Standing};
use super::sessions::writes_of;
use crate::StoreError;
use crate::postgres::session::ConsistencyToken;
use plaza_base::ids::SessionId;

/// What is to be found out.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The name of the bucket that pays.
    pub who: &'a str,
    /// The bucket.
    pub bucket: Bucket,
    /// What is taken from it.
    pub cost: u64,
    /// What is given back to it.
    pub back: u64,
    /// Whose writes are recalled.
    pub session: Option<SessionId>,
    /// Which request, by its proxy's id, may have been here.
    pub request: Option<&'a str>,
}

/// What was found out.
#[derive(Debug)]
pub struct Told {
    /// How the bucket stands.
    pub standing: Standing,
    /// What the session has written lately, nothing without a session; `None`: not known.
    pub written: Option<ConsistencyToken>,
    /// Whether the request was here; `None`: not known, or not asked.
    pub was_here: Option<bool>,
}

impl Redis {
    /// Finds all of it out. While Redis is unavailable the points are this process's own.
    pub async fn admit(&self, asked: Asked<'_>) -> Told {
        let Asked { who, bucket, cost, back, .. } = asked;
        let Ok(answers) = self.admit_shared(asked).await else {
            let standing = self.inner.local_buckets.take(who, bucket, cost, back);
            let written = asked.session.is_none().then(ConsistencyToken::default);
            return Told { standing, written, was_here: None };
        };
        let mut answers = answers.into_iter();
        let standing = match answers.next().and_then(of::<(i64, i64)>) {
            Some((taken, left)) => Standing::of((taken == 1, left)),
            // It has not the script yet, or refuses commands.
            None => self.take_points(who, bucket, cost, back).await,
        };
        let written = match asked.session {
            Some(_) => answers.next().and_then(of).map(writes_of),
            None => Some(ConsistencyToken::default()),
        };
        let is_new = asked.request.and_then(|_| answers.next()).and_then(of::<Option<String>>);
        Told { standing, written, was_here: is_new.map(|is_new| is_new.is_none()) }
    }

    async fn admit_shared(&self, asked: Asked<'_>) -> Result<Vec<RedisResult<Value>>, StoreError> {
        let keys = &self.inner.keys;
        let mut commands = redis::pipe();
        commands
            .cmd("EVALSHA")
            .arg(self.inner.scripts.rate_limit.get_hash())
            .arg(1)
            .arg(keys.rate_limit(asked.who))
            .arg(asked.bucket.capacity)
            .arg(asked.bucket.per_second.max(1))
            .arg(asked.cost)
            .arg(i64::try_from(asked.back).unwrap_or(i64::MAX));
        if let Some(session) = asked.session {
            commands.cmd("HGETALL").arg(keys.session_writes(session));
        }
        if let Some(request) = asked.request {
            commands.add_command(attempts::first_seen(&keys.request(request)));
        }
        commands.ignore_errors();
        self.inner.pool.run(async |connection| commands.query_async(connection).await).await
    }
}

fn of<T: redis::FromRedisValue>(answer: RedisResult<Value>) -> Option<T> {
    redis::from_redis_value(answer.ok()?).ok()
}
