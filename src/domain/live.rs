//! What a watcher gets: each thing once, in the order it came, and after an absence what was
//! missed.
//!
//! A cursor holds a place in the user's stream of live posts and the last post delivered. As long
//! as the stream reaches back to that place nothing is guessed; when it does not (nobody watched
//! for a quarter of an hour, or Redis came back empty), what is newer than that post on the home
//! feed is delivered instead, oldest first.

mod cursor;

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

pub use cursor::HomeCursor;
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

/// What a watcher does next.
enum ToDo {
    /// It has delivered all it was woken for.
    Nothing,
    /// This post came right after the last one seen.
    Deliver(Newest),
    /// It must ask what came, or keep the stream.
    Poll,
}

/// A post that has come to a home.
#[derive(Debug)]
pub struct Arrival {
    /// The place after it.
    pub cursor: HomeCursor,
    /// The post.
    pub post: Post,
    /// The look that found it, when it was the last one; none when it has waited since.
    pub by: Option<Arc<Operation>>,
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

    /// The next post; waits for one. `op` makes an operation for each look. While Redis or a shard
    /// is unavailable it waits: nothing is lost, the stream or the feed has it afterwards.
    pub async fn next(
        &mut self,
        mut op: impl FnMut() -> Arc<Operation> + Send,
        domain: &Arc<Domain>,
    ) -> Arrival {
        let mut by = None;
        loop {
            if let Some((cursor, post)) = self.found.pop_front() {
                self.last = cursor.post;
                return Arrival { cursor, post, by };
            }
            let looked = match self.to_do() {
                ToDo::Nothing => Ok(None),
                // Most watchers rest at most times: what a look needs is not kept ready for it.
                ToDo::Deliver(newest) => {
                    Box::pin(self.deliver(newest, &mut op, domain)).await.map(Some)
                }
                ToDo::Poll => Box::pin(self.poll(&mut op, domain)).await.map(Some),
            };
            match looked {
                Ok(looked) if !self.found.is_empty() => by = looked,
                // Until there may be something, or it is time to keep the stream.
                Ok(looked) => {
                    drop(looked);
                    rest(&mut self.watcher, &mut self.seen, |wakes| wakes.home, self.keep_at).await;
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
    ) -> Result<Arc<Operation>, DomainError> {
        let relations = domain
            .viewer_batches
            .relations
            .load(domain, self.user)
            .await
            .map_err(|error| StoreError::unavailable("a shard", error))?;
        let op = op();
        let _first = op.relations().set(relations);
        self.take(vec![(newest.at, newest.post)], &op).await?;
        Ok(op)
    }

    async fn poll(
        &mut self,
        op: impl FnOnce() -> Arc<Operation>,
        domain: &Arc<Domain>,
    ) -> Result<Arc<Operation>, DomainError> {
        let _turn = domain.redis.turn().await;
        let op = op();
        self.poll_now(&op).await?;
        Ok(op)
    }

    async fn poll_now(&mut self, op: &Operation) -> Result<(), DomainError> {
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
