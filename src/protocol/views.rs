//! A view of a post, as it lies in Kafka: telemetry, of which there is far more than of anything
//! else, so 33 bytes instead of an envelope. The first byte is the version of what follows; a
//! retired form keeps its arm in [`View::decode`].

use plaza_base::ids::{Id, PostId, UserId};

/// The form that is written.
const VERSION: u8 = 1;
/// Bytes of a view in that form.
const LENGTH: usize = 33;

/// Somebody was shown a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Which.
    pub post_id: PostId,
    /// Whose.
    pub author_id: UserId,
    /// Who saw it, as a keyed hash: enough to count users, not to name them.
    pub viewer: u64,
    /// When, in Unix milliseconds, by the clock of the server that received it.
    pub at_ms: i64,
}

impl View {
    /// As written.
    pub fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [VERSION; LENGTH];
        let parts = [
            self.post_id.as_i64().to_be_bytes(),
            self.author_id.as_i64().to_be_bytes(),
            self.viewer.to_be_bytes(),
            self.at_ms.to_be_bytes(),
        ];
        for (byte, part) in bytes.iter_mut().skip(1).zip(parts.iter().flatten()) {
            *byte = *part;
        }
        bytes
    }

    /// As read; `None` when it is in no form that was ever written.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        if *version != VERSION || bytes.len() != LENGTH {
            return None;
        }
        let (parts, _) = rest.as_chunks::<8>();
        let [post, author, viewer, at] = parts else { return None };
        Some(Self {
            post_id: PostId::from_i64(i64::from_be_bytes(*post)),
            author_id: UserId::from_i64(i64::from_be_bytes(*author)),
            viewer: u64::from_be_bytes(*viewer),
            at_ms: i64::from_be_bytes(*at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_read_as_it_was_written_and_nothing_else_is_read() {
        let view = View {
            post_id: PostId::from_i64(1),
            author_id: UserId::from_i64(i64::MAX),
            viewer: u64::MAX - 5,
            at_ms: 1_800_000_000_123,
        };
        let bytes = view.encode();
        assert_eq!(View::decode(&bytes), Some(view));
        assert_eq!(View::decode(&bytes[..32]), None);
        let mut other = bytes;
        other[0] = 9;
        assert_eq!(View::decode(&other), None);
        assert_eq!(View::decode(&[]), None);
    }
}
