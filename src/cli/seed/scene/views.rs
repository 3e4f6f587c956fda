//! Alice's posts have been viewed, so that her analytics open on something.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scene;
use plaza_base::ids::{PostId, UserId};
use plaza_domain::analytics::{self, Range, Size};
use plaza_domain::{PageRequest, posts, views};
use plaza_protocol::views::View;
use plaza_read_models::view_windows::{self, Totals, Windows};
use plaza_seeding::Viewing;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;

/// Of alice's posts, so many have been viewed before.
const POSTS: usize = 20;
/// The projector knows the windows of the last minutes by heart: nobody else adds to them.
const BEFORE_MS: i64 = 10 * 60_000;
/// The partition that views are totalled under which did not come through the log.
const NO_PARTITION: i32 = -1;

impl Scene<'_> {
    /// Views of alice's posts over the last month, and those of the newest as clients record them.
    pub(super) async fn views(&self, cast: &[UserId], stall: PostId) -> anyhow::Result<()> {
        self.views_before(cast).await?;
        for who in &self.friends {
            views::record(&self.operation(*who, "views"), &[stall]).await?;
        }
        let log = Arc::clone(&self.app.domain.views);
        Ok(tokio::task::spawn_blocking(move || log.flush()).await?)
    }

    /// The log takes no views of long ago, so these are counted beside it, once: all of them in one
    /// transaction, where none are counted yet.
    async fn views_before(&self, cast: &[UserId]) -> anyhow::Result<()> {
        let domain = &self.app.domain;
        let op = self.operation(self.alice, "views before");
        let month = Range::last(30, Size::Day, None, domain.clock.now())?;
        if analytics::views_of_author(&op, self.alice, month).await?.views > 0 {
            return Ok(());
        }
        let written = posts::by_author(&op, self.alice, PageRequest::forwards(POSTS, None)).await?;
        let own = written.items.into_iter().map(|(_, post)| post);
        let own: Vec<PostId> =
            own.filter(|post| post.repost_of.is_none()).map(|post| post.id).collect();
        let viewers: Vec<UserId> = cast.iter().copied().filter(|who| *who != self.alice).collect();
        let until_ms = domain.clock.now_ms() - BEFORE_MS;
        let (mut windows, mut totals) = (Windows::default(), Totals::default());
        for Viewing { post, viewer, at_ms } in
            plaza_seeding::views(self.seed, &own, &viewers, until_ms)
        {
            let viewer = domain.identity.pseudonym(format!("user:{viewer}").as_bytes());
            windows.count(&View { post_id: post, author_id: self.alice, viewer, at_ms });
            totals.counted += 1;
            totals.watermark = totals.watermark.max(at_ms);
        }
        if windows.is_empty() {
            return Ok(());
        }
        let totals = BTreeMap::from([(NO_PARTITION, totals)]);
        let counting = async |connection: &mut Connection| -> Result<(), StoreError> {
            view_windows::add(connection, &windows).await?;
            view_windows::add_totals(connection, &totals).await
        };
        let shard = domain.cluster.shard_of_id(self.alice);
        domain.cluster.write(shard, op.deadline, counting).await?;
        Ok(())
    }
}
