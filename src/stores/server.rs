//! A server's name, as an operator knows it.

use std::borrow::Cow;
use std::fmt;

use super::postgres::ShardIndex;

/// A server, or a kind of server of which there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// A shard's primary.
    Primary(ShardIndex),
    /// A shard's replica, counted from 0.
    Replica(ShardIndex, usize),
    /// Anything else: `redis`, `kafka`.
    Other(Cow<'static, str>),
}

impl Server {
    /// The shard it belongs to.
    pub fn shard(&self) -> Option<ShardIndex> {
        match self {
            Self::Primary(shard) | Self::Replica(shard, _) => Some(*shard),
            Self::Other(_) => None,
        }
    }

    /// What it is within its shard: `primary`, `replica 1`.
    pub fn role(&self) -> String {
        match self {
            Self::Primary(_) => "primary".to_owned(),
            Self::Replica(_, replica) => format!("replica {}", replica + 1),
            Self::Other(name) => name.to_string(),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(shard) = self.shard() {
            write!(f, "shard {shard} ")?;
        }
        f.write_str(&self.role())
    }
}

impl From<&'static str> for Server {
    fn from(name: &'static str) -> Self {
        Self::Other(Cow::Borrowed(name))
    }
}

impl From<String> for Server {
    fn from(name: String) -> Self {
        Self::Other(Cow::Owned(name))
    }
}
