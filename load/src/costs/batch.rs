//! One operation, sent as often as it takes to use enough processor time to be read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::meter::Meter;
use super::operation::{By, Inputs, Operation, refusal};
use super::ranking::Measured;
use super::world::{World, settle};
use crate::report::float;
use crate::session::Session;

/// Why a chain, or a pair, ends.
const NO_LINK: &str = "an answer without what the next request needs";
/// Requests before anything is measured, of what can be sent again: caches and plans are warm.
const WARM: usize = 2;
/// Requests of the first part of a batch.
const FIRST: usize = 4;
/// Requests of a batch at least, where there is the time: a moment's disturbance is one of many.
const LEAST: usize = 10;
/// A part of a batch has at most so many times the requests before it.
const GROWTH: usize = 8;
/// What projections still do after the last message was sent.
const TAIL: Duration = Duration::from_millis(500);

/// How large a batch is.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Processor time of the whole system that a batch takes at least, where it can.
    pub cpu: Duration,
    /// How long a batch takes at most, about.
    pub time: Duration,
    /// Whether there are other roles to wait for.
    pub settles: bool,
}

/// What became of an operation.
#[derive(Debug)]
pub enum Outcome {
    /// Measured.
    Measured(Measured),
    /// Refused, by its code, after so many requests: how dear it is is not known.
    Refused(String, usize),
}

/// Sends an operation's requests.
struct Sender<'a> {
    session: &'a Session,
    operation: &'a Operation,
    tokens: Vec<Option<String>>,
}

/// What a request came to: what its answer keeps for later, or why it was refused.
type Sent = Result<(Value, Option<String>), String>;

/// Requests that were sent so far.
#[derive(Default)]
struct Progress {
    sent: usize,
    kept: Vec<String>,
    refused: Option<String>,
    /// The variables of a chain's next request.
    next: Option<Value>,
}

impl Sender<'_> {
    fn token(&self, number: usize) -> Option<&str> {
        self.tokens.get(number % self.tokens.len().max(1))?.as_deref()
    }

    async fn ask(&self, number: usize, text: &str, variables: &Value) -> Result<Value, String> {
        let answer = self.session.client.answer(self.token(number), text, variables).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match refusal(&answer, self.operation.may_say) {
            Some(code) => Err(code),
            None => Ok(answer),
        }
    }

    async fn one(&self, number: usize, variables: &Value) -> Sent {
        let answer = self.ask(number, &self.operation.text, variables).await?;
        if let Some((text, link)) = &self.operation.then {
            let id = link.follow(&answer, &json!({ "id": null }));
            self.ask(number, text, &id.ok_or(NO_LINK)?).await?;
        }
        let kept =
            self.operation.keeps.as_ref().and_then(|place| {
                Some(answer.pointer(&format!("/data{place}"))?.as_str()?.to_owned())
            });
        Ok((answer, kept))
    }

    /// Sends so many more, one after the other; stops at a refusal. Side by side, one would get
    /// back with its charge what another has not used, and the bucket would not say whose it was.
    async fn send(&self, progress: &mut Progress, count: usize) {
        for _ in 0..count {
            let given = progress.next.take();
            let given = given.or_else(|| self.operation.variables(progress.sent).cloned());
            let Some(variables) = given else { return };
            let sent = self.one(progress.sent, &variables).await;
            progress.sent += 1;
            let sent = sent.and_then(|(answer, kept)| {
                progress.kept.extend(kept);
                let Inputs::Chain(_, link) = &self.operation.inputs else { return Ok(()) };
                progress.next = link.follow(&answer, &variables);
                progress.next.as_ref().map(|_| ()).ok_or_else(|| NO_LINK.to_owned())
            });
            if let Err(code) = sent {
                progress.refused = Some(code);
                return;
            }
        }
    }
}

/// How many requests to send next: as many as are expected to use the rest, within the time that
/// is left, and not many times more than before.
fn next_part(sent: usize, used: Duration, took: Duration, bounds: Bounds) -> usize {
    let share = |left: Duration, of: Duration| {
        let (left, of) = (left.as_millis(), of.as_millis().max(1));
        let count = left.saturating_mul(u128::try_from(sent).unwrap_or(u128::MAX)) / of;
        usize::try_from(count).unwrap_or(usize::MAX)
    };
    // A little more, so that it is not missed by a request.
    let wanted = match bounds.cpu.saturating_sub(used) {
        Duration::ZERO => LEAST.saturating_sub(sent),
        left => share(left, used).saturating_mul(11) / 10 + 1,
    };
    let in_time = share(bounds.time.saturating_sub(took), took);
    wanted.min(in_time).min(sent.saturating_mul(GROWTH))
}

/// Measures an operation, and gives the world what it has made.
///
/// # Errors
/// Servers that do not answer; a text that the schema does not take.
pub async fn measure(
    session: &Session,
    meter: &Meter,
    world: &mut World,
    operation: &Operation,
    bounds: Bounds,
) -> anyhow::Result<Outcome> {
    let tokens = match &operation.by {
        By::Viewer => vec![Some(world.viewer.token.clone())],
        By::Author => vec![Some(world.author.token.clone())],
        By::Other => vec![Some(world.other.token.clone())],
        By::Nobody => vec![None],
        By::Sessions(tokens) => tokens.iter().cloned().map(Some).collect(),
    };
    // Sessions of one user's have one bucket.
    let payer = match &operation.by {
        By::Sessions(_) => Some(world.viewer.token.clone()),
        _ => tokens.first().cloned().flatten(),
    };
    let sender = Sender { session, operation, tokens };
    let charged = match meter.charge(operation, payer.as_deref()).await? {
        Ok(charged) => charged,
        Err(answer) => {
            let code = refusal(&answer, &[]).unwrap_or_else(|| "no cost".to_owned());
            return Ok(Outcome::Refused(code, 0));
        }
    };
    if matches!(operation.inputs, Inputs::Again(_)) && !matches!(operation.by, By::Sessions(_)) {
        let mut warm = Progress::default();
        sender.send(&mut warm, WARM).await;
        if let Some(code) = warm.refused {
            return Ok(Outcome::Refused(code, warm.sent));
        }
    }
    let Some(standing) = meter.standing(payer.as_deref()).await? else {
        return Ok(Outcome::Refused("RATE_LIMITED".to_owned(), 0));
    };
    let (before, began) = (meter.look().await?, Instant::now());
    let (mut progress, mut part, mut looks) = (Progress::default(), FIRST, 0);
    let most = operation.most();
    while part > 0 && progress.sent < most {
        let count = part.min(most - progress.sent);
        sender.send(&mut progress, count).await;
        if let Some(code) = progress.refused {
            return Ok(Outcome::Refused(code, progress.sent));
        }
        let so_far = meter.used(&before, &meter.look().await?, looks);
        looks += 1;
        let used = Duration::from_secs_f64(so_far.cpu_ms() / 1_000.0);
        part = next_part(progress.sent, used, began.elapsed(), bounds);
    }
    if operation.writes && bounds.settles {
        settle(session).await;
        tokio::time::sleep(TAIL).await;
    }
    let used = meter.used(&before, &meter.look().await?, looks);
    let later = meter.standing(payer.as_deref()).await?;
    let kept = later.and_then(|later| standing.kept(&later, began.elapsed()));
    let requests = float(progress.sent);
    if let Some(name) = operation.name.strip_prefix("Mutation.") {
        world.kept.entry(name.to_owned()).or_default().append(&mut progress.kept);
    }
    Ok(Outcome::Measured(Measured {
        name: operation.name.clone(),
        requests: progress.sent,
        charged,
        kept: kept.map(|kept| kept / requests),
        batch_cpu_ms: used.cpu_ms(),
        used: used.over(requests),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_to_what_it_is_to_use_within_its_time() {
        let ms = Duration::from_millis;
        let bounds = Bounds { cpu: ms(500), time: ms(4_000), settles: false };
        // 4 requests used 40 ms: 46 more, and a tenth.
        assert_eq!(next_part(40, ms(400), ms(400), bounds), 12);
        assert_eq!(next_part(4, ms(1), ms(10), bounds), 32, "not many times more than before");
        assert_eq!(next_part(4, ms(0), ms(0), bounds), 32, "too little to be seen");
        assert_eq!(next_part(4, ms(600), ms(700), bounds), 6, "a few requests at least");
        assert_eq!(next_part(10, ms(600), ms(700), bounds), 0);
        // It is late: what is left of the time allows two.
        assert_eq!(next_part(4, ms(10), ms(2_600), bounds), 2);
        assert_eq!(next_part(4, ms(10), ms(4_600), bounds), 0);
    }
}
