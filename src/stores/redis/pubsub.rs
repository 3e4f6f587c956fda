//! Waking watchers: one connection per process hears the channels of all users who are watched
//! over a socket of this process.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Redis;
use super::client::client;
use super::live::{Newest, Wake};
use plaza_base::clock::pause;
use plaza_base::ids::{Id, UserId};

/// Channels asked for in one command.
const CHUNK: usize = 500;
/// How long a watcher waits until its channel is heard; without Redis it begins all the same, and
/// is woken once Redis is back.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How often a user was woken, by cause. A watcher compares with what it saw last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wakes {
    /// Posts.
    pub home: u64,
    /// The last post; `None` when it must be asked for.
    pub newest: Option<Newest>,
    /// Orders.
    pub orders: u64,
    /// Notifications.
    pub notifications: u64,
}

impl Wakes {
    fn count(&mut self, wake: Wake) {
        match wake {
            Wake::Home(newest) => {
                self.home += 1;
                self.newest = Some(newest);
            }
            Wake::Lost => {
                self.home += 1;
                self.newest = None;
            }
            Wake::Orders => self.orders += 1,
            Wake::Notifications => self.notifications += 1,
        }
    }

    fn count_all(&mut self) {
        *self = Self {
            home: self.home + 1,
            newest: None,
            orders: self.orders + 1,
            notifications: self.notifications + 1,
        };
    }
}

enum Command {
    Hear(UserId, oneshot::Sender<()>),
    Forget(UserId),
}

/// The users watched by this process.
#[derive(Debug)]
pub struct Watched {
    reads: Semaphore,
    people: Mutex<HashMap<UserId, watch::Sender<Wakes>>>,
    /// What the listener has to do; as many as watchers came and went since it last checked.
    commands: Mutex<Vec<Command>>,
    commanded: Notify,
}

impl Watched {
    /// Nobody yet; of those to come so many read at a time.
    pub fn new(reads_at_once: usize) -> Self {
        Self {
            reads: Semaphore::new(reads_at_once.max(1)),
            people: Mutex::default(),
            commands: Mutex::default(),
            commanded: Notify::new(),
        }
    }

    fn command(&self, command: Command) {
        self.commands.lock().push(command);
        self.commanded.notify_one();
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hear(user, _) => write!(f, "Hear({user})"),
            Self::Forget(user) => write!(f, "Forget({user})"),
        }
    }
}

/// A watcher of one user.
#[derive(Debug)]
pub struct Watcher {
    user: UserId,
    wakes: watch::Receiver<Wakes>,
    redis: Redis,
}

impl Watcher {
    /// How often the user was woken so far.
    pub fn seen(&mut self) -> Wakes {
        *self.wakes.borrow_and_update()
    }

    /// Waits until the user is woken, for whatever cause.
    pub async fn woken(&mut self) {
        if self.wakes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let watched = &self.redis.inner.watched;
        let mut people = watched.people.lock();
        // This one is still counted.
        if people.get(&self.user).is_some_and(|sender| sender.receiver_count() <= 1) {
            people.remove(&self.user);
            watched.command(Command::Forget(self.user));
        }
    }
}

impl Redis {
    /// Begins to watch a user. When this returns, what happens from now on wakes the watcher, or
    /// will when Redis is back.
    pub async fn watch(&self, user: UserId) -> Watcher {
        let (heard, wait) = oneshot::channel();
        let wakes = {
            let mut people = self.inner.watched.people.lock();
            let receiver = people
                .entry(user)
                .or_insert_with(|| watch::Sender::new(Wakes::default()))
                .subscribe();
            self.inner.watched.command(Command::Hear(user, heard));
            receiver
        };
        let _late = tokio::time::timeout(TIMEOUT, wait).await;
        Watcher { user, wakes, redis: self.clone() }
    }

    /// Waits for a watcher's turn to begin, or to read what it has missed; held while it does.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.inner.watched.reads.acquire().await.ok()
    }

    fn wake_here(&self, channel: &str, wake: Wake) {
        let user = channel.rsplit(':').next().and_then(|id| id.parse().ok()).map(UserId::from_i64);
        let people = self.inner.watched.people.lock();
        if let Some(sender) = user.and_then(|user| people.get(&user)) {
            sender.send_modify(|wakes| wakes.count(wake));
        }
    }

    fn all_watched(&self) -> Vec<UserId> {
        self.inner.watched.people.lock().keys().copied().collect()
    }

    /// Hears the channels of everyone watched, until it is stopped. Reconnects; then everyone is
    /// woken, since something may have been missed.
    ///
    /// # Errors
    /// A URL that is none.
    pub async fn hear_live(&self, stop: CancellationToken) -> anyhow::Result<()> {
        let client = client(&self.inner.url)?;
        loop {
            tokio::select! {
                result = self.hear_connected(&client) => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "not hearing live channels");
                    }
                }
                () = stop.cancelled() => return Ok(()),
            }
            pause(Duration::from_millis(200), &stop).await;
        }
    }

    async fn hear_connected(&self, client: &redis::Client) -> redis::RedisResult<()> {
        let (mut sink, mut messages) = client.get_async_pubsub().await?.split();
        for chunk in self.all_watched().chunks(CHUNK) {
            let channels: Vec<String> =
                chunk.iter().map(|user| self.inner.keys.live(*user)).collect();
            sink.subscribe(&channels).await?;
        }
        for sender in self.inner.watched.people.lock().values() {
            sender.send_modify(Wakes::count_all);
        }
        loop {
            tokio::select! {
                biased;
                () = self.inner.watched.commanded.notified() => self.obey(&mut sink).await?,
                message = messages.next() => {
                    let Some(message) = message else { return Ok(()) };
                    if let Some(wake) = Wake::parse(message.get_payload_bytes()) {
                        self.wake_here(message.get_channel_name(), wake);
                    }
                }
            }
        }
    }

    /// Asks for and gives up channels; who is watched at this moment decides, not the order in
    /// which the commands came.
    async fn obey(&self, sink: &mut redis::aio::PubSubSink) -> redis::RedisResult<()> {
        let (mut hear, mut forget, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let gathered = std::mem::take(&mut *self.inner.watched.commands.lock());
        {
            let people = self.inner.watched.people.lock();
            for command in gathered {
                let user = match command {
                    Command::Hear(user, heard) => {
                        waiting.push(heard);
                        user
                    }
                    Command::Forget(user) => user,
                };
                let list = if people.contains_key(&user) { &mut hear } else { &mut forget };
                list.push(self.inner.keys.live(user));
            }
        }
        for chunk in forget.chunks(CHUNK) {
            sink.unsubscribe(chunk).await?;
        }
        for chunk in hear.chunks(CHUNK) {
            sink.subscribe(chunk).await?;
        }
        for heard in waiting {
            let _gone = heard.send(());
        }
        Ok(())
    }
}
