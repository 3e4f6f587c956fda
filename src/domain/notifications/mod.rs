//! The viewer's notifications.

pub mod groups;
pub mod sales;
pub mod settings;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{
    Domain, DomainError, Operation, Page, PageRequest, Viewer, comments, live, policy, posts,
    relations,
};
use plaza_base::ids::{CommentId, Id, NotificationId, PostId};
use plaza_read_models::notifications as model;
use plaza_stores::postgres::notification_settings;
use plaza_stores::redis::pubsub::{Wakes, Watcher};

use self::settings::Settings;

pub use plaza_read_models::notifications::{Kind, NotificationRow as Notification};

/// Statements that a page or a count may take where nearly all rows are hidden.
const ROUNDS: usize = 20;
/// Rows that one of them scans at first, and at most.
const FIRST_SCANNED: i64 = 200;
const SCANNED: i64 = 5_000;
/// Read at a time by a watcher.
const CHUNK: i64 = 50;
/// A watcher polls by itself so often: a wake may be lost with Redis.
const POLL: Duration = Duration::from_secs(30);

/// Those that are wanted, come from users the viewer may see, and are about texts that they may
/// see: whom somebody private mentions is not notified.
async fn shown(
    op: &Operation,
    settings: &Settings,
    mut rows: Vec<Notification>,
) -> Result<Vec<Notification>, DomainError> {
    let relations = relations::of_viewer(op).await?;
    rows.retain(|row| settings::is_wanted(settings, &relations, row));
    let rows = about_visible(op, rows).await?;
    let actors = rows.iter().filter_map(|row| row.actor);
    let visible = policy::passing(op, actors, policy::voice_is_visible).await?;
    Ok(rows
        .into_iter()
        .filter(|row| row.actor.is_none_or(|actor| visible.contains(&actor)))
        .collect())
}

/// Leaves out mentions, answers and quotes in texts that are deleted, or not for the viewer.
async fn about_visible(
    op: &Operation,
    rows: Vec<Notification>,
) -> Result<Vec<Notification>, DomainError> {
    let subjects = |kinds: [Kind; 2]| {
        rows.iter().filter(move |row| kinds.contains(&row.kind)).map(move |row| row.subject_id)
    };
    let in_posts: Vec<PostId> =
        subjects([Kind::Mention, Kind::Quote]).map(PostId::from_i64).collect();
    let in_comments: Vec<CommentId> =
        subjects([Kind::Mention, Kind::Reply]).map(CommentId::from_i64).collect();
    if in_posts.is_empty() && in_comments.is_empty() {
        return Ok(rows);
    }
    let (posts, comments) = futures_util::future::try_join(
        posts::get_many(op, &in_posts),
        comments::get_many(op, &in_comments),
    )
    .await?;
    let is_shown = |row: &Notification| match row.kind {
        Kind::Mention | Kind::Quote | Kind::Reply => {
            posts.contains_key(&PostId::from_i64(row.subject_id))
                || comments.contains_key(&CommentId::from_i64(row.subject_id))
        }
        _ => true,
    };
    Ok(rows.into_iter().filter(is_shown).collect())
}

/// Which of the viewer's notifications to gather.
#[derive(Debug, Clone, Copy)]
struct Search {
    /// Below this id.
    below: i64,
    /// Only those that the viewer has not seen.
    unread: bool,
    /// So many.
    wanted: usize,
}

/// What was gathered.
#[derive(Debug, Default)]
struct Gathered {
    /// Those that are shown, the newest first; there may be more than were wanted.
    rows: Vec<Notification>,
    settings: Settings,
    /// Up to which the rows were scanned.
    end: Option<i64>,
    /// Whether there may be more below.
    more: bool,
}

/// Goes down the viewer's notifications until as many are found as are wanted, past any number that
/// are hidden, at most [`ROUNDS`] statements with [`SCANNED`] rows each.
async fn gather(op: &Operation, search: Search) -> Result<Gathered, DomainError> {
    let user = op.require_viewer()?.user_id;
    let shard = op.domain.cluster.shard_of_id(user);
    let mut known: Option<Settings> = None;
    let mut found = Gathered::default();
    let mut below = search.below;
    let mut limit = i64::try_from(search.wanted).unwrap_or(i64::MAX);
    let mut scan = limit.saturating_mul(2).clamp(FIRST_SCANNED, SCANNED);
    for _ in 0..ROUNDS {
        let held = known.clone();
        let (settings, part) = op
            .domain
            .cluster
            .read(&op.reads, shard, async |connection| {
                let settings = match held.clone() {
                    Some(settings) => settings,
                    None => notification_settings::get(connection, user).await?,
                };
                let above = if search.unread { settings.read_up_to } else { 0 };
                let wanted = model::Wanted {
                    user,
                    muted: &settings.muted,
                    only_followed: &settings.only_followed,
                    scan,
                    limit,
                };
                let part = model::newest(connection, wanted, below, above).await?;
                Ok((settings, part))
            })
            .await?;
        found.rows.extend(shown(op, &settings, part.rows).await?);
        known = Some(settings);
        found.more = part.more;
        found.end = part.end.or(found.end);
        below = part.end.unwrap_or(below);
        if found.rows.len() >= search.wanted || !part.more {
            break;
        }
        // Who is hidden is known here alone: what is read grows with what is scanned.
        scan = scan.saturating_mul(4).min(SCANNED);
        limit = limit.max(scan / 4).max(FIRST_SCANNED);
    }
    found.settings = known.unwrap_or_default();
    Ok(found)
}

/// The viewer's notifications, newest first; cursor = notification id. A page is full unless the
/// list ends, or `gather` has come to its bound: then the end is where to go on.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is unavailable.
pub async fn of_viewer(
    op: &Operation,
    page: PageRequest,
) -> Result<Page<Notification>, DomainError> {
    let below = page.after.unwrap_or(i64::MAX);
    let found = gather(op, Search { below, unread: false, wanted: page.first + 1 }).await?;
    let rows: Vec<_> = found.rows.into_iter().map(|row| (row.id.as_i64(), row)).collect();
    let page = Page::from_rows(rows, page.first);
    if page.has_next {
        return Ok(page);
    }
    Ok(Page { end: found.end, has_next: found.more, ..page })
}

/// Notifications of the viewer's by id; others' are left out.
///
/// # Errors
/// A shard that is unavailable.
pub async fn get_many(
    op: &Operation,
    ids: &[NotificationId],
) -> Result<HashMap<NotificationId, Notification>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashMap::new()) };
    let user = viewer.user_id;
    let rows = op
        .domain
        .cluster
        .scatter_ids(&op.reads, ids.iter().copied(), async |connection, ids| {
            model::get_many(connection, user, ids).await
        })
        .await
        .complete()?;
    let own = rows.into_iter().flatten().collect();
    // Asked for by its id, one is shown whether its kind is wanted or not.
    Ok(shown(op, &Settings::default(), own).await?.into_iter().map(|row| (row.id, row)).collect())
}

/// Watches the viewer's notifications.
#[derive(Debug)]
pub struct NotificationWatch {
    viewer: Viewer,
    watcher: Watcher,
    seen: Wakes,
    last: Option<i64>,
    found: std::collections::VecDeque<Notification>,
}

impl NotificationWatch {
    /// Begins after a notification, or now.
    pub async fn begin(domain: &Arc<Domain>, viewer: Viewer, after: Option<i64>) -> Self {
        let mut watcher = domain.redis.watch(viewer.user_id).await;
        let seen = watcher.seen();
        Self { viewer, watcher, seen, last: after, found: std::collections::VecDeque::new() }
    }

    /// The next one; waits for it.
    pub async fn next(
        &mut self,
        mut op: impl FnMut() -> Arc<Operation> + Send,
        domain: &Arc<Domain>,
    ) -> Notification {
        loop {
            if let Some(found) = self.found.pop_front() {
                return found;
            }
            let turn = domain.redis.turn().await;
            let polled = self.poll(&op()).await;
            drop(turn);
            match polled {
                Ok(true) => {}
                Ok(false) => {
                    live::rest(
                        &mut self.watcher,
                        &mut self.seen,
                        |wakes| wakes.notifications,
                        Instant::now() + POLL,
                    )
                    .await
                }
                Err(error) => {
                    tracing::debug!(%error, "notifications cannot be watched for the moment");
                    tokio::time::sleep(live::RETRY).await;
                }
            }
        }
    }

    /// Whether there was anything new.
    async fn poll(&mut self, op: &Operation) -> Result<bool, DomainError> {
        let (user, last) = (self.viewer.user_id, self.last);
        let primary = op.primary();
        // Which kinds are wanted is applied below: most polls find nothing.
        let wanted =
            model::Wanted { user, muted: &[], only_followed: &[], scan: CHUNK, limit: CHUNK };
        let (part, settings) = op
            .domain
            .cluster
            .read(
                &primary,
                op.domain.cluster.shard_of_id(self.viewer.user_id),
                async |connection| {
                    let part = match last {
                        Some(last) => model::since(connection, wanted, last).await?,
                        None => {
                            let newest = model::newest_id(connection, user).await?;
                            model::Part { end: Some(newest), ..model::Part::default() }
                        }
                    };
                    let settings = if part.rows.is_empty() {
                        Settings::default()
                    } else {
                        notification_settings::get(connection, user).await?
                    };
                    Ok((part, settings))
                },
            )
            .await?;
        if last.is_none() {
            // From now on.
            self.last = Some(part.end.unwrap_or_default());
            return Ok(false);
        }
        let Some(end) = part.end else { return Ok(false) };
        self.found.extend(shown(op, &settings, part.rows).await?);
        self.last = Some(end);
        live::seen(&op.domain, self.viewer).await;
        Ok(true)
    }
}
