//! Notifications shown together: who likes the same post, who follows, what is said on a post, on
//! one day.
//!
//! A page of groups is of the notifications there were when the first page was asked for: the
//! cursor carries which was the newest then. So a group that grows while somebody pages through the
//! list does not come a second time, nor push another over the page's edge.

use std::collections::{HashMap, HashSet};

use super::{Kind, Notification, Search, gather};
use crate::{DomainError, Operation};
use plaza_base::ids::{Id, UserId};

/// Notifications that groups are made of: the newest so many that are shown. Older ones are in the
/// list of all.
const GROUPED: usize = 1_000;
/// Most that are counted as unread.
const COUNTED: usize = 100;
/// Users of a group who are named.
pub const NAMED: usize = 3;
/// Milliseconds of a day, UTC.
const DAY_MS: i64 = 86_400_000;

/// Notifications shown together.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they have in common: the same for as long as there is the group.
    pub key: String,
    /// The newest.
    pub latest: Notification,
    /// Those who did it last, the last first, at most [`NAMED`].
    pub actors: Vec<UserId>,
    /// How many did it.
    pub actor_count: usize,
    /// How many notifications.
    pub count: usize,
    /// Whether the newest has not been seen.
    pub is_unread: bool,
}

/// A place in the list of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The newest notification that belongs to the list.
    pub newest: i64,
    /// The newest of the last group's.
    pub latest: i64,
}

/// A page of groups.
#[derive(Debug, Default)]
pub struct Groups {
    /// Each with its place, the newest first.
    pub items: Vec<(Place, Group)>,
    /// Whether more come.
    pub has_next: bool,
}

/// What notifications that are shown together have in common; a kind that is not named here is
/// shown one by one.
fn key(row: &Notification) -> (Kind, i64, i64) {
    let about = match row.kind {
        Kind::Followed => 0,
        Kind::Liked | Kind::Repost => row.subject_id,
        Kind::Commented => row.post_id.unwrap_or(row.subject_id),
        Kind::Ordered => row.product_id.unwrap_or(row.subject_id),
        Kind::FollowRequested
        | Kind::FollowAccepted
        | Kind::Mention
        | Kind::Reply
        | Kind::Quote
        | Kind::OrderConfirmed
        | Kind::OrderRejected
        | Kind::OrderRefunded => row.id.as_i64(),
    };
    (row.kind, about, row.id.created_at().timestamp_millis().div_euclid(DAY_MS))
}

fn named((kind, about, day): (Kind, i64, i64)) -> String {
    format!("{}:{about}:{day}", kind.name())
}

/// Rows, the newest first, in groups in the order of their newest.
fn group(rows: &[Notification], read_up_to: i64) -> Vec<Group> {
    let mut places: HashMap<(Kind, i64, i64), usize> = HashMap::new();
    let mut groups: Vec<(Group, HashSet<UserId>)> = Vec::new();
    for row in rows {
        let place = *places.entry(key(row)).or_insert(groups.len());
        if place == groups.len() {
            let latest = row.clone();
            let is_unread = latest.id.as_i64() > read_up_to;
            groups.push((
                Group {
                    key: named(key(row)),
                    latest,
                    actors: Vec::new(),
                    actor_count: 0,
                    count: 0,
                    is_unread,
                },
                HashSet::new(),
            ));
        }
        let Some((group, actors)) = groups.get_mut(place) else { continue };
        group.count += 1;
        if let Some(actor) = row.actor
            && actors.insert(actor)
            && group.actors.len() < NAMED
        {
            group.actors.push(actor);
        }
    }
    let counted =
        |(group, actors): (Group, HashSet<UserId>)| Group { actor_count: actors.len(), ..group };
    groups.into_iter().map(counted).collect()
}

/// The viewer's notifications in groups, those with the newest first.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is unavailable.
pub async fn of_viewer(
    op: &Operation,
    first: usize,
    after: Option<Place>,
) -> Result<Groups, DomainError> {
    let (newest, all) = all(op, after.map_or(i64::MAX, |place| place.newest)).await?;
    let below = after.map_or(i64::MAX, |place| place.latest);
    let mut groups = all.into_iter().filter(|group| group.latest.id.as_i64() < below);
    let items = groups
        .by_ref()
        .take(first)
        .map(|group| (Place { newest, latest: group.latest.id.as_i64() }, group))
        .collect();
    Ok(Groups { items, has_next: groups.next().is_some() })
}

/// The viewer's group with this key; `None` when there is none among the newest notifications.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is unavailable.
pub async fn by_key(op: &Operation, key: &str) -> Result<Option<Group>, DomainError> {
    let (_, all) = all(op, i64::MAX).await?;
    Ok(all.into_iter().find(|group| group.key == key))
}

/// All groups of the notifications up to `newest`, and which is the newest that there is.
async fn all(op: &Operation, newest: i64) -> Result<(i64, Vec<Group>), DomainError> {
    let below = newest.saturating_add(1);
    let found = gather(op, Search { below, unread: false, wanted: GROUPED }).await?;
    let mut rows = found.rows;
    rows.truncate(GROUPED);
    // Of the first page; the others are of what there was then.
    let newest = match newest {
        i64::MAX => rows.first().map_or(newest, |row| row.id.as_i64()),
        newest => newest,
    };
    Ok((newest, group(&rows, found.settings.read_up_to)))
}

/// How many notifications the viewer has not seen, at most a hundred.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is unavailable.
pub async fn unread(op: &Operation) -> Result<usize, DomainError> {
    let search = Search { below: i64::MAX, unread: true, wanted: COUNTED };
    Ok(gather(op, search).await?.rows.len().min(COUNTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::{Bucket, NotificationId, compose};

    /// Days since 2025, and the rest of the row.
    fn row(
        day: i64,
        number: u16,
        kind: Kind,
        actor: i64,
        subject: i64,
        post: Option<i64>,
    ) -> Notification {
        let id = compose(1_735_689_600_000 + day * DAY_MS, Bucket::new(1), number);
        Notification {
            id: NotificationId::from_i64(id),
            user_id: UserId::from_i64(1),
            kind,
            actor: (actor != 0).then(|| UserId::from_i64(actor)),
            subject_id: subject,
            product_id: None,
            post_id: post,
        }
    }

    #[test]
    fn what_is_about_the_same_on_the_same_day_is_grouped() {
        let rows = [
            row(2, 9, Kind::Liked, 5, 70, None),
            row(2, 8, Kind::Commented, 5, 81, Some(70)),
            row(2, 7, Kind::Liked, 6, 70, None),
            row(2, 6, Kind::Commented, 5, 80, Some(70)),
            row(2, 5, Kind::Liked, 7, 71, None),
            row(2, 4, Kind::Followed, 5, 0, None),
            row(2, 3, Kind::Followed, 6, 0, None),
            row(2, 2, Kind::Mention, 5, 90, None),
            row(2, 1, Kind::Mention, 5, 91, None),
            row(1, 1, Kind::Liked, 8, 70, None),
        ];
        let groups = group(&rows, rows[2].id.as_i64());
        let seen: Vec<(Kind, usize, usize, bool)> = groups
            .iter()
            .map(|group| (group.latest.kind, group.count, group.actor_count, group.is_unread))
            .collect();
        assert_eq!(
            seen,
            [
                (Kind::Liked, 2, 2, true),
                (Kind::Commented, 2, 1, true),
                (Kind::Liked, 1, 1, false),
                (Kind::Followed, 2, 2, false),
                (Kind::Mention, 1, 1, false),
                (Kind::Mention, 1, 1, false),
                (Kind::Liked, 1, 1, false),
            ]
        );
        assert_eq!(groups[0].actors, [UserId::from_i64(5), UserId::from_i64(6)]);
    }

    #[test]
    fn of_many_people_the_last_are_named() {
        let rows: Vec<Notification> = (0..10)
            .map(|number| row(1, 20 - number, Kind::Liked, i64::from(number) + 1, 70, None))
            .collect();
        let groups = group(&rows, 0);
        assert_eq!(
            (groups.len(), groups[0].count, groups[0].actor_count, groups[0].actors.len()),
            (1, 10, 10, NAMED)
        );
    }
}
