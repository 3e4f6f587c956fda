//! A few people who are at it: what alice finds when she opens the demo, and whoever has just
//! signed up. Unlike the rows around it, this is done as clients do it, through the domain: events
//! are sent, notifications made, orders run. Every step has an idempotency key, so that a scene
//! that was interrupted goes on.

mod cast;
mod pictures;
mod views;

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures_util::stream;

use plaza_app::App;
use plaza_base::ids::{Id, ImageId, PostId, ProductId, SessionId, UserId};
use plaza_domain::images::{self, NewUpload, Purpose};
use plaza_domain::operation::Viewer;
use plaza_domain::posts::NewPost;
use plaza_domain::products::{Money, NewProduct};
use plaza_domain::{
    DomainError, Operation, PageRequest, comments, likes, orders, posts, products, users,
};
use plaza_seeding::drawings;

/// How long one step may take: an image is drawn and encoded, also by a debug build.
const TIMEOUT: Duration = Duration::from_secs(30);
/// People whom alice follows that take part, at most and at least.
const FRIENDS: usize = 10;
const ENOUGH: usize = 3;

/// What friends write, and whether with a picture.
const POSTS: [(&str, bool); 8] = [
    ("Six in the morning, and nobody out there but me.", true),
    (
        "@alice your notebook survived a week of rain and one toddler. I need three more. #handmade",
        false,
    ),
    ("The long way home, because of this.", true),
    (
        "Question for the market people: who has room for a table on Saturday? @alice, still next to the fountain? #market",
        false,
    ),
    ("We glazed forty cups today and only argued about the blue. #ceramics", false),
    ("First walk of the year without gloves.", true),
    (
        "Reading the book that @alice left on the bench. Page 40 and I have opinions. #reading",
        false,
    ),
    ("If you hear an accordion tonight: sorry, and also you are welcome. #music", false),
];

/// The scene and who is in it.
struct Scene<'a> {
    app: &'a App,
    seed: u64,
    alice: UserId,
    friends: Vec<UserId>,
}

/// Plays it; false when there are too few people for it. `first` are those whom most follow.
///
/// # Errors
/// Whatever keeps the domain from doing it.
pub(super) async fn play(app: &App, seed: u64, first: &[UserId]) -> anyhow::Result<bool> {
    let op = app.internal(TIMEOUT);
    let alice = users::by_handle(&op, "alice").await?.context("there is no alice")?;
    let mut scene = Scene { app, seed, alice, friends: Vec::new() };
    let followed = scene.followed().await?;
    scene.friends = followed.iter().copied().take(FRIENDS).collect();
    if scene.friends.len() < ENOUGH {
        return Ok(false);
    }
    let cast = scene.cast(&followed, first).await?;
    scene.faces(&cast).await?;
    scene.pictures(first).await?;
    let stall = scene.stall().await?;
    let written = scene.friends_write().await?;
    scene.answers(&stall.post, &written).await?;
    scene.sales(stall.product).await?;
    scene.views(&cast, stall.post).await?;
    // Last, so that it is at work when alice opens her orders.
    scene.purchase().await?;
    Ok(true)
}

/// One of a list, which begins anew after its last; `None` of an empty one.
fn nth<T: Copy>(list: &[T], number: usize) -> Option<T> {
    list.get(number.checked_rem(list.len())?).copied()
}

/// What alice shows.
struct Stall {
    product: ProductId,
    post: PostId,
}

impl Scene<'_> {
    /// An operation of somebody's; `step` names what is done, once.
    fn operation(&self, who: UserId, step: &str) -> Operation {
        // There is no log-in behind it.
        let viewer = Viewer { user_id: who, session_id: SessionId::from_i64(1) };
        let mut op = Operation::newest(&self.app.domain, Some(viewer), TIMEOUT);
        op.client_key = Some(format!("scene {step}"));
        op
    }

    fn friend(&self, number: usize) -> UserId {
        nth(&self.friends, number).unwrap_or(self.alice)
    }

    async fn image(
        &self,
        who: UserId,
        step: &str,
        png: Vec<u8>,
        purpose: Purpose,
        alt: &str,
    ) -> anyhow::Result<ImageId> {
        let (domain, bytes) = (&self.app.domain, Bytes::from(png));
        let new =
            NewUpload { byte_count: i32::try_from(bytes.len())?, alt: alt.to_owned(), purpose };
        let op = self.operation(who, &format!("{step} image"));
        let id = images::create(&op, new).await?.id;
        let address = domain.images.links.upload(id);
        let token = address.rsplit('/').next().unwrap_or_default();
        let length = u64::try_from(bytes.len()).ok();
        let body = stream::iter([Ok::<_, Infallible>(bytes)]);
        images::receive(&op, token, length, body).await?;
        // The job does it too, later, and finds it done.
        images::process(&self.app.internal(TIMEOUT), id).await?;
        Ok(id)
    }

    /// A landscape of somebody's, drawn by its number and described.
    async fn landscape(&self, who: UserId, step: &str, number: u64) -> anyhow::Result<ImageId> {
        let seed = self.seed;
        let png = tokio::task::spawn_blocking(move || drawings::landscape(seed, number)).await?;
        self.image(who, step, png, Purpose::Post, drawings::described(seed, number)).await
    }

    /// Alice offers something, and says so.
    async fn stall(&self) -> anyhow::Result<Stall> {
        let new = NewProduct {
            title: "Linen notebook, ink".to_owned(),
            description:
                "144 pages, sewn, lies flat when it is open.\n\nBound by hand at the stall \
                by the fountain, in linen that was somebody's curtain."
                    .to_owned(),
            price: Money { amount: 2_400, currency: "EUR".to_owned() },
            stock: 24,
        };
        let product = products::create(&self.operation(self.alice, "notebook"), new).await?;
        let text = "New batch of notebooks, still smelling of glue. Twenty-four of them, and then \
            there is no more of this linen. #handmade #market";
        let post = self.write(self.alice, "stall", text, Some(product), None, Vec::new()).await?;
        Ok(Stall { product, post })
    }

    async fn write(
        &self,
        who: UserId,
        step: &str,
        text: &str,
        product_id: Option<ProductId>,
        quoted_post_id: Option<PostId>,
        image_ids: Vec<ImageId>,
    ) -> Result<PostId, DomainError> {
        let new = NewPost { text: text.to_owned(), product_id, quoted_post_id, image_ids };
        Ok(posts::create(&self.operation(who, step), new).await?.id)
    }

    /// Friends write, some with a picture.
    async fn friends_write(&self) -> anyhow::Result<Vec<PostId>> {
        let mut written = Vec::new();
        for (number, (text, is_pictured)) in POSTS.into_iter().enumerate() {
            let (who, step) = (self.friend(number), format!("post {number}"));
            let mut images = Vec::new();
            if is_pictured {
                let image = self.landscape(who, &step, u64::try_from(number)?).await?;
                images.push(image);
            }
            written.push(self.write(who, &step, text, None, None, images).await?);
        }
        Ok(written)
    }

    /// What others make of it: likes, a repost, a quote, a thread.
    async fn answers(&self, stall: &PostId, written: &[PostId]) -> anyhow::Result<()> {
        let (first, second, third) = (self.friend(0), self.friend(1), self.friend(2));
        for (number, friend) in self.friends.iter().enumerate() {
            let op = self.operation(*friend, &format!("like {number}"));
            likes::like(&op, *stall).await?;
            // Friends like what the others wrote, not all of it.
            if let Some(post) =
                written.get(number.wrapping_mul(3).checked_rem(written.len()).unwrap_or(0))
            {
                let op = self.operation(*friend, &format!("like of {number}"));
                likes::like(&op, *post).await?;
            }
        }
        posts::repost(&self.operation(first, "repost"), *stall).await?;
        let quote = "I have one of these on every shelf. Get there before I do.";
        self.write(second, "quote", quote, None, Some(*stall), Vec::new()).await?;
        let said = [
            (third, "Is there one with lines? My handwriting needs a railing.", None),
            (self.alice, "Lines on Thursday. I will put one aside for you.", Some(0)),
            (third, "You are a good person. Coffee is on me.", Some(1)),
            (second, "Wait, there is coffee?", Some(2)),
            (first, "The linen! I recognise that curtain.", None),
        ];
        let mut thread = Vec::new();
        for (number, (who, text, answered)) in said.into_iter().enumerate() {
            let op = self.operation(who, &format!("comment {number}"));
            let above = answered.and_then(|place: usize| thread.get(place).copied());
            thread.push(comments::create(&op, *stall, text, above).await?.id);
        }
        Ok(())
    }

    /// Two friends buy from alice.
    async fn sales(&self, notebook: ProductId) -> anyhow::Result<()> {
        for (number, quantity) in [(0, 1), (2, 2)] {
            let op = self.operation(self.friend(number), "buys a notebook");
            orders::place(&op, &[(notebook, quantity)]).await?;
        }
        Ok(())
    }

    /// Alice buys from somebody else.
    async fn purchase(&self) -> anyhow::Result<()> {
        let page = PageRequest::forwards(20, None);
        let op = self.operation(self.alice, "buys something");
        let (offered, _) = products::newest(&op, page).await?;
        let others = offered.items.into_iter().map(|(_, product)| product);
        if let Some(product) = others.into_iter().find(|product| {
            product.seller_id != self.alice && product.stock > 0 && product.price.amount < 10_000
        }) {
            orders::place(&op, &[(product.id, 1)]).await?;
        }
        Ok(())
    }
}
