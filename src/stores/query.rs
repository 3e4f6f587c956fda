//! What a query closure must be: `async |connection| ..`, with a future that may move between
//! threads. The bounds of an `AsyncFn` cannot express the latter yet, hence these
//! traits; every such closure has them by itself, and nobody implements them.

use std::collections::HashMap;

use crate::StoreError;
use crate::postgres::Connection;

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

/// A query that reads from a connection; it may be asked again of another server.
pub trait ReadQuery<T>:
    for<'c> AsyncFn(&'c mut Connection) -> Result<T, StoreError>
    + for<'c> SendFn<&'c mut Connection, Result<T, StoreError>, Fut: Send>
    + Send
    + Sync
{
}

impl<T, F> ReadQuery<T> for F where
    F: for<'c> AsyncFn(&'c mut Connection) -> Result<T, StoreError>
        + for<'c> SendFn<&'c mut Connection, Result<T, StoreError>, Fut: Send>
        + Send
        + Sync
{
}

/// A query for some ids of one shard; it may be asked again of another server.
pub trait ReadIdsQuery<I: 'static, T>:
    for<'c, 'i> AsyncFn(&'c mut Connection, &'i [I]) -> Result<T, StoreError>
    + for<'c, 'i> SendFn2<&'c mut Connection, &'i [I], Result<T, StoreError>, Fut: Send>
    + Send
    + Sync
{
}

impl<I: 'static, T, F> ReadIdsQuery<I, T> for F where
    F: for<'c, 'i> AsyncFn(&'c mut Connection, &'i [I]) -> Result<T, StoreError>
        + for<'c, 'i> SendFn2<&'c mut Connection, &'i [I], Result<T, StoreError>, Fut: Send>
        + Send
        + Sync
{
}

/// What is done once with a connection or a transaction.
pub trait Work<C: 'static, T, E>:
    for<'c> AsyncFnOnce(&'c mut C) -> Result<T, E>
    + for<'c> SendFnOnce<&'c mut C, Result<T, E>, Fut: Send>
    + Send
{
}

impl<C: 'static, T, E, F> Work<C, T, E> for F where
    F: for<'c> AsyncFnOnce(&'c mut C) -> Result<T, E>
        + for<'c> SendFnOnce<&'c mut C, Result<T, E>, Fut: Send>
        + Send
{
}

/// What is done once with a transaction and what was found before it.
pub trait WorkWith<C: 'static, A, T, E>:
    for<'c> AsyncFnOnce(&'c mut C, A) -> Result<T, E>
    + for<'c> SendFnOnce2<&'c mut C, A, Result<T, E>, Fut: Send>
    + Send
{
}

impl<C: 'static, A, T, E, F> WorkWith<C, A, T, E> for F where
    F: for<'c> AsyncFnOnce(&'c mut C, A) -> Result<T, E>
        + for<'c> SendFnOnce2<&'c mut C, A, Result<T, E>, Fut: Send>
        + Send
{
}

/// What is sent once in the message that begins a transaction, given what was found before it.
/// Nothing of it may be needed before that message is answered: statements that wait for each other
/// are waited for one by one.
pub trait FirstWork<A, T, E>:
    for<'c> AsyncFnOnce(&'c Connection, A) -> Result<T, E>
    + for<'c> SendFnOnce2<&'c Connection, A, Result<T, E>, Fut: Send>
    + Send
{
}

impl<A, T, E, F> FirstWork<A, T, E> for F where
    F: for<'c> AsyncFnOnce(&'c Connection, A) -> Result<T, E>
        + for<'c> SendFnOnce2<&'c Connection, A, Result<T, E>, Fut: Send>
        + Send
{
}

/// What loads values that a cache does not hold.
pub trait Load<K: 'static, V, E>:
    for<'i> AsyncFn(&'i [K]) -> Result<HashMap<K, V>, E>
    + for<'i> SendFn<&'i [K], Result<HashMap<K, V>, E>, Fut: Send>
    + Send
    + Sync
{
}

impl<K: 'static, V, E, F> Load<K, V, E> for F where
    F: for<'i> AsyncFn(&'i [K]) -> Result<HashMap<K, V>, E>
        + for<'i> SendFn<&'i [K], Result<HashMap<K, V>, E>, Fut: Send>
        + Send
        + Sync
{
}
