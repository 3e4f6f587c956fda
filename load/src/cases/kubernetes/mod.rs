//! Case 3.2: three servers whatever comes, against as many as the autoscaler of k8s/hpa.yaml thinks
//! fit, under the same wave of requests.
//!
//! The control plane is a real one, and so is every server: one for each pod, with the CPU of the
//! pod's limit. Simulated are the nodes, the network between them, and the kubelet, whose part
//! [`pods`] plays.

mod budget;
mod cluster;
mod pods;
mod wave;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use self::cluster::{Autoscaler, Cluster};
use self::pods::{NGINX_PORT, Runner, Seen};
use self::wave::{Sent, between, wave};
use super::CaseArguments;
use super::outcome::{Figure, Outcome, Pair, machine, today};
use super::reads_and_posts::read_or_post;
use crate::client::Client;
use crate::people::{LoggedIn, Signer};
use crate::report::float;
use crate::truth::Truth;

/// A tenth of what the manifest has, in thousandths of a core: ten pods share this machine with
/// everything they ask.
const REQUESTS_M: u64 = 50;
const LIMITS_M: u64 = 100;
/// CPU that the wave is to cost all servers together at its height, in cores: more than three pods
/// may use, less than ten.
const HEIGHT_CORES: f64 = 0.36;
/// And before and after it.
const CALM_CORES: f64 = 0.03;
/// Requests in a row that were answered before anything is measured.
const IN_A_ROW: u32 = 60;
/// The plot's steps.
const SLICE: Duration = Duration::from_secs(15);

/// How long each part of the wave takes.
#[derive(Debug, Clone, Copy)]
struct Shape {
    calm: Duration,
    rise: Duration,
    top: Duration,
}

/// What a wave is made of.
#[derive(Debug, Clone, Copy)]
struct Rates {
    calm: f64,
    top: f64,
}

/// What one side answered.
#[derive(Debug, Default)]
struct Side {
    sent: Vec<Sent>,
    /// When the wave was at its height, since the load began.
    top_from: Duration,
    top_to: Duration,
    /// Most pods that were asked at a time.
    most: usize,
    /// When they were ten, since the wave began to rise.
    ten_at: Option<Duration>,
    /// How the autoscaler stood when the height was over.
    autoscaler: Autoscaler,
}

/// Seconds that things took with the autoscaler.
#[derive(Debug, Default)]
struct Took {
    to_three: f64,
    back_to_three: Option<f64>,
    scaled_to_five: f64,
    five_to_three: Option<f64>,
    rollout: f64,
    failed_in_rollout: usize,
}

/// Says how it goes.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "3.2: {text}");
}

/// The case, while the kubelet is at work.
#[derive(Debug)]
struct Script {
    cluster: Arc<Cluster>,
    seen: watch::Receiver<Seen>,
    client: Client,
    people: Arc<Vec<LoggedIn>>,
    root: String,
    shape: Shape,
}

impl Script {
    /// Seconds until so many pods are asked; nothing when that does not come within the limit.
    async fn until(&self, pods: usize, limit_s: u64) -> Option<f64> {
        let began = Instant::now();
        let mut seen = self.seen.clone();
        let come = seen.wait_for(|seen| seen.ready == pods);
        tokio::time::timeout(Duration::from_secs(limit_s), come).await.ok()?.ok()?;
        Some(began.elapsed().as_secs_f64())
    }

    fn load(
        &self,
        rate: watch::Receiver<f64>,
        began: Instant,
        seed: u64,
    ) -> impl Future<Output = Vec<Sent>> {
        let (client, people) = (self.client.clone(), Arc::clone(&self.people));
        wave(rate, began, seed, move |number| read_or_post(client.clone(), people.clone(), number))
    }

    /// Asks, one request at a time, until so many in a row were answered: a new server has
    /// connections to open and caches to fill.
    async fn warmed_up(&self) -> anyhow::Result<()> {
        let (began, mut in_a_row) = (Instant::now(), 0);
        for number in 0.. {
            in_a_row = if read_or_post(self.client.clone(), Arc::clone(&self.people), number)
                .await
                .is_ok()
            {
                in_a_row + 1
            } else {
                0
            };
            if in_a_row == IN_A_ROW {
                return Ok(());
            }
            anyhow::ensure!(
                began.elapsed() < Duration::from_secs(120),
                "the servers do not answer"
            );
        }
        Ok(())
    }

    /// What a request costs the servers, from a little load after a little rest, and so what rates
    /// make the wave.
    async fn rates(&self, wanted: Option<f64>) -> anyhow::Result<Rates> {
        let cpu_s = || self.seen.borrow().cpu_s;
        let (rest, tried) = (Duration::from_secs(15), 40.0);
        let before = cpu_s();
        sleep(rest).await;
        let idle = (cpu_s() - before) / rest.as_secs_f64();
        let (rate, listened) = watch::channel(tried);
        let loading = async {
            let before = cpu_s();
            sleep(rest).await;
            rate.send_replace(-1.0);
            (cpu_s() - before) / rest.as_secs_f64()
        };
        let (sent, busy) = tokio::join!(self.load(listened, Instant::now(), 7), loading);
        anyhow::ensure!(
            sent.iter().filter(|sent| !sent.failed).count() > sent.len() / 2,
            "the servers do not answer"
        );
        let each = ((busy - idle) / tried).max(0.000_5);
        let top = wanted.unwrap_or((HEIGHT_CORES - idle) / each).max(5.0);
        say(&format!(
            "idle, three servers take {:.0} thousandths of a core; a request {:.1} ms; the wave: {top:.0} a second",
            idle * 1e3,
            each * 1e3
        ));
        Ok(Rates { calm: (CALM_CORES / each).min(top / 5.0), top })
    }

    /// Calm, rise, height; then `after` with the rate in its hand, and the end.
    async fn ride<After>(
        &self,
        rates: Rates,
        after: impl FnOnce(watch::Sender<f64>, Instant) -> After,
    ) -> anyhow::Result<Side>
    where
        After: Future<Output = anyhow::Result<()>>,
    {
        let (rate, listened) = watch::channel(rates.calm);
        let began = Instant::now();
        let top_from = self.shape.calm + self.shape.rise;
        let mut side = Side { top_from, top_to: top_from + self.shape.top, ..Side::default() };
        let riding = async {
            let mut told = Instant::now();
            loop {
                let since = began.elapsed();
                if since >= side.top_to {
                    break;
                }
                let risen = (since.saturating_sub(self.shape.calm).as_secs_f64()
                    / self.shape.rise.as_secs_f64())
                .min(1.0);
                rate.send_replace(rates.calm + (rates.top - rates.calm) * risen);
                let ready = self.seen.borrow().ready;
                side.most = side.most.max(ready);
                if ready >= 10 && side.ten_at.is_none() {
                    side.ten_at = Some(since.saturating_sub(self.shape.calm));
                }
                if told.elapsed() >= SLICE {
                    told = Instant::now();
                    side.autoscaler = self.cluster.autoscaler().await?;
                    say(&self.standing(*rate.borrow(), &side.autoscaler));
                }
                sleep(Duration::from_millis(250)).await;
            }
            side.autoscaler = self.cluster.autoscaler().await?;
            after(rate, began).await
        };
        let (sent, rode) = tokio::join!(self.load(listened, began, 11), riding);
        rode?;
        side.sent = sent;
        Ok(side)
    }

    fn standing(&self, rate: f64, autoscaler: &Autoscaler) -> String {
        let shown =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        format!(
            "{rate:.0} requests/s, {} pods; autoscaler: CPU {} % of 60, in flight {} of 24, wants {}",
            self.seen.borrow().ready,
            shown(autoscaler.cpu_percent),
            shown(autoscaler.in_flight),
            autoscaler.desired
        )
    }

    /// The wave with three pods and nobody to change that.
    async fn fixed(&self, rates: Rates) -> anyhow::Result<Side> {
        self.cluster.kubectl(&["delete", "hpa", "api"]).await?;
        self.cluster.kubectl(&["scale", "deployment", "api", "--replicas=3"]).await?;
        self.until(3, 60).await.context("there are no three pods")?;
        say("before: three pods, no autoscaler");
        self.ride(rates, |rate, _| async move {
            rate.send_replace(-1.0);
            Ok(())
        })
        .await
    }

    /// The wave with the autoscaler; what comes after it, with a little load all the while.
    async fn autoscaled(&self, rates: Rates, took: &mut Took) -> anyhow::Result<Side> {
        let hpa = format!("{}/k8s/hpa.yaml", self.root);
        self.cluster.kubectl(&["apply", "-f", &hpa]).await?;
        say("after: the autoscaler of k8s/hpa.yaml, 3 to 10 pods");
        let mut marks = (Duration::ZERO, Duration::ZERO);
        let (marks_of, took_of) = (&mut marks, &mut *took);
        let side = self.ride(rates, |rate, began| async move {
            rate.send_replace(rates.calm);
            say("the wave is over");
            took_of.back_to_three = self.until(3, 600).await;
            say(&format!("back to 3 pods: {:?} s", took_of.back_to_three));
            if took_of.back_to_three.is_some() {
                self.by_hand(took_of).await?;
            }
            marks_of.0 = began.elapsed();
            self.roll_out(took_of).await?;
            marks_of.1 = began.elapsed();
            rate.send_replace(-1.0);
            Ok(())
        });
        let side = side.await?;
        took.failed_in_rollout = between(&side.sent, marks.0, marks.1).failed;
        Ok(side)
    }

    /// `kubectl scale deployment api --replicas=5`, and what the autoscaler makes of it.
    async fn by_hand(&self, took: &mut Took) -> anyhow::Result<()> {
        self.cluster.kubectl(&["scale", "deployment", "api", "--replicas=5"]).await?;
        took.scaled_to_five = self.until(5, 60).await.context("kubectl scale made no five pods")?;
        took.five_to_three = self.until(3, 300).await;
        say(&format!(
            "scaled by hand to 5 in {:.0} s; the autoscaler: 3 again after {:?} s",
            took.scaled_to_five, took.five_to_three
        ));
        Ok(())
    }

    /// A new version of every pod.
    async fn roll_out(&self, took: &mut Took) -> anyhow::Result<()> {
        let began = Instant::now();
        self.cluster.kubectl(&["rollout", "restart", "deployment/api"]).await?;
        self.cluster.kubectl(&["rollout", "status", "deployment/api", "--timeout=300s"]).await?;
        took.rollout = began.elapsed().as_secs_f64();
        say(&format!("rolling update: {:.0} s", took.rollout));
        Ok(())
    }

    async fn run(&self, wanted: Option<f64>) -> anyhow::Result<(Rates, Side, Side, Took)> {
        let mut took = Took {
            to_three: self.until(3, 180).await.context("api has no three ready pods")?,
            ..Took::default()
        };
        say(&format!("three pods ready {:.0} s after kubectl apply -f k8s/", took.to_three));
        self.warmed_up().await?;
        let rates = self.rates(wanted).await?;
        let fixed = self.fixed(rates).await?;
        let autoscaled = self.autoscaled(rates, &mut took).await?;
        Ok((rates, fixed, autoscaled, took))
    }
}

/// Applies the manifests as they are, then gives each pod of `api` its part of this machine.
async fn apply(cluster: &Cluster, root: &str) -> anyhow::Result<()> {
    let said = cluster.kubectl(&["apply", "-f", &format!("{root}/k8s/")]).await?;
    let warned: Vec<&str> = said.lines().filter(|line| line.starts_with("Warning")).collect();
    anyhow::ensure!(warned.is_empty(), "the API server warns: {}", warned.join("; "));
    let (requests, limits) =
        (format!("--requests=cpu={REQUESTS_M}m"), format!("--limits=cpu={LIMITS_M}m"));
    cluster.kubectl(&["set", "resources", "deployment", "api", &requests, &limits]).await?;
    Ok(())
}

/// The case.
///
/// # Errors
/// The servers', the cluster's.
pub async fn run(
    truth: &Truth,
    config: &Path,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let seconds = Duration::from_secs;
    let shape = if arguments.quick {
        Shape { calm: seconds(5), rise: seconds(75), top: seconds(45) }
    } else {
        Shape { calm: seconds(15), rise: seconds(90), top: seconds(60) }
    };
    let chosen: Vec<_> = truth
        .people()
        .await?
        .choose_multiple(&mut StdRng::seed_from_u64(1), 100)
        .cloned()
        .collect();
    let people = Arc::new(Signer::new(config)?.log_in(&chosen)?);
    let root = std::path::absolute(&arguments.root)?;
    say(
        "a control plane of its own: etcd, kube-apiserver, controller-manager, scheduler, kwok, metrics-server, Prometheus, its adapter",
    );
    let cluster = Arc::new(Cluster::start(&root).await?);
    let (seen, watched) = watch::channel(Seen::default());
    apply(&cluster, &root.to_string_lossy()).await?;
    let runner = Runner {
        cluster: Arc::clone(&cluster),
        plaza: std::path::absolute(&arguments.plaza)?,
        config: std::path::absolute(config)?,
        root: root.clone(),
        seen,
    };
    let script = Script {
        cluster,
        seen: watched.clone(),
        client: Client::without_keepalive(&format!("http://127.0.0.1:{NGINX_PORT}/graphql"))?,
        people,
        root: root.to_string_lossy().into_owned(),
        shape,
    };
    let (rates, before, after, took) = tokio::select! {
        ended = runner.run() => { ended?; anyhow::bail!("the kubelet has ended") }
        found = script.run(arguments.rate) => found?,
    };
    let budgeted = watched.borrow().budgeted;
    Ok(Outcome {
        number: "3.2".to_owned(),
        name: "kubernetes".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-3.2".to_owned(),
        setting: format!(
            "A wave from {:.0} to {:.0} requests/s in {} s, held for {} s, one in ten a post, through nginx. Real: kube-apiserver, controller-manager, \
             scheduler, metrics-server, Prometheus, and a plaza server for each pod. Simulated: nodes, network, kubelet, Prometheus' adapter. A pod asks for \
             {REQUESTS_M} thousandths of a core and may use {LIMITS_M}{}, a tenth of the manifest's, since ten share this machine.",
            rates.calm,
            rates.top,
            shape.rise.as_secs(),
            shape.top.as_secs(),
            if budgeted {
                " (control groups hold it to that)"
            } else {
                " (NOT held to that: no control groups here, so before has more than its share)"
            }
        ),
        missed_because: missed(&after, &took),
        pairs_of: format!(
            "3.2 p95 in ms, in steps of {} s from the beginning of the wave",
            SLICE.as_secs()
        ),
        pairs: slices(&before, &after, shape),
        figures: figures(&before, &after, &took),
        correct: true,
    })
}

fn missed(after: &Side, took: &Took) -> Option<String> {
    let failed = after.sent.iter().filter(|sent| sent.failed).count();
    let mut why = Vec::new();
    if after.ten_at.is_none() {
        why.push(format!("the autoscaler made {} pods of 10 while the wave was high", after.most));
    }
    if took.back_to_three.is_none() {
        why.push("ten minutes after the wave there were more than three pods".to_owned());
    }
    if failed > 0 {
        why.push(format!("{failed} requests failed on the way"));
    }
    (!why.is_empty()).then(|| why.join("; ") + ".")
}

/// The p95 of each step of the wave, side by side.
fn slices(before: &Side, after: &Side, shape: Shape) -> Vec<Pair> {
    let steps = (shape.rise + shape.top).as_secs() / SLICE.as_secs();
    let p95 = |side: &Side, step: u32| {
        between(&side.sent, shape.calm + SLICE * step, shape.calm + SLICE * (step + 1))
            .report(SLICE.as_secs_f64())
            .p95_ms
    };
    (0..u32::try_from(steps).unwrap_or_default())
        .map(|step| Pair { before: p95(before, step), after: p95(after, step) })
        .collect()
}

fn figures(before: &Side, after: &Side, took: &Took) -> Vec<Figure> {
    let plain = |what: &str, before: Option<f64>, after: f64| Figure {
        what: what.to_owned(),
        before,
        after,
        target: None,
        met: None,
    };
    let failed = |side: &Side| float(side.sent.iter().filter(|sent| sent.failed).count());
    let (failed_before, failed_after) = (failed(before), failed(after));
    let top = |side: &Side| between(&side.sent, side.top_from, side.top_to).report(1.0);
    let back = took.back_to_three.is_some();
    let mut figures = vec![
        Figure {
            what: "pods at the height of the wave".to_owned(),
            before: Some(float(before.most)),
            after: float(after.most),
            target: Some("10".to_owned()),
            met: Some(after.ten_at.is_some()),
        },
        Figure {
            what: "pods after it".to_owned(),
            before: Some(3.0),
            after: if back { 3.0 } else { float(after.most) },
            target: Some("3".to_owned()),
            met: Some(back),
        },
        Figure {
            what: format!(
                "requests that failed, of {} before and {} after",
                before.sent.len(),
                after.sent.len()
            ),
            before: Some(failed_before),
            after: failed_after,
            target: Some("0".to_owned()),
            met: Some(failed_after < 0.5),
        }
        .of(float(after.sent.len())),
        plain("p50 at the height, ms", Some(top(before).p50_ms), top(after).p50_ms),
        plain("p95 at the height, ms", Some(top(before).p95_ms), top(after).p95_ms),
        plain("from kubectl apply -f k8s/ to 3 ready pods, s", None, took.to_three),
    ];
    let optional = [
        ("from the beginning of the wave to 10 pods, s", after.ten_at.map(|at| at.as_secs_f64())),
        ("from the end of the wave to 3 pods, s", took.back_to_three),
        (
            "autoscaler at the end of the height: CPU, % of what is asked for",
            after.autoscaler.cpu_percent,
        ),
        (
            "autoscaler at the end of the height: requests in flight a pod",
            after.autoscaler.in_flight,
        ),
        (
            "kubectl scale --replicas=5: to 5 pods, s",
            took.five_to_three.map(|_| took.scaled_to_five),
        ),
        (
            "kubectl scale --replicas=5: until the autoscaler has made it 3 again, s",
            took.five_to_three,
        ),
    ];
    figures
        .extend(optional.into_iter().filter_map(|(what, value)| Some(plain(what, None, value?))));
    figures.push(plain("rolling update of 3 pods, s", None, took.rollout));
    figures.push(plain(
        "rolling update: requests that failed",
        None,
        float(took.failed_in_rollout),
    ));
    figures
}
