//! What is there to be asked for: seeded users and their posts, and a few users and things of the
//! run's own, so that every operation has something to find and to change.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use plaza::clock::Clock;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::mutations::{new_user, product};
use super::operation::refusal;
use crate::client::{Client, global_id, raw_id};
use crate::session::Session;

/// How the handles of the run's own users begin.
pub const OURS: &str = "costs_";
/// Requests at a time while the world is made.
const AT_ONCE: usize = 4;
/// How long the other roles may take with what the world is made of.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who is logged in.
#[derive(Debug, Clone, Default)]
pub struct Who {
    /// Global id.
    pub id: String,
    /// Handle.
    pub handle: String,
    /// Access token.
    pub token: String,
}

/// What is there.
#[derive(Debug, Default)]
pub struct World {
    /// Tells the run's own users and hashtags from those of other runs.
    pub stamp: String,
    /// The password of the run's own users: nobody else's, since one of them becomes an
    /// administrator.
    pub password: String,
    /// Who asks for nearly everything: new, follows many, is followed and notified.
    pub viewer: Who,
    /// The seeded user with the most followers.
    pub author: Who,
    /// A new user with a private account.
    pub other: Who,
    /// Seeded users by handle and global id. The first are followed by the viewer.
    pub people: Vec<(String, String)>,
    /// Posts that the viewer may see, like and repost.
    pub posts: Vec<String>,
    /// The viewer's own, with a mention and a hashtag each.
    pub own_posts: Vec<String>,
    /// One of those, with comments and replies.
    pub thread: String,
    /// Their hashtag.
    pub tag: String,
    /// The hashtag of posts that only the private account shows.
    pub hidden_tag: String,
    /// Products.
    pub products: Vec<String>,
    /// The viewer's own.
    pub own_products: Vec<String>,
    /// A product of which there are a million.
    pub sold: String,
    /// The viewer's orders.
    pub orders: Vec<String>,
    /// Users who have asked to follow the private account.
    pub asking: Vec<String>,
    /// Other sessions of the viewer.
    pub sessions: Vec<String>,
    /// Tokens of still other sessions of theirs.
    pub session_tokens: Vec<String>,
    /// The viewer's newest notification.
    pub newest_notification: Option<String>,
    /// What measured mutations have made, by the mutation.
    pub kept: BTreeMap<String, Vec<String>>,
}

impl World {
    /// The handles of seeded users.
    pub fn handles(&self) -> impl Iterator<Item = &str> {
        self.people.iter().map(|(handle, _)| handle.as_str())
    }

    /// Ids of posts and users, in turns.
    pub fn things(&self) -> Vec<String> {
        let people = self.people.iter().map(|(_, id)| id);
        self.posts
            .iter()
            .zip(people)
            .flat_map(|(post, user)| [post.clone(), user.clone()])
            .collect()
    }
}

/// Sends what the world is made of.
struct Maker<'a> {
    client: &'a Client,
}

impl Maker<'_> {
    async fn ask(
        &self,
        token: Option<&str>,
        query: &str,
        variables: Value,
    ) -> anyhow::Result<Value> {
        let mut answer = self.client.answer(token, query, &variables).await?;
        let refused = refusal(&answer, &[]);
        anyhow::ensure!(refused.is_none(), "the world cannot be made: {query}: {answer}");
        Ok(answer.get_mut("data").map(Value::take).unwrap_or_default())
    }

    /// A mutation; what its answer has at `from`.
    async fn make(
        &self,
        by: Option<&str>,
        mutation: &str,
        input: Value,
        from: &str,
    ) -> anyhow::Result<String> {
        let of = mutation.chars().next().map(|first| first.to_ascii_uppercase());
        let of: String = of.into_iter().chain(mutation.chars().skip(1)).collect();
        let shown =
            from.split('/').rev().fold(String::new(), |below, field| match below.as_str() {
                "" => field.to_owned(),
                _ => format!("{field} {{ {below} }}"),
            });
        let query = format!(
            "mutation($input: {of}Input!) {{ {mutation}(input: $input) {{ {shown} userErrors {{ code message }} }} }}"
        );
        let data = self.ask(by, &query, json!({ "input": input })).await?;
        let found = data.pointer(&format!("/{mutation}/{from}")).and_then(Value::as_str);
        Ok(found.with_context(|| format!("{mutation} answered {data}"))?.to_owned())
    }

    /// The same for each of many, a few at a time.
    async fn make_each(
        &self,
        mutation: &str,
        from: &str,
        all: impl IntoIterator<Item = (String, Value)>,
    ) -> anyhow::Result<Vec<String>> {
        let made = all.into_iter().map(|(token, input)| async move {
            self.make(Some(&token), mutation, input, from).await
        });
        stream::iter(made.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
    }

    async fn sign_up(&self, handle: String, password: &str) -> anyhow::Result<Who> {
        let query = "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken viewer { id } userErrors { code message } } }";
        let data = self.ask(None, query, json!({ "input": new_user(&handle, password) })).await?;
        let at = |place: &str| data.pointer(place).and_then(Value::as_str);
        let id = at("/signUp/viewer/id").and_then(raw_id).context("a sign-up without a user")?;
        let token = at("/signUp/accessToken").context("a sign-up without a token")?.to_owned();
        Ok(Who { id: global_id("User", id), handle, token })
    }

    /// Ids in an answer to a query.
    async fn ids(
        &self,
        by: &str,
        query: &str,
        variables: Value,
        at: &str,
    ) -> anyhow::Result<Vec<String>> {
        let data = self.ask(Some(by), query, variables).await?;
        let found = data.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
        let id = |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_owned);
        Ok(found.iter().filter_map(id).collect())
    }
}

/// How much is made.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Seeded users who take part.
    pub people: usize,
    /// Posts of the private account.
    pub hidden: usize,
    /// Requests to follow the private account.
    pub asking: usize,
    /// Sessions that mutations end.
    pub sessions: usize,
}

impl World {
    /// Makes it.
    ///
    /// # Errors
    /// A system without seeded users and posts; whatever is refused.
    pub async fn make(session: &Session, size: Size) -> anyhow::Result<Self> {
        let (maker, signer) = (Maker { client: &session.client }, session.signer()?);
        let stamp = format!("{}", Clock::System.now_ms() % 10_000_000_000);
        let password = format!("{:x}", rand::random::<u128>());
        let viewer = maker.sign_up(format!("{OURS}{stamp}"), &password).await?;
        let other = maker.sign_up(format!("{OURS}{stamp}_private"), &password).await?;
        let (most_followed, _) = session.truth.most_followed().await?;
        // Neither the run's own users nor those of an earlier one.
        let mut everybody = session.truth.people().await?;
        everybody.retain(|person| !person.handle.starts_with(OURS));
        let place = everybody.iter().position(|person| person.id == most_followed);
        let handle = everybody.remove(place.context("the most followed user has no row")?).handle;
        let random = &mut StdRng::seed_from_u64(1);
        let people: Vec<_> = everybody.choose_multiple(random, size.people).cloned().collect();
        anyhow::ensure!(people.len() >= 40, "there are too few users: seed first");
        let author = Who {
            id: global_id("User", most_followed),
            handle,
            token: signer.token(most_followed)?,
        };
        let tokens: Vec<String> =
            people.iter().map(|person| signer.token(person.id)).collect::<anyhow::Result<_>>()?;
        let people: Vec<(String, String)> = people
            .into_iter()
            .map(|person| (person.handle, global_id("User", person.id)))
            .collect();
        let mut world = Self {
            tag: format!("costs{stamp}"),
            hidden_tag: format!("hidden{stamp}"),
            stamp,
            password,
            viewer,
            author,
            other,
            people,
            ..Self::default()
        };
        world.make_posts(&maker, size).await?;
        world.make_market(&maker).await?;
        world.make_relations(&maker, &tokens, size).await?;
        // After the blocks: nothing of those who are blocked.
        world.find_posts(&maker, session).await?;
        Ok(world)
    }

    async fn make_posts(&mut self, maker: &Maker<'_>, size: Size) -> anyhow::Result<()> {
        let (me, tag, hidden) = (&self.viewer.token, &self.tag, &self.hidden_tag);
        let text =
            |(handle, _): &(String, String)| json!({ "text": format!("See @{handle} #{tag}") });
        let own = self.people.iter().take(10).map(|person| (me.clone(), text(person)));
        self.own_posts = maker.make_each("postCreate", "post/id", own).await?;
        self.thread = self.own_posts.first().context("no post")?.clone();
        let comment = |number: usize, to: Option<&String>| json!({ "postId": self.thread, "text": format!("So it is: {number}"), "inReplyToId": to });
        let by = |number: usize| match number.is_multiple_of(2) {
            true => me.clone(),
            false => self.author.token.clone(),
        };
        let comments = (0..10).map(|number| (by(number), comment(number, None)));
        let comments = maker.make_each("commentCreate", "comment/id", comments).await?;
        let replies = comments.iter().enumerate();
        let replies = replies.map(|(number, to)| (by(number + 1), comment(number, Some(to))));
        maker.make_each("commentCreate", "comment/id", replies).await?;
        let secret = |number| json!({ "text": format!("Nobody sees it: {number} #{hidden}") });
        let secrets = (0..size.hidden).map(|number| (self.other.token.clone(), secret(number)));
        maker.make_each("postCreate", "post/id", secrets).await?;
        let private = json!({ "isPrivate": true });
        maker.make(Some(&self.other.token), "profileUpdate", private, "user/id").await?;
        Ok(())
    }

    /// Of the newest posts those that can be liked and reposted.
    async fn find_posts(&mut self, maker: &Maker<'_>, session: &Session) -> anyhow::Result<()> {
        let me = &self.viewer.token;
        let newest = session.truth.newest_posts_by(400).await?;
        let newest: Vec<String> = newest.iter().map(|(post, _)| global_id("Post", *post)).collect();
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Post { id repostOf { id } author { isPrivate } } } }";
        for ids in newest.chunks(100) {
            // Those that are hidden have errors beside the others.
            let answer = maker.client.answer(Some(me), query, &json!({ "ids": ids })).await?;
            let nodes = answer.pointer("/data/nodes").and_then(Value::as_array);
            let is_public = |node: &&Value| {
                node.pointer("/author/isPrivate") == Some(&Value::Bool(false))
                    && node.get("repostOf") == Some(&Value::Null)
            };
            let id = |node: &Value| node.get("id").and_then(Value::as_str).map(str::to_owned);
            self.posts.extend(nodes.into_iter().flatten().filter(is_public).filter_map(id));
        }
        anyhow::ensure!(self.posts.len() >= 40, "there are too few posts: seed first");
        Ok(())
    }

    async fn make_market(&mut self, maker: &Maker<'_>) -> anyhow::Result<()> {
        let me = &self.viewer.token;
        let (own, sold) = (product(0, 1), product(0, 1_000_000));
        self.own_products = vec![maker.make(Some(me), "productCreate", own, "product/id").await?];
        self.sold =
            maker.make(Some(&self.author.token), "productCreate", sold, "product/id").await?;
        let query = "{ products(first: 100) { nodes { id } } }";
        self.products = maker.ids(me, query, json!({}), "/products/nodes").await?;
        let order = json!({ "lines": [{ "productId": self.sold, "quantity": 2 }] });
        let orders = (0..5).map(|_| (me.clone(), order.clone()));
        self.orders = maker.make_each("orderPlace", "order/id", orders).await?;
        Ok(())
    }

    async fn make_relations(
        &mut self,
        maker: &Maker<'_>,
        tokens: &[String],
        size: Size,
    ) -> anyhow::Result<()> {
        let follow = |id: &str| json!({ "userId": id });
        let me = &self.viewer.token;
        let mut people = self.people.iter().map(|(_, id)| (me.clone(), follow(id)));
        let followed: Vec<_> = people.by_ref().take(80).collect();
        maker.make_each("userFollow", "user/id", followed).await?;
        maker.make_each("userBlock", "user/id", people.take(20)).await?;
        // Whoever follows or likes is in the viewer's notifications.
        let followers =
            tokens.iter().take(30).map(|token| (token.clone(), follow(&self.viewer.id)));
        maker.make_each("userFollow", "user/id", followers).await?;
        let likes = self.own_posts.iter().zip(tokens.iter().cycle());
        let likes = likes.map(|(post, token)| (token.clone(), json!({ "postId": post })));
        maker.make_each("postLike", "post/id", likes).await?;
        let asks = tokens.iter().zip(&self.people).take(size.asking);
        let all = asks.clone().map(|(token, _)| (token.clone(), follow(&self.other.id)));
        maker.make_each("userFollow", "user/id", all).await?;
        self.asking = asks.map(|(_, (_, id))| id.clone()).collect();
        Ok(())
    }

    /// Looks up what the other roles have made meanwhile.
    ///
    /// # Errors
    /// The servers'.
    pub async fn look_up_notifications(&mut self, client: &Client) -> anyhow::Result<()> {
        let maker = Maker { client };
        let query = "{ viewer { notifications(first: 1) { nodes { id } } } }";
        let at = "/viewer/notifications/nodes";
        self.newest_notification = maker.ids(&self.viewer.token, query, json!({}), at).await?.pop();
        Ok(())
    }

    /// Logs the viewer in so many times, for `logOut` and `sessionRevoke` to end.
    ///
    /// # Errors
    /// The servers'.
    pub async fn make_sessions(&mut self, client: &Client, count: usize) -> anyhow::Result<()> {
        let maker = Maker { client };
        let input = json!({ "handle": self.viewer.handle, "password": self.password });
        for _ in 0..count {
            let token = maker.make(None, "logIn", input.clone(), "accessToken").await?;
            self.session_tokens.push(token);
        }
        Ok(())
    }

    /// Looks up which other sessions the viewer has.
    ///
    /// # Errors
    /// The servers'.
    pub async fn look_up_sessions(&mut self, client: &Client) -> anyhow::Result<()> {
        let query = "{ viewer { sessions { id isCurrent } } }";
        let data = Maker { client }.ask(Some(&self.viewer.token), query, json!({})).await?;
        let found = data.pointer("/viewer/sessions").and_then(Value::as_array);
        let others =
            found.into_iter().flatten().filter(|one| one.get("isCurrent") == Some(&json!(false)));
        let id = |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_owned);
        self.sessions = others.filter_map(id).collect();
        Ok(())
    }
}

/// Waits until the other roles have done what was left to them; not for ever, where there are none.
pub async fn settle(session: &Session) -> bool {
    matches!(tokio::time::timeout(PATIENCE, session.truth.wait_until_sent()).await, Ok(Ok(())))
}
