//! What the viewer is told of.

pub mod groups;
pub mod settings;

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{
    Domain, DomainError, Operation, Page, PageRequest, Viewer, comments, live, policy, posts,
    relations,
};
use crate::ids::{CommentId, Id, NotificationId, PostId, UserId};
use crate::read_models::notifications as model;
use crate::stores::postgres::{Connection, ReadSession, notification_settings};
use crate::stores::redis::pubsub::{Wakes, Watcher};

use self::settings::Settings;

pub use crate::read_models::notifications::NotificationRow as Notification;

/// Read at a time by a watcher.
const CHUNK: i64 = 50;
/// A watcher looks by itself so often: a wake may be lost with Redis.
const LOOK: Duration = Duration::from_secs(30);

/// Those that are wanted, come from people the viewer may see, and are about texts that they may
/// see: whom somebody private mentions is told nothing.
async fn shown(
    op: &Operation,
    domain: &Domain,
    settings: &Settings,
    mut rows: Vec<Notification>,
) -> Result<Vec<Notification>, DomainError> {
    let relations = relations::of_viewer(op, domain).await?;
    rows.retain(|row| settings.wants(&relations, row));
    let rows = about_visible(op, domain, rows).await?;
    let actors =
        rows.iter().filter(|row| row.actor_id != 0).map(|row| UserId::from_i64(row.actor_id));
    let visible = policy::passing(op, domain, actors, policy::voice_is_visible).await?;
    Ok(rows
        .into_iter()
        .filter(|row| row.actor_id == 0 || visible.contains(&UserId::from_i64(row.actor_id)))
        .collect())
}

/// Leaves out mentions, answers and quotes in texts that are gone, or not for the viewer.
async fn about_visible(
    op: &Operation,
    domain: &Domain,
    rows: Vec<Notification>,
) -> Result<Vec<Notification>, DomainError> {
    let subjects = |kinds: [&'static str; 2]| {
        rows.iter()
            .filter(move |row| kinds.contains(&row.kind.as_str()))
            .map(move |row| row.subject_id)
    };
    let in_posts: Vec<PostId> = subjects(["MENTION", "QUOTE"]).map(PostId::from_i64).collect();
    let in_comments: Vec<CommentId> =
        subjects(["MENTION", "REPLY"]).map(CommentId::from_i64).collect();
    if in_posts.is_empty() && in_comments.is_empty() {
        return Ok(rows);
    }
    let (posts, comments) = futures_util::future::try_join(
        posts::get_many(op, domain, &in_posts),
        comments::get_many(op, domain, &in_comments),
    )
    .await?;
    let is_shown = |row: &Notification| match row.kind.as_str() {
        "MENTION" | "QUOTE" | "REPLY" => {
            posts.contains_key(&PostId::from_i64(row.subject_id))
                || comments.contains_key(&CommentId::from_i64(row.subject_id))
        }
        _ => true,
    };
    Ok(rows.into_iter().filter(is_shown).collect())
}

/// The viewer's notifications, newest first; cursor = notification id.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is away.
pub async fn of_viewer(
    op: &Operation,
    domain: &Domain,
    page: PageRequest,
) -> Result<Page<Notification>, DomainError> {
    let user = op.require_viewer()?.user_id;
    let (below, limit) =
        (page.after.unwrap_or(i64::MAX), i64::try_from(page.first + 1).unwrap_or(i64::MAX));
    let (rows, settings) = domain
        .cluster
        .read(&op.reads, domain.cluster.shard_of_id(user), async |connection: &mut Connection| {
            let rows = model::page(connection, user.as_i64(), below, limit).await?;
            Ok((rows, notification_settings::get(connection, user.as_i64()).await?))
        })
        .await?;
    let raw =
        Page::from_rows(rows.into_iter().map(|row| (row.id.as_i64(), row)).collect(), page.first);
    let (end, has_next) = (raw.end, raw.has_next);
    let rows =
        shown(op, domain, &settings, raw.items.into_iter().map(|(_, row)| row).collect()).await?;
    Ok(Page { items: rows.into_iter().map(|row| (row.id.as_i64(), row)).collect(), end, has_next })
}

/// Notifications of the viewer's by id; others' are left out.
///
/// # Errors
/// A shard that is away.
pub async fn get_many(
    op: &Operation,
    domain: &Domain,
    ids: &[NotificationId],
) -> Result<HashMap<NotificationId, Notification>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashMap::new()) };
    let rows = domain
        .cluster
        .scatter_ids(
            &op.reads,
            ids.iter().copied(),
            async |connection: &mut Connection, ids: &[i64]| model::get_many(connection, ids).await,
        )
        .await
        .complete()?;
    let own = rows.into_iter().flatten().filter(|row| row.user_id == viewer.user_id).collect();
    // Asked for by its id, one is told whether its kind is wanted or not.
    Ok(shown(op, domain, &Settings::default(), own)
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect())
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
    pub async fn begin(domain: &Domain, viewer: Viewer, after: Option<i64>) -> Self {
        let mut watcher = domain.redis.watch(viewer.user_id).await;
        let seen = watcher.seen();
        Self { viewer, watcher, seen, last: after, found: std::collections::VecDeque::new() }
    }

    /// The next one; waits for it.
    pub async fn next(
        &mut self,
        mut op: impl FnMut() -> std::sync::Arc<Operation> + Send,
        domain: &Domain,
    ) -> Notification {
        loop {
            if let Some(found) = self.found.pop_front() {
                return found;
            }
            let turn = domain.redis.turn().await;
            let looked = self.look(&op(), domain).await;
            drop(turn);
            match looked {
                Ok(true) => {}
                Ok(false) => {
                    live::rest(
                        &mut self.watcher,
                        &mut self.seen,
                        |wakes| wakes.notifications,
                        Instant::now() + LOOK,
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
    async fn look(&mut self, op: &Operation, domain: &Domain) -> Result<bool, DomainError> {
        let (user, last) = (self.viewer.user_id.as_i64(), self.last);
        let primary = ReadSession::primary(domain.cluster.len());
        let (rows, settings) = domain
            .cluster
            .read(
                &primary,
                domain.cluster.shard_of_id(self.viewer.user_id),
                async |connection: &mut Connection| {
                    let rows = match last {
                        Some(last) => model::since(connection, user, last, CHUNK).await?,
                        None => model::page(connection, user, i64::MAX, 1).await?,
                    };
                    let settings = if rows.is_empty() {
                        Settings::default()
                    } else {
                        notification_settings::get(connection, user).await?
                    };
                    Ok((rows, settings))
                },
            )
            .await?;
        let newest = rows.iter().map(|row| row.id.as_i64()).max();
        if last.is_none() {
            // From now on.
            self.last = Some(newest.unwrap_or_default());
            return Ok(false);
        }
        let Some(newest) = newest else { return Ok(false) };
        self.found.extend(shown(op, domain, &settings, rows).await?);
        self.last = Some(newest);
        live::seen(domain, self.viewer).await;
        Ok(true)
    }
}
