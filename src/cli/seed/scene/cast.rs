//! Who is seen first, by alice and by whoever has just signed up: they have faces.

use futures_util::future::try_join_all;

use super::{Scene, TIMEOUT};
use plaza_base::ids::UserId;
use plaza_domain::images::Purpose;
use plaza_domain::users::ProfileUpdate;
use plaza_domain::{PageRequest, follows, posts, products, users};
use plaza_seeding::drawings;

/// People with faces, at most.
const CAST: usize = 100;
/// Of those whom alice follows, so many have one.
const FOLLOWED: usize = 30;
/// Products whose sellers the demo suggests to somebody who follows nobody.
const OFFERED: usize = 40;
/// Posts that somebody who is not logged in meets.
const SAID: usize = 20;
/// Faces that are drawn at a time: as many as processors, and some that wait for the disk.
const AT_ONCE: usize = 4;

impl Scene<'_> {
    /// Whom alice follows, the newest first.
    pub(super) async fn followed(&self) -> anyhow::Result<Vec<UserId>> {
        let op = self.operation(self.alice, "friends");
        let page = PageRequest::forwards(FOLLOWED, None);
        let followed = follows::following(&op, self.alice, page).await?;
        Ok(followed.items.into_iter().map(|(_, person)| person).collect())
    }

    /// Alice and whom she follows, who sold and wrote last, and of the first as many as there is
    /// room for; each once.
    pub(super) async fn cast(
        &self,
        followed: &[UserId],
        first: &[UserId],
    ) -> anyhow::Result<Vec<UserId>> {
        let op = self.operation(self.alice, "cast");
        let (offered, _) = products::newest(&op, PageRequest::forwards(OFFERED, None)).await?;
        let (said, _) = posts::newest(&op, PageRequest::forwards(SAID, None)).await?;
        let sellers = offered.items.iter().map(|(_, product)| product.seller_id);
        let authors = said.items.iter().map(|(_, post)| post.author_id);
        let known = [self.alice].into_iter().chain(followed.iter().copied());
        let mut cast = Vec::new();
        for who in known.chain(sellers).chain(authors).chain(first.iter().copied()) {
            if cast.len() < CAST && !cast.contains(&who) {
                cast.push(who);
            }
        }
        Ok(cast)
    }

    /// Faces for those of the cast who have none.
    pub(super) async fn faces(&self, cast: &[UserId]) -> anyhow::Result<()> {
        let known = users::get_many(&self.app.internal(TIMEOUT), cast).await?;
        let bare: Vec<(u64, UserId)> = (0..)
            .zip(cast.iter().copied())
            .filter(|(_, who)| known.get(who).is_some_and(|user| user.avatar.is_none()))
            .collect();
        for some in bare.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|(number, who)| self.face(*number, *who))).await?;
        }
        Ok(())
    }

    async fn face(&self, number: u64, who: UserId) -> anyhow::Result<()> {
        let (step, seed) = (format!("face {number}"), self.seed);
        let png = tokio::task::spawn_blocking(move || drawings::face(seed, number)).await?;
        let image = self.image(who, &step, png, Purpose::Avatar, "").await?;
        let update = ProfileUpdate {
            display_name: None,
            bio: None,
            is_private: None,
            avatar: Some(Some(image)),
        };
        users::update(&self.operation(who, &step), update).await?;
        Ok(())
    }
}
