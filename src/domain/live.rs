//! What a watcher gets: each thing once, in the order it came, and after an absence what was
//! missed.
//!
//! A cursor holds a place in the user's stream of live posts and the last post delivered. As long
//! as the stream reaches back to that place nothing is guessed; when it does not (nobody watched
//! for a quarter of an hour, or Redis came back empty), what is newer than that post on the home
//! feed is delivered instead, oldest first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::operation::ConsistencyToken;
use super::posts::{self, Post};
use super::{Domain, DomainError, Operation, PageRequest, Viewer, relations, timelines};
use plaza_base::ids::{self, Bucket, Id, PostId, UserId};
use plaza_stores::StoreError;
use plaza_stores::redis::live::{KEPT_S, Newest};

pub use plaza_stores::redis::live::Position;
pub use plaza_stores::redis::pubsub::{Wakes, Watcher};

/// Posts remembered as delivered, so that one that came twice is delivered once.
const REMEMBERED: usize = 128;
/// Most pages of posts delivered after an absence that the stream does not reach back to.
const CAUGHT_UP_PAGES: usize = 10;
/// Posts of such a page.
const CAUGHT_UP_PAGE: usize = 50;
/// How often a stream that is watched is kept from expiring.
const KEEP: Duration = Duration::from_secs(KEPT_S / 3);
/// How soon Redis is asked again after it was unavailable.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// Where a watcher of a home is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeCursor {
    /// The place in the stream; `None` when the post came from the feed.
    pub position: Option<Position>,
    /// The last post delivered.
    pub post: i64,
}

/// How long before the newest post of a page another one may be that came to the home only after
/// the page was read: the fan-out of an author with many followers takes seconds, and ids are in
/// the order of writing.
const OVERTAKEN_MS: i64 = 30_000;

impl HomeCursor {
    /// From a page of the home whose newest post is this one. What was written shortly before it
    /// comes again: some of it may not have been there yet.
    pub fn of_page(newest: i64) -> Self {
        let before = ids::created_at(newest).timestamp_millis() - OVERTAKEN_MS;
        Self { position: None, post: ids::compose(before, Bucket::new(0), 0).max(1) }
    }

    /// As text: `ms-number:post`, or `:post`.
    pub fn encode(&self) -> String {
        match self.position {
            Some(position) => format!("{position}:{}", self.post),
            None => format!(":{}", self.post),
        }
    }

    /// The cursor in a text; `None` when there is none.
    pub fn decode(text: &str) -> Option<Self> {
        let (position, post) = text.split_once(':')?;
        let position = if position.is_empty() { None } else { Some(Position::parse(position)?) };
        Some(Self { position, post: post.parse().ok().filter(|post| *post > 0)? })
    }
}

/// What a watcher does next.
enum ToDo {
    /// It has delivered all it was woken for.
    Nothing,
    /// This post came right after the last one seen.
    Deliver(Newest),
    /// It must ask what came, or keep the stream.
    Poll,
}

/// Watches the viewer's home.
#[derive(Debug)]
pub struct HomeWatch {
    user: UserId,
    watcher: Watcher,
    seen: Wakes,
    position: Option<Position>,
    last: i64,
    catch_up: bool,
    delivered: VecDeque<PostId>,
    found: VecDeque<(HomeCursor, Post)>,
    keep_at: Instant,
}

impl HomeWatch {
    /// Begins at a cursor, or now.
    pub async fn begin(domain: &Arc<Domain>, user: UserId, after: Option<HomeCursor>) -> Self {
        let mut watcher = domain.redis.watch(user).await;
        let seen = watcher.seen();
        let now = ids::compose(domain.clock.now_ms(), Bucket::new(0), 0);
        Self {
            user,
            watcher,
            seen,
            position: after.and_then(|cursor| cursor.position),
            last: after.map_or(now, |cursor| cursor.post),
            // Without a cursor there is nothing to catch up with yet: the first read of the stream
            // only finds its end.
            catch_up: after.is_some(),
            delivered: VecDeque::new(),
            found: VecDeque::new(),
            keep_at: Instant::now(),
        }
    }

    /// The next post, with the cursor after it; waits for one. `op` makes an operation for each
    /// look. While Redis or a shard is unavailable it waits: nothing is lost, the stream or the
    /// feed has it afterwards.
    pub async fn next(
        &mut self,
        mut op: impl FnMut() -> Arc<Operation> + Send,
        domain: &Arc<Domain>,
    ) -> (HomeCursor, Post) {
        loop {
            if let Some(found) = self.found.pop_front() {
                self.last = found.0.post;
                return found;
            }
            let polled = match self.to_do() {
                ToDo::Nothing => Ok(()),
                ToDo::Deliver(newest) => self.deliver(newest, &mut op, domain).await,
                ToDo::Poll => {
                    let _turn = domain.redis.turn().await;
                    self.poll(&op()).await
                }
            };
            match polled {
                Ok(()) if !self.found.is_empty() => {}
                // Until there may be something, or it is time to keep the stream.
                Ok(()) => {
                    rest(&mut self.watcher, &mut self.seen, |wakes| wakes.home, self.keep_at).await
                }
                Err(error) => {
                    tracing::debug!(%error, "a home cannot be watched for the moment");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn to_do(&self) -> ToDo {
        match (self.position, self.seen.newest) {
            _ if Instant::now() >= self.keep_at => ToDo::Poll,
            (Some(position), Some(newest)) if newest.at <= position => ToDo::Nothing,
            (Some(position), Some(newest)) if newest.before == position => ToDo::Deliver(newest),
            _ => ToDo::Poll,
        }
    }

    /// Delivers the post it was woken for, as many others may at this moment: their relations are
    /// read together, and nothing else is asked for but what is in this process's memory after the
    /// first of them.
    async fn deliver(
        &mut self,
        newest: Newest,
        op: impl FnOnce() -> Arc<Operation>,
        domain: &Arc<Domain>,
    ) -> Result<(), DomainError> {
        let relations = domain
            .relations
            .load(domain, self.user)
            .await
            .map_err(|error| StoreError::unavailable("a shard", error))?;
        let op = op();
        let _first = op.relations().set(relations);
        self.take(vec![(newest.at, newest.post)], &op).await
    }

    async fn poll(&mut self, op: &Operation) -> Result<(), DomainError> {
        if Instant::now() >= self.keep_at {
            self.open(op).await?;
            self.keep_at = Instant::now() + KEEP;
        }
        let Some(position) = self.position else { return Ok(()) };
        match op.domain.redis.live_after(self.user, position).await? {
            Some(entries) => self.take(entries, op).await,
            // A Redis that lost it has another stream, or none.
            None => self.open(op).await,
        }
    }

    /// Takes entries of the stream: what may be shown and was not delivered yet is delivered.
    async fn take(
        &mut self,
        entries: Vec<(Position, PostId)>,
        op: &Operation,
    ) -> Result<(), DomainError> {
        let last = entries.last().map(|(last, _)| *last);
        let fresh: Vec<(Position, PostId)> =
            entries.into_iter().filter(|(_, post)| self.remember(*post)).collect();
        let ids: Vec<PostId> = fresh.iter().map(|(_, post)| *post).collect();
        let mut posts = visible(op, &ids).await.inspect_err(|_| self.forget(&ids))?;
        for (position, id) in fresh {
            if let Some(post) =
                posts.iter().position(|post| post.id == id).map(|index| posts.swap_remove(index))
            {
                self.found
                    .push_back((HomeCursor { position: Some(position), post: id.as_i64() }, post));
            }
        }
        self.position = last.or(self.position);
        Ok(())
    }

    /// Makes sure of the stream, and finds where to go on in it.
    async fn open(&mut self, op: &Operation) -> Result<(), DomainError> {
        let opened = op.domain.redis.open_live(self.user).await?;
        match self.position {
            Some(position)
                if !opened.made && position >= opened.first && position <= opened.last =>
            {
                if self.delivered.is_empty() {
                    let before = op.domain.redis.live_before(self.user, position).await?;
                    for post in before.into_iter().rev() {
                        self.remember(post);
                    }
                }
            }
            _ => {
                // From the feed what is newer than the last post delivered; from the stream what
                // comes after this moment.
                let missed = if self.catch_up { self.missed(op).await? } else { Vec::new() };
                self.catch_up = true;
                for post in missed {
                    if self.remember(post.id) {
                        self.found.push_back((
                            HomeCursor { position: None, post: post.id.as_i64() },
                            post,
                        ));
                    }
                }
                self.position = Some(opened.last);
            }
        }
        Ok(())
    }

    async fn missed(&self, op: &Operation) -> Result<Vec<Post>, DomainError> {
        let (mut missed, mut after) = (Vec::new(), None);
        for _ in 0..CAUGHT_UP_PAGES {
            let page = timelines::home(op, PageRequest::forwards(CAUGHT_UP_PAGE, after)).await?;
            missed.extend(
                page.items
                    .into_iter()
                    .map(|(_, post)| post)
                    .take_while(|post| post.id.as_i64() > self.last),
            );
            after = page.end;
            // A page in which nothing may be shown is not the end.
            if !page.has_next || after.is_none_or(|end| end <= self.last) {
                break;
            }
        }
        missed.reverse();
        Ok(missed)
    }

    /// False when it was delivered already.
    fn remember(&mut self, post: PostId) -> bool {
        if self.delivered.contains(&post) {
            return false;
        }
        if self.delivered.len() >= REMEMBERED {
            self.delivered.pop_front();
        }
        self.delivered.push_back(post);
        true
    }

    fn forget(&mut self, posts: &[PostId]) {
        self.delivered.retain(|post| !posts.contains(post));
    }
}

/// The viewer is about to get what the primary has: what they read next is to have it too.
pub(super) async fn seen(domain: &Arc<Domain>, viewer: Viewer) {
    let seen = ConsistencyToken { seen_at_ms: domain.clock.now_ms(), ..Default::default() };
    if let Err(error) = domain.redis.remember_writes(viewer.session_id, &seen).await {
        tracing::debug!(%error, "a session's next read may be behind what it was sent");
    }
}

/// Those of the posts that the viewer may see, and that are their own or by users they still
/// follow; no repost of what is right below it in their home.
async fn visible(op: &Operation, ids: &[PostId]) -> Result<Vec<Post>, DomainError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = posts::get_many_surely(op, ids).await?;
    let viewer = op.require_viewer()?.user_id;
    let relations = relations::of_viewer(op).await?;
    let mut shown = Vec::with_capacity(found.len());
    for post in found.into_values().filter(|post| relations.is_at_home(viewer, post.author_id)) {
        if !timelines::is_repeat(op, &post).await? {
            shown.push(post);
        }
    }
    Ok(shown)
}

/// Waits until the user is woken for one cause, or until a moment.
pub(super) async fn rest(
    watcher: &mut Watcher,
    seen: &mut Wakes,
    cause: fn(&Wakes) -> u64,
    until: Instant,
) {
    loop {
        tokio::select! {
            () = watcher.woken() => {}
            () = tokio::time::sleep_until(until) => return,
        }
        let now = watcher.seen();
        let woken = cause(&now) != cause(seen);
        *seen = now;
        if woken {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_nothing_else_is_one() {
        for cursor in [
            HomeCursor { position: Some(Position { ms: 5, number: 6 }), post: 7 },
            HomeCursor { position: None, post: 7 },
        ] {
            assert_eq!(HomeCursor::decode(&cursor.encode()), Some(cursor));
        }
        for bad in ["", ":", "5-6", "5-6:", ":0", ":-1", "x:7", "5:7"] {
            assert_eq!(HomeCursor::decode(bad), None, "{bad}");
        }
    }
}
