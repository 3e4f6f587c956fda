//! Asking again what failed.

use std::time::Duration;

/// Asks up to so many times; what it fails with is the last failure. Before it asks again it waits
/// for what `pause` answers, which is told how many pauses there were before.
///
/// # Errors
/// The last failure.
pub async fn again<T, Asked>(
    tries: u32,
    mut ask: impl FnMut() -> Asked,
    mut pause: impl FnMut(u32) -> Duration,
) -> anyhow::Result<T>
where
    Asked: Future<Output = anyhow::Result<T>>,
{
    let mut pauses = 0;
    loop {
        match ask().await {
            Err(_) if pauses + 1 < tries => {
                tokio::time::sleep(pause(pauses)).await;
                pauses += 1;
            }
            told => return told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_failure_or_the_first_answer_is_told() {
        for (answers_at, told) in [(1, Some(1)), (3, Some(3)), (4, None)] {
            let (mut asked, mut paused) = (0, Vec::new());
            let ask = || {
                asked += 1;
                std::future::ready(if asked == answers_at {
                    Ok(asked)
                } else {
                    Err(anyhow::anyhow!("{asked}"))
                })
            };
            let pause = |earlier| {
                paused.push(earlier);
                Duration::ZERO
            };
            let found = again(3, ask, pause).await;
            assert_eq!(found.as_ref().ok().copied(), told);
            assert_eq!(paused, (0..asked - 1).collect::<Vec<u32>>());
            assert!(found.is_ok() || found.is_err_and(|error| error.to_string() == "3"));
        }
    }
}
