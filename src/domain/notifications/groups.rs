//! Notifications told together: who likes the same post, who follows, what is said on a post, on
//! one day.
//!
//! A page of groups is of the notifications there were when the first page was asked for: the
//! cursor carries which was the newest then. So a group that grows while somebody pages through the
//! list does not come a second time, nor push another over the page's edge.

use std::collections::{HashMap, HashSet};

use super::{Notification, settings, shown};
use crate::domain::{Domain, DomainError, Operation};
use crate::ids::{Id, UserId};
use crate::read_models::notifications::{self as model, Listed};
use crate::stores::postgres::{Connection, notification_settings};

/// Notifications that groups are made of: the newest so many. Older ones are in the list of all.
const GROUPED: i64 = 1_000;
/// Most that are told to be unread.
const COUNTED: usize = 100;
/// Unread rows that are looked at: some may be hidden, and not be counted.
const LOOKED_AT: i64 = 300;
/// People of a group who are named.
pub const NAMED: usize = 3;
/// Milliseconds of a day, UTC.
const DAY_MS: i64 = 86_400_000;

/// Notifications told together.
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

/// What notifications that are told together have in common; a kind that is not named here is told
/// one by one.
fn key(told: &Listed) -> (&str, i64, i64) {
    let row = &told.notification;
    let about = match row.kind.as_str() {
        "FOLLOWED" => 0,
        "LIKED" | "REPOST" => row.subject_id,
        "COMMENTED" => told.post_id.unwrap_or(row.subject_id),
        "ORDERED" => row.product_id.unwrap_or(row.subject_id),
        _ => row.id.as_i64(),
    };
    (row.kind.as_str(), about, row.id.created_at().timestamp_millis().div_euclid(DAY_MS))
}

fn named((kind, about, day): (&str, i64, i64)) -> String {
    format!("{kind}:{about}:{day}")
}

/// Rows, the newest first, in groups in the order of their newest.
fn group(rows: &[Listed], read_up_to: i64) -> Vec<Group> {
    let mut places: HashMap<(&str, i64, i64), usize> = HashMap::new();
    let mut groups: Vec<(Group, HashSet<i64>)> = Vec::new();
    for told in rows {
        let place = *places.entry(key(told)).or_insert(groups.len());
        if place == groups.len() {
            let latest = told.notification.clone();
            let is_unread = latest.id.as_i64() > read_up_to;
            groups.push((
                Group {
                    key: named(key(told)),
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
        if told.notification.actor_id != 0
            && actors.insert(told.notification.actor_id)
            && group.actors.len() < NAMED
        {
            group.actors.push(UserId::from_i64(told.notification.actor_id));
        }
    }
    let counted =
        |(group, actors): (Group, HashSet<i64>)| Group { actor_count: actors.len(), ..group };
    groups.into_iter().map(counted).collect()
}

/// The viewer's notifications in groups, those with the newest first.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is away.
pub async fn of_viewer(
    op: &Operation,
    domain: &Domain,
    first: usize,
    after: Option<Place>,
) -> Result<Groups, DomainError> {
    let (newest, all) = all(op, domain, after.map_or(i64::MAX, |place| place.newest)).await?;
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
/// [`DomainError::Unauthenticated`]; a shard that is away.
pub async fn by_key(
    op: &Operation,
    domain: &Domain,
    key: &str,
) -> Result<Option<Group>, DomainError> {
    let (_, all) = all(op, domain, i64::MAX).await?;
    Ok(all.into_iter().find(|group| group.key == key))
}

/// All groups of the notifications up to `newest`, and which is the newest that there is.
async fn all(
    op: &Operation,
    domain: &Domain,
    newest: i64,
) -> Result<(i64, Vec<Group>), DomainError> {
    let user = op.require_viewer()?.user_id;
    let (rows, settings) = domain
        .cluster
        .read(&op.reads, domain.cluster.shard_of_id(user), async |connection: &mut Connection| {
            let rows = model::newest(connection, user.as_i64(), newest, GROUPED).await?;
            Ok((rows, notification_settings::get(connection, user.as_i64()).await?))
        })
        .await?;
    let newest = rows.first().map_or(newest, |told| told.notification.id.as_i64());
    let kept: HashSet<i64> =
        shown(op, domain, &settings, rows.iter().map(|told| told.notification.clone()).collect())
            .await?
            .into_iter()
            .map(|row| row.id.as_i64())
            .collect();
    let rows: Vec<Listed> =
        rows.into_iter().filter(|told| kept.contains(&told.notification.id.as_i64())).collect();
    Ok((newest, group(&rows, settings.read_up_to)))
}

/// How many notifications the viewer has not seen, at most a hundred.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is away.
pub async fn unread(op: &Operation, domain: &Domain) -> Result<usize, DomainError> {
    let user = op.require_viewer()?.user_id;
    let (rows, settings) = domain
        .cluster
        .read(&op.reads, domain.cluster.shard_of_id(user), async |connection: &mut Connection| {
            let settings: settings::Settings =
                notification_settings::get(connection, user.as_i64()).await?;
            let unread = model::unread(
                connection,
                user.as_i64(),
                settings.read_up_to,
                &settings.muted,
                LOOKED_AT,
            )
            .await?;
            Ok((unread, settings))
        })
        .await?;
    Ok(shown(op, domain, &settings, rows).await?.len().min(COUNTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Bucket, NotificationId, compose};

    /// Days since 2025, and the rest of the row.
    fn told(
        day: i64,
        number: u16,
        kind: &str,
        actor: i64,
        subject: i64,
        post: Option<i64>,
    ) -> Listed {
        let id = compose(1_735_689_600_000 + day * DAY_MS, Bucket::new(1), number);
        let row = Notification {
            id: NotificationId::from_i64(id),
            user_id: UserId::from_i64(1),
            kind: kind.to_owned(),
            actor_id: actor,
            subject_id: subject,
            product_id: None,
        };
        Listed { notification: row, post_id: post }
    }

    #[test]
    fn what_is_about_the_same_on_the_same_day_is_told_together() {
        let rows = [
            told(2, 9, "LIKED", 5, 70, None),
            told(2, 8, "COMMENTED", 5, 81, Some(70)),
            told(2, 7, "LIKED", 6, 70, None),
            told(2, 6, "COMMENTED", 5, 80, Some(70)),
            told(2, 5, "LIKED", 7, 71, None),
            told(2, 4, "FOLLOWED", 5, 0, None),
            told(2, 3, "FOLLOWED", 6, 0, None),
            told(2, 2, "MENTION", 5, 90, None),
            told(2, 1, "MENTION", 5, 91, None),
            told(1, 1, "LIKED", 8, 70, None),
        ];
        let groups = group(&rows, rows[2].notification.id.as_i64());
        let told: Vec<(&str, usize, usize, bool)> = groups
            .iter()
            .map(|group| {
                (group.latest.kind.as_str(), group.count, group.actor_count, group.is_unread)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("LIKED", 2, 2, true),
                ("COMMENTED", 2, 1, true),
                ("LIKED", 1, 1, false),
                ("FOLLOWED", 2, 2, false),
                ("MENTION", 1, 1, false),
                ("MENTION", 1, 1, false),
                ("LIKED", 1, 1, false),
            ]
        );
        assert_eq!(groups[0].actors, [UserId::from_i64(5), UserId::from_i64(6)]);
    }

    #[test]
    fn of_many_people_the_last_are_named() {
        let rows: Vec<Listed> = (0..10)
            .map(|number| told(1, 20 - number, "LIKED", i64::from(number) + 1, 70, None))
            .collect();
        let groups = group(&rows, 0);
        assert_eq!(
            (groups.len(), groups[0].count, groups[0].actor_count, groups[0].actors.len()),
            (1, 10, 10, NAMED)
        );
    }
}
