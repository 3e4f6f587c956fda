//! Whom and what a text refers to: found in it, looked up before it is stored, and stored with it.

use std::collections::BTreeSet;

use super::limits::{self, Limit};
use super::relations::{self, Relations};
use super::text::references::{Found, references};
use super::{DomainError, Operation, Tx, UserErrorCode, users};
use plaza_base::ids::{CommentId, PostId, UserId};
use plaza_protocol::events::Event;
use plaza_stores::postgres::entities::Entity;
use plaza_stores::work;

pub use plaza_stores::postgres::entities::{Entities, Reference};

/// Most users mentioned in one text.
const MAX_MENTIONS: usize = 20;
/// Most different hashtags in one text.
const MAX_HASHTAGS: usize = 20;
/// Most mentions and hashtags in one text, repeats included.
pub const MAX_ENTITIES: usize = 100;

/// What a text refers to. A handle that is nobody's, or of somebody the viewer may not see, is just
/// text.
///
/// # Errors
/// `LIMIT_EXCEEDED` for more than a text may refer to; a shard that is unavailable.
pub(super) async fn of_text(op: &Operation, text: &str) -> Result<Entities, DomainError> {
    let spans = references(text);
    let handles: BTreeSet<&String> = spans
        .iter()
        .filter_map(
            |span| if let Found::Handle(handle) = &span.found { Some(handle) } else { None },
        )
        .collect();
    let handles: Vec<String> = handles.into_iter().cloned().collect();
    let mut people = users::by_handles(op, &handles).await?;
    let unknown: Vec<String> =
        handles.into_iter().filter(|handle| !people.contains_key(handle)).collect();
    if !unknown.is_empty() {
        // Somebody who has just signed up may not have reached the replicas.
        let fresh = op.fresh();
        people.extend(users::by_handles(&fresh, &unknown).await?);
    }
    let entities = spans.into_iter().filter_map(|span| {
        let reference = match span.found {
            Found::Handle(handle) => Reference::User(*people.get(&handle)?),
            Found::Hashtag(tag) => Reference::Hashtag(tag),
        };
        Some(Entity { start: span.start, end: span.end, reference })
    });
    let entities = Entities(entities.collect());
    let refused =
        |what: String| Err(DomainError::rejected(UserErrorCode::LimitExceeded, "text", what));
    if entities.people().len() > MAX_MENTIONS {
        return refused(format!("at most {MAX_MENTIONS} people can be mentioned in a text"));
    }
    if entities.hashtags().len() > MAX_HASHTAGS {
        return refused(format!("a text can have at most {MAX_HASHTAGS} hashtags"));
    }
    if entities.0.len() > MAX_ENTITIES {
        return refused(format!("a text can have at most {MAX_ENTITIES} mentions and hashtags"));
    }
    Ok(entities)
}

/// Where users were mentioned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// By whom.
    pub author: UserId,
    /// In which post, or on which the comment is.
    pub post: PostId,
    /// In which comment.
    pub comment: Option<CommentId>,
}

/// Whom a text mentions and is to notify: neither its author, nor whom they block, nor
/// `otherwise`, who are notified for another reason. Whether the mentioned may see the text is
/// asked when they are notified, since that changes.
///
/// # Errors
/// More users than may be mentioned in an hour; the viewer's shard is unavailable.
pub(super) async fn to_tell(
    op: &Operation,
    entities: &Entities,
    otherwise: &[UserId],
) -> Result<Vec<UserId>, DomainError> {
    let mut people = entities.people();
    if people.is_empty() {
        return Ok(people);
    }
    let author = op.require_viewer()?.user_id;
    let relations = relations::of_viewer(op).await?;
    let is_notified = |relations: &Relations, user: &UserId| {
        *user != author && !relations.blocks(*user) && !otherwise.contains(user)
    };
    people.retain(|user| is_notified(&relations, user));
    limits::take(&op.domain, Limit::Mentions, author, people.len()).await?;
    work::deliveries(people.len());
    Ok(people)
}

/// Publishes that these users are mentioned.
pub(super) fn emit(tx: &mut Tx, people: &[UserId], place: Place) {
    for user in people {
        let event = Event::UserMentioned {
            user_id: *user,
            author_id: place.author,
            post_id: place.post,
            comment_id: place.comment,
        };
        tx.emit(event, 1);
    }
}
