//! Events that are resolved once for all who ask the same and are answered alike.
//!
//! What an answer takes from its viewer is how they stand to the users whom it is about
//! ([`Audience`]), and what is their own, which is left out of it ([`Template`]). Each viewer's
//! audience is decided for themselves, by rows as they are at that moment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_graphql::Variables;
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use super::live::{Event, Live};
use super::run::Answer;
use super::template::Template;
use crate::document::runs::Runs;
use plaza_base::ids::PostId;
use plaza_domain::Operation;
use plaza_domain::audience::Audience;

/// How long an answer is good for others: what it says of counts is no older than that.
const SHARED_FOR: Duration = Duration::from_millis(250);
/// Events that may be shared at a time; of more, the oldest is resolved anew.
const EVENTS: usize = 16;
/// Audiences of one event; viewers of any other are answered by themselves.
const AUDIENCES: usize = 8;
/// Most bytes of an answer that is kept for others.
const BYTES: usize = 16 * 1_024;

/// Subscribers who ask the same.
#[derive(Debug)]
pub struct Group {
    variables: Variables,
    recent: Mutex<VecDeque<Arc<Resolved>>>,
}

/// An event, as far as it was resolved.
#[derive(Debug)]
struct Resolved {
    post: PostId,
    since: Instant,
    answers: RwLock<Vec<Arc<Shared>>>,
    /// One resolves at a time: the next may find its answer in the one before.
    resolving: tokio::sync::Mutex<()>,
    /// It could not be resolved for others.
    is_each_ones: AtomicBool,
}

/// An answer, and whom it is good for.
#[derive(Debug)]
struct Shared {
    audience: Audience,
    template: Template,
}

impl Group {
    /// Of subscribers with these variables.
    pub fn new(variables: Variables) -> Self {
        Self { variables, recent: Mutex::default() }
    }

    /// The answer to one of them; `None` when it would have more bytes than any may have.
    pub async fn answer(self: &Arc<Self>, runs: &Arc<Runs>, event: Event) -> Option<Answer> {
        // Nobody else is there to share it with.
        let is_alone = Arc::strong_count(self) == 1;
        let shared = if is_alone { None } else { self.shared(runs, &event).await };
        match shared.filter(|body| body.len() <= event.most) {
            Some(body) => Some(Answer { body, errors: Vec::new(), fields: 0 }),
            None => {
                metrics::counter!("plaza_subscription_resolved_total", "for" => "one").increment(1);
                runs.live()?.run(&event, &self.variables).await
            }
        }
    }

    async fn shared(self: &Arc<Self>, runs: &Arc<Runs>, event: &Event) -> Option<Vec<u8>> {
        let resolved = self.resolved(event.post.id);
        let mut seen = 0;
        let shared = match resolved.known(&event.scope.op, &mut seen).await {
            Some(known) => known,
            None if resolved.is_each_ones.load(Ordering::Relaxed) => return None,
            None => self.resolve(&resolved, runs, event, seen).await?,
        };
        shared.template.filled(&event.scope, &self.variables, &event.cursor).await
    }

    /// Resolves it when it is this one's turn, unless an answer has come before that. A task:
    /// others are not to wait for one whose client does not read.
    async fn resolve(
        self: &Arc<Self>,
        resolved: &Arc<Resolved>,
        runs: &Arc<Runs>,
        event: &Event,
        seen: usize,
    ) -> Option<Arc<Shared>> {
        let (group, resolved) = (Arc::clone(self), Arc::clone(resolved));
        let (runs, event) = (Arc::clone(runs), event.clone());
        #[expect(clippy::disallowed_methods, reason = "ends with what it reads; it only reads")]
        let resolving = tokio::spawn(async move {
            resolved.in_turn(runs.live()?, &event, &group.variables, seen).await
        });
        resolving.await.ok()?
    }

    /// What is known of an event.
    fn resolved(&self, post: PostId) -> Arc<Resolved> {
        let mut recent = self.recent.lock();
        while recent.front().is_some_and(|oldest| oldest.since.elapsed() >= SHARED_FOR) {
            recent.pop_front();
        }
        if let Some(known) = recent.iter().find(|known| known.post == post) {
            return Arc::clone(known);
        }
        if recent.len() >= EVENTS {
            recent.pop_front();
        }
        let new = Arc::new(Resolved::new(post));
        recent.push_back(Arc::clone(&new));
        new
    }
}

impl Resolved {
    fn new(post: PostId) -> Self {
        Self {
            post,
            since: Instant::now(),
            answers: RwLock::default(),
            resolving: tokio::sync::Mutex::default(),
            is_each_ones: AtomicBool::new(false),
        }
    }

    /// The answer that is good for a viewer; `None` when they are to be answered by themselves.
    async fn in_turn(
        &self,
        live: &Live,
        event: &Event,
        variables: &Variables,
        mut seen: usize,
    ) -> Option<Arc<Shared>> {
        let _turn = self.resolving.lock().await;
        if let Some(answer) = self.known(&event.scope.op, &mut seen).await {
            return Some(answer);
        }
        if seen >= AUDIENCES || self.is_each_ones.load(Ordering::Relaxed) {
            return None;
        }
        let answer = resolve(live, event, variables).await.map(Arc::new);
        match &answer {
            Some(answer) => self.answers.write().push(Arc::clone(answer)),
            // Others will not fare better, and are not to wait for it one after the other.
            None => self.is_each_ones.store(true, Ordering::Relaxed),
        }
        answer
    }

    /// An answer among those that were not seen yet.
    async fn known(&self, op: &Operation, seen: &mut usize) -> Option<Arc<Shared>> {
        loop {
            let next = self.answers.read().get(*seen).cloned()?;
            *seen += 1;
            if next.audience.includes(op).await.unwrap_or(false) {
                return Some(next);
            }
        }
    }
}

async fn resolve(live: &Live, event: &Event, variables: &Variables) -> Option<Shared> {
    metrics::counter!("plaza_subscription_resolved_total", "for" => "many").increment(1);
    let template = live.template(event, variables).await;
    let template = template.filter(|template| template.size() <= BYTES)?;
    let audience = Audience::of(&event.scope.op).await.ok()?;
    Some(Shared { audience, template })
}
