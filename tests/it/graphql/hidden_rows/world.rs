//! What was done, and what a viewer must see of it.

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use crate::app::{Person, TestApp};

pub const PEOPLE: usize = 7;

/// As in `timelines/home.rs`: a repost is left out when its subject is among so many right below.
pub const REPEAT_WINDOW: usize = 40;

pub struct Post {
    pub id: String,
    pub author: usize,
    pub of: Option<usize>,
    pub deleted: bool,
}

pub struct Comment {
    pub id: String,
    pub post: usize,
    pub author: usize,
    pub answers: Option<usize>,
}

/// What was done, as the reference knows it.
pub struct World {
    pub people: Vec<Person>,
    pub private: BTreeSet<usize>,
    /// (blocker, blocked).
    pub blocks: BTreeSet<(usize, usize)>,
    /// (follower, followee), the oldest first.
    pub follows: Vec<(usize, usize)>,
    pub posts: Vec<Post>,
    pub comments: Vec<Comment>,
    /// (person, post).
    pub likes: BTreeSet<(usize, usize)>,
    /// (id, seller), the oldest first.
    pub products: Vec<(String, usize)>,
}

pub fn handle(person: usize) -> String {
    format!("person_{person}")
}

impl World {
    /// One in which nothing was done yet.
    pub fn of(people: Vec<Person>) -> Self {
        Self {
            people,
            private: BTreeSet::new(),
            blocks: BTreeSet::new(),
            follows: Vec::new(),
            posts: Vec::new(),
            comments: Vec::new(),
            likes: BTreeSet::new(),
            products: Vec::new(),
        }
    }

    pub fn sees_person(&self, viewer: usize, other: usize) -> bool {
        viewer == other || !self.blocks.contains(&(other, viewer))
    }

    pub fn hears(&self, viewer: usize, other: usize) -> bool {
        self.sees_person(viewer, other) && !self.blocks.contains(&(viewer, other))
    }

    pub fn reads(&self, viewer: usize, other: usize) -> bool {
        self.hears(viewer, other)
            && (viewer == other
                || !self.private.contains(&other)
                || self.follows.contains(&(viewer, other)))
    }

    pub fn sees_post(&self, viewer: usize, post: usize) -> bool {
        let row = &self.posts[post];
        !row.deleted
            && self.reads(viewer, row.author)
            && row.of.is_none_or(|of| self.sees_post(viewer, of))
    }

    /// Posts by these people that a viewer sees, newest first.
    pub fn posts_of(&self, viewer: usize, authors: &[usize]) -> Vec<usize> {
        (0..self.posts.len())
            .rev()
            .filter(|post| authors.contains(&self.posts[*post].author))
            .filter(|post| self.sees_post(viewer, *post))
            .collect()
    }

    pub fn home(&self, viewer: usize) -> Vec<usize> {
        let followees = self.follows.iter().filter(|(from, _)| *from == viewer).map(|(_, to)| *to);
        let authors: Vec<usize> = followees.chain([viewer]).collect();
        let all = self.posts_of(viewer, &authors);
        let subject = |post: usize| self.posts[post].of.unwrap_or(post);
        let is_repeat = |place: usize| {
            self.posts[all[place]].of.is_some()
                && all
                    .iter()
                    .skip(place + 1)
                    .take(REPEAT_WINDOW)
                    .any(|below| subject(*below) == subject(all[place]))
        };
        (0..all.len()).filter(|place| !is_repeat(*place)).map(|place| all[place]).collect()
    }

    /// "KIND actor" of what a person should be notified of, sorted.
    pub fn notifications(&self, viewer: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut add = |kind: &str, actor: usize| {
            if actor != viewer && self.hears(viewer, actor) {
                found.push(format!("{kind} {}", handle(actor)));
            }
        };
        let is_theirs =
            |post: usize| self.posts[post].author == viewer && !self.posts[post].deleted;
        for (person, post) in &self.likes {
            if is_theirs(*post) {
                add("LIKED", *person);
            }
        }
        for post in &self.posts {
            if post.of.is_some_and(is_theirs) && !post.deleted {
                add("REPOST", post.author);
            }
        }
        for (follower, followee) in &self.follows {
            if *followee == viewer {
                add("FOLLOWED", *follower);
            }
        }
        for comment in &self.comments {
            let answers_viewer =
                comment.answers.is_some_and(|answered| self.comments[answered].author == viewer);
            if answers_viewer && self.sees_post(viewer, comment.post) {
                add("REPLY", comment.author);
            } else if !answers_viewer && is_theirs(comment.post) {
                add("COMMENTED", comment.author);
            }
        }
        found.sort_unstable();
        found
    }
}

pub async fn done(app: &TestApp, person: &Person, mutation: &str, field: &str, id: &str) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{{field}: $id}}) {{ userErrors {{ code message }} }} }}"
    );
    let answer = app.ask(person, &query, json!({ "id": id })).await;
    assert_eq!(answer.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
}

pub async fn private(app: &TestApp, person: &Person) {
    let query = "mutation { profileUpdate(input: {isPrivate: true}) { userErrors { code } } }";
    app.ask(person, query, json!({})).await;
}

/// Does something at random, which nothing forbids yet.
pub async fn act(app: &TestApp, world: &mut World, random: &mut StdRng) {
    let person = random.random_range(0..PEOPLE);
    let who = world.people[person].clone();
    let originals: Vec<usize> = (0..world.posts.len())
        .filter(|post| world.posts[*post].of.is_none() && !world.posts[*post].deleted)
        .collect();
    let choice = random.random_range(0..100);
    if originals.is_empty() || choice < 14 {
        let id = app.post(&who, &format!("word{} common #tag", world.posts.len())).await;
        world.posts.push(Post { id, author: person, of: None, deleted: false });
        return;
    }
    let post = originals[random.random_range(0..originals.len())];
    let id = world.posts[post].id.clone();
    match choice {
        14..30 => {
            let other = random.random_range(0..PEOPLE);
            if other == person {
                return;
            }
            let edge = (person, other);
            if world.follows.contains(&edge) {
                world.follows.retain(|held| *held != edge);
                done(app, &who, "userUnfollow", "userId", &world.people[other].id).await;
            } else {
                world.follows.push(edge);
                done(app, &who, "userFollow", "userId", &world.people[other].id).await;
            }
        }
        30..48 => {
            let edge = (person, post);
            let mutation = if world.likes.remove(&edge) {
                "postUnlike"
            } else {
                world.likes.insert(edge);
                "postLike"
            };
            done(app, &who, mutation, "postId", &id).await;
        }
        48..58 => {
            let held = world
                .posts
                .iter()
                .position(|held| held.author == person && held.of == Some(post) && !held.deleted);
            if let Some(held) = held {
                world.posts[held].deleted = true;
                done(app, &who, "postUnrepost", "postId", &id).await;
                return;
            }
            let query = "mutation($id: ID!) { postRepost(input: {postId: $id}) { repost { id } userErrors { code } } }";
            let id = app.ask(&who, query, json!({ "id": id })).await.text("/postRepost/repost/id");
            world.posts.push(Post { id, author: person, of: Some(post), deleted: false });
        }
        58..90 => {
            let on: Vec<usize> = (0..world.comments.len())
                .filter(|comment| world.comments[*comment].post == post)
                .filter(|comment| world.comments[*comment].answers.is_none())
                .collect();
            let answers = (!on.is_empty() && random.random_bool(0.5))
                .then(|| on[random.random_range(0..on.len())]);
            let query = "mutation($id: ID!, $to: ID) { commentCreate(input: {postId: $id, text: \"so\", inReplyToId: $to}) {
                comment { id } userErrors { code } } }";
            let to = answers.map(|answered| world.comments[answered].id.clone());
            let made = app.ask(&who, query, json!({ "id": id, "to": to })).await;
            let id = made.text("/commentCreate/comment/id");
            world.comments.push(Comment { id, post, author: person, answers });
        }
        90..96 => {
            let query = "mutation { productCreate(input: {title: \"common lamp\", description: \"\", price: {amount: \"1\", currency: \"EUR\"},
                stock: 1}) { product { id } } }";
            let id = app.ask(&who, query, json!({})).await.text("/productCreate/product/id");
            world.products.push((id, person));
        }
        _ => {
            world.posts[post].deleted = true;
            let author = &world.people[world.posts[post].author];
            done(app, author, "postDelete", "postId", &id).await;
        }
    }
}
