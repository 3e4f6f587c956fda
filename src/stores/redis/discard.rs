//! A Redis that begins empty: after a restore, what it holds is of another past.

use redis::RedisError;

use super::client::client;
use crate::StoreError;
use plaza_config::RedisConfig;

/// Keys asked for at a time.
const STEP: usize = 1_000;

fn unavailable(error: RedisError) -> StoreError {
    StoreError::unavailable("redis", error)
}

/// How many of our keys there are; with `delete` they are deleted. Only what every user of Redis
/// may do is asked of it, so that it takes a while where there are many.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn keys(config: &RedisConfig, delete: bool) -> Result<u64, StoreError> {
    let client = client(&config.url).map_err(unavailable)?;
    let mut connection = client.get_multiplexed_async_connection().await.map_err(unavailable)?;
    let (mut cursor, mut count) = (0_u64, 0_u64);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{}:*", config.key_prefix));
        scan.arg("COUNT").arg(STEP);
        let (next, names): (u64, Vec<Vec<u8>>) =
            scan.query_async(&mut connection).await.map_err(unavailable)?;
        count += u64::try_from(names.len()).unwrap_or_default();
        if delete && !names.is_empty() {
            let mut unlink = redis::cmd("UNLINK");
            unlink.arg(&names);
            unlink.query_async::<()>(&mut connection).await.map_err(unavailable)?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(count);
        }
    }
}
