//! What a query closure must be: `async |connection| ..`, with a future that may move between
//! threads. The compiler cannot yet be told the latter of an `AsyncFn` directly, hence these
//! traits; every such closure has them by itself, and nobody implements them.

/// An async closure of one argument, called any number of times.
pub trait SendFn<A, R>: AsyncFn(A) -> R + Fn(A) -> <Self as SendFn<A, R>>::Fut {
    /// What it returns.
    type Fut: Future<Output = R>;
}

impl<F, A, Fut, R> SendFn<A, R> for F
where
    F: AsyncFn(A) -> R + Fn(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// An async closure of two arguments, called any number of times.
pub trait SendFn2<A, B, R>:
    AsyncFn(A, B) -> R + Fn(A, B) -> <Self as SendFn2<A, B, R>>::Fut
{
    /// What it returns.
    type Fut: Future<Output = R>;
}

impl<F, A, B, Fut, R> SendFn2<A, B, R> for F
where
    F: AsyncFn(A, B) -> R + Fn(A, B) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// An async closure of one argument, called once.
pub trait SendFnOnce<A, R>:
    AsyncFnOnce(A) -> R + FnOnce(A) -> <Self as SendFnOnce<A, R>>::Fut
{
    /// What it returns.
    type Fut: Future<Output = R>;
}

impl<F, A, Fut, R> SendFnOnce<A, R> for F
where
    F: AsyncFnOnce(A) -> R + FnOnce(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// An async closure of two arguments, called once.
pub trait SendFnOnce2<A, B, R>:
    AsyncFnOnce(A, B) -> R + FnOnce(A, B) -> <Self as SendFnOnce2<A, B, R>>::Fut
{
    /// What it returns.
    type Fut: Future<Output = R>;
}

impl<F, A, B, Fut, R> SendFnOnce2<A, B, R> for F
where
    F: AsyncFnOnce(A, B) -> R + FnOnce(A, B) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}
