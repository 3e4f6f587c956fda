//! Components and their end: a signal makes the process not ready, then each component drains, then
//! the process exits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use plaza_base::clock::pause;
use plaza_telemetry::trace;

/// Each worker thread's stack; only what is used of it is there. A GraphQL answer is made by
/// futures within futures, and the deepest document that the guard lets through takes more than a
/// thread's usual 2 MiB of an unoptimised executable.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// The runtime that everything runs on.
///
/// # Errors
/// No threads to be had.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()
}

/// How long a process may take to drain.
pub const DRAIN: Duration = Duration::from_secs(25);

/// The tasks of a process, and its readiness.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    ready: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
}

impl Tasks {
    /// Starts a component that ends by itself soon after `stopping` is cancelled. One that ends
    /// before that, by an error or a panic, takes the process down: half a process is worse than
    /// none, and whoever started it will start it again.
    pub fn spawn(
        &self,
        name: &'static str,
        component: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let tasks = self.clone();
        #[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
        let running = tokio::spawn(component);
        self.tracker.spawn(async move {
            let result = running.await;
            if tasks.stop.is_cancelled() {
                return;
            }
            match result {
                Ok(Ok(())) => tracing::error!(component = name, "ended by itself"),
                Ok(Err(error)) => {
                    tracing::error!(component = name, error = format!("{error:#}"), "failed")
                }
                Err(error) => tracing::error!(component = name, %error, "panicked"),
            }
            tasks.failed.store(true, Ordering::Release);
            tasks.stop.cancel();
        });
    }

    /// Starts a component that does one thing now, and again an interval after it was done, until
    /// the process stops. A step that may take long checks the token it is given.
    pub fn every<S, Step, Fut>(&self, name: &'static str, interval: Duration, state: S, step: Step)
    where
        S: Clone + Send + Sync + 'static,
        Step: Fn(S, CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let stop = self.stopping();
        self.spawn(name, async move {
            while !stop.is_cancelled() {
                step(state.clone(), stop.clone()).await;
                pause(interval, &stop).await;
            }
            Ok(())
        });
    }

    /// Starts a small task that is waited for at the end but whose end means nothing.
    pub fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Starts work that must not stop half-way when whoever waits for what it comes to is gone.
    pub fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, outcome) = oneshot::channel();
        self.spawn_detached(trace::carried(async move {
            let _gone = done.send(work.await);
        }));
        outcome
    }

    /// Cancelled when the process is to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Says that the process can serve.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Whether the process can serve and is not stopping.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.stop.is_cancelled()
    }

    /// Waits for SIGTERM, SIGINT or a failed component, then for everything to drain.
    ///
    /// # Errors
    /// When a component had failed, or would not drain in time.
    pub async fn run_to_end(self) -> anyhow::Result<()> {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            result = tokio::signal::ctrl_c() => { result?; tracing::info!("interrupted: draining") }
            () = self.stop.cancelled() => {}
        }
        self.drain().await
    }

    /// Stops everything and waits.
    ///
    /// # Errors
    /// As [`Tasks::run_to_end`].
    pub async fn drain(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(DRAIN, self.tracker.wait()).await.is_err() {
            anyhow::bail!("not drained after {} s", DRAIN.as_secs());
        }
        if self.failed.load(Ordering::Acquire) {
            anyhow::bail!("a component failed");
        }
        Ok(())
    }
}
