//! What a request has the stores do, counted while it runs: what it is charged in the end follows
//! from this and not from what its answer shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::Stream;
use futures_util::stream::poll_fn;

/// The work of one request so far.
#[derive(Debug, Default)]
pub struct Work {
    statements: AtomicU64,
    lookups: AtomicU64,
    deliveries: AtomicU64,
}

tokio::task_local! {
    static WORK: Arc<Work>;
}

impl Work {
    /// Statements sent to PostgreSQL, transactions' own included.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Keys of cached values that were looked up, found or not, and windows of views that were
    /// merged.
    pub fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    /// People whom it is brought to by name: each has rows of it.
    pub fn deliveries(&self) -> u64 {
        self.deliveries.load(Ordering::Relaxed)
    }
}

/// Runs a request and counts its work. What the request leaves to other tasks is not counted.
pub async fn counted<T>(work: Arc<Work>, request: impl Future<Output = T>) -> T {
    WORK.scope(work, request).await
}

/// Runs a stream and counts its work.
pub fn counted_stream<T>(
    work: Arc<Work>,
    stream: impl Stream<Item = T> + Send + 'static,
) -> impl Stream<Item = T> + Send + 'static {
    let mut stream = Box::pin(stream);
    poll_fn(move |context| {
        WORK.sync_scope(Arc::clone(&work), || stream.as_mut().poll_next(context))
    })
}

/// A statement is sent.
pub fn statement() {
    let _ = WORK.try_with(|work| work.statements.fetch_add(1, Ordering::Relaxed));
}

/// Keys are looked up, or windows merged.
pub fn lookups(count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let _ = WORK.try_with(|work| work.lookups.fetch_add(count, Ordering::Relaxed));
}

/// People are named.
pub fn deliveries(count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let _ = WORK.try_with(|work| work.deliveries.fetch_add(count, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_request_has_its_own_work() {
        let (one, other) = (Arc::new(Work::default()), Arc::new(Work::default()));
        statement();
        let busy = counted(Arc::clone(&one), async {
            statement();
            tokio::task::yield_now().await;
            lookups(3);
        });
        tokio::join!(busy, counted(Arc::clone(&other), async { lookups(1) }));
        assert_eq!((one.statements(), one.lookups()), (1, 3));
        assert_eq!((other.statements(), other.lookups()), (0, 1));
    }
}
