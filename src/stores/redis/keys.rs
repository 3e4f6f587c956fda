//! Makes the keys of Redis, below one prefix.

use plaza_base::ids::{SessionId, UserId};

/// Makes keys; all start with the configured prefix.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

/// Names of buckets of points or tries, of which [`Keys::rate_limit`] makes keys.
#[derive(Debug)]
pub struct BucketName;

impl BucketName {
    /// What a viewer asks for.
    pub fn viewer(user: UserId) -> String {
        format!("v:{}", user)
    }

    /// What a client network asks for anonymously.
    pub fn address(client_network: &str) -> String {
        format!("a:{client_network}")
    }

    /// What a user does, by the action's short name.
    pub fn action(action: &str, user: UserId) -> String {
        format!("do:{action}:{}", user)
    }
}

impl Keys {
    /// Keys under a prefix.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// A cached value: `plaza:c:post:123`.
    pub fn cached(&self, kind: &str, id: i64) -> String {
        format!("{}:c:{kind}:{id}", self.prefix)
    }

    /// Who loads a cached value at the moment: `plaza:l:post:123`.
    pub fn lease(&self, kind: &str, id: i64) -> String {
        format!("{}:l:{kind}:{id}", self.prefix)
    }

    /// Which generation of values is to be trusted: a hash.
    pub fn generation(&self) -> String {
        format!("{}:gen", self.prefix)
    }

    /// A home timeline: a list.
    pub fn timeline(&self, user: UserId) -> String {
        format!("{}:tl:{}", self.prefix, user)
    }

    /// What a session has written lately.
    pub fn session_writes(&self, session: SessionId) -> String {
        format!("{}:sw:{}", self.prefix, session)
    }

    /// Somebody's bucket of points.
    pub fn rate_limit(&self, who: &str) -> String {
        format!("{}:rl:{who}", self.prefix)
    }

    /// That a request, by its proxy's id, was here.
    pub fn request(&self, id: &str) -> String {
        format!("{}:rq:{id}", self.prefix)
    }

    /// Posts that a viewer (a keyed hash) was shown in an hour since 1970: a set.
    pub fn viewed(&self, viewer: u64, hour: i64) -> String {
        format!("{}:vw:{hour}:{viewer:x}", self.prefix)
    }

    /// Texts of persisted queries, by hash.
    pub fn persisted_queries(&self) -> String {
        format!("{}:pq", self.prefix)
    }

    /// When each persisted query was stored.
    pub fn persisted_queries_age(&self) -> String {
        format!("{}:pqa", self.prefix)
    }

    /// A user's stream of live posts, and the channel on which their watchers are woken.
    pub fn live(&self, user: UserId) -> String {
        format!("{}:live:{}", self.prefix, user)
    }

    /// The channel that names outboxes with new rows to their relays.
    pub fn relays(&self) -> String {
        format!("{}:relays", self.prefix)
    }

    /// The channel on which invalidations of process memory are published.
    pub fn invalidations(&self) -> String {
        format!("{}:invalidate", self.prefix)
    }
}
