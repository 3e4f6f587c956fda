//! Every job there is: the payloads. The handlers are in `jobs/`; a job that was retired keeps its
//! variant until no queue holds one.

use serde::{Deserialize, Serialize};

use plaza_base::ids::{ImageId, OrderId, PostId, UserId};

/// Work to be done once, later, by a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", content = "args")]
pub enum Job {
    /// Put a new post on the home timelines of the author's followers.
    #[serde(rename = "feed.fan_out.v1")]
    FeedFanOut {
        /// Which post.
        post_id: PostId,
        /// Whose.
        author_id: UserId,
    },
    /// An author has few enough followers again: push what was only pulled, then push from now on.
    #[serde(rename = "feed.resume_push.v1")]
    FeedResumePush {
        /// Who.
        author_id: UserId,
    },
    /// Let those follow a user who is no longer private that had asked to, some at a time.
    #[serde(rename = "follow_requests.grant.v1")]
    FollowRequestsGrant {
        /// Who is asked.
        user_id: UserId,
        /// The follow id of the last request that was granted; 0: none yet.
        above: i64,
    },
    /// Process what was uploaded as an image, and make what is shown of it.
    #[serde(rename = "image.process.v1")]
    ImageProcess {
        /// Which.
        image_id: ImageId,
    },
    /// Delete files of images whose rows are gone.
    #[serde(rename = "image.delete.v1")]
    ImageDelete {
        /// Their names in the object store.
        names: Vec<String>,
    },
    /// Bring an order to its end: reserve, pay, confirm, or compensate.
    #[serde(rename = "order.process.v1")]
    OrderProcess {
        /// Which.
        order_id: OrderId,
    },
}

impl Job {
    /// Its name on the wire: `feed.fan_out.v1`.
    pub fn name(&self) -> String {
        name_on_the_wire(self, "job")
    }
}

/// What serde writes into a tag, so that a name is written once.
pub(super) fn name_on_the_wire(message: &impl Serialize, tag: &str) -> String {
    let value = serde_json::to_value(message).unwrap_or_default();
    value.get(tag).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::Id;

    #[test]
    fn a_job_is_called_as_on_the_wire() {
        assert_eq!(Job::OrderProcess { order_id: OrderId::from_i64(1) }.name(), "order.process.v1");
    }
}
