//! What holds when nothing is configured. Durations are in the unit of the field's name.

/// Connections per server and process.
pub fn pool() -> u32 {
    8
}
/// How long a query may run.
pub fn query_ms() -> u64 {
    2_000
}
/// How long a request may wait for a connection.
pub fn checkout_ms() -> u64 {
    1_000
}
/// How often replicas are probed.
pub fn poll_ms() -> u64 {
    100
}
/// How far a replica may lag.
pub fn lag_ms() -> u64 {
    2_000
}
/// What keys and topics start with.
pub fn prefix() -> String {
    "plaza".to_owned()
}
/// Connections to Redis.
pub fn redis_pool() -> u32 {
    4
}
/// How long a Redis command may take.
pub fn redis_ms() -> u64 {
    250
}
/// Servers that share a Redis.
pub fn servers() -> u64 {
    1
}
/// How long a cached value lives.
pub fn cache_ms() -> u64 {
    300_000
}
/// How long a value is served from process memory.
pub fn l1_ms() -> u64 {
    60_000
}
/// How many bytes of process memory are for that.
pub fn l1_bytes() -> u64 {
    64 * 1024 * 1024
}
/// How long the cache is trusted without having been checked.
pub fn trust_ms() -> u64 {
    1_500
}
/// Watchers that read at a time.
pub fn looks_at_once() -> usize {
    16
}
/// Jobs held per queue.
pub fn prefetch() -> u16 {
    50
}
/// Orders a worker brings on at a time.
pub fn orders_at_once() -> u16 {
    64
}
/// How long a failed job waits, attempt by attempt.
pub fn retry_delays_ms() -> Vec<u32> {
    vec![1_000, 5_000, 30_000, 120_000, 600_000]
}
/// Partitions of a topic.
pub fn partitions() -> i32 {
    8
}
/// Copies of a partition.
pub fn replication() -> i32 {
    1
}
/// How long an access token lives.
pub fn access_s() -> u64 {
    600
}
/// How long a refresh token lives.
pub fn refresh_s() -> u32 {
    30 * 24 * 3_600
}
/// How long a spent refresh token is given the same successor.
pub fn refresh_grace_s() -> u32 {
    10
}
/// How long a session lasts at most.
pub fn session_max_s() -> u32 {
    180 * 24 * 3_600
}
/// Password hashes at a time.
pub fn hashers() -> usize {
    2
}
/// Memory of a password hash.
pub fn argon2_kib() -> u32 {
    19_456
}
