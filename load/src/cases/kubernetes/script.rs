//! What is done to the cluster, while the kubelet is at work: a wave of requests, and what comes
//! after it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::cluster::{Autoscaler, Cluster};
use super::pods::Seen;
use super::wave::{Sent, between, wave};
use super::{SLICE, say};
use crate::cases::reads_and_posts::read_or_post;
use crate::client::Client;
use crate::people::LoggedIn;

/// CPU that the wave is to cost all servers together at its height, in cores: more than three pods
/// may use, less than ten.
const HEIGHT_CORES: f64 = 0.36;
/// And before and after it.
const CALM_CORES: f64 = 0.03;
/// Requests in a row that were answered before anything is measured.
const IN_A_ROW: u32 = 60;

/// How long each part of the wave takes.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Before it rises.
    pub calm: Duration,
    /// While it rises.
    pub rise: Duration,
    /// At its height.
    pub top: Duration,
}

/// What a wave is made of.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Requests a second before it and after it.
    pub calm: f64,
    /// Requests a second at its height.
    pub top: f64,
}

/// What one side answered.
#[derive(Debug, Default)]
pub struct Ridden {
    /// All requests.
    pub sent: Vec<Sent>,
    /// When the wave was at its height, since the load began.
    pub top_from: Duration,
    /// And when it no longer was.
    pub top_to: Duration,
    /// Most pods that were asked at a time.
    pub most: usize,
    /// When they were ten, since the wave began to rise.
    pub ten_at: Option<Duration>,
    /// How the autoscaler stood when the height was over.
    pub autoscaler: Autoscaler,
}

/// Seconds that things took with the autoscaler.
#[derive(Debug, Default)]
pub struct Took {
    /// From applying the manifests to three ready pods.
    pub to_three: f64,
    /// From the end of the wave to three pods; nothing when that did not come.
    pub back_to_three: Option<f64>,
    /// From scaling by hand to five pods.
    pub scaled_to_five: f64,
    /// From then until the autoscaler has made it three again; nothing when that did not come.
    pub five_to_three: Option<f64>,
    /// A rolling update.
    pub rollout: f64,
    /// Requests that failed during it.
    pub failed_in_rollout: usize,
}

/// The case, while the kubelet is at work.
#[derive(Debug)]
pub struct Script {
    /// The control plane.
    pub cluster: Arc<Cluster>,
    /// What the kubelet sees.
    pub seen: watch::Receiver<Seen>,
    /// Asks through nginx.
    pub client: Client,
    /// The users.
    pub people: Arc<Vec<LoggedIn>>,
    /// The repository.
    pub root: String,
    /// The wave.
    pub shape: Shape,
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
    ) -> anyhow::Result<Ridden>
    where
        After: Future<Output = anyhow::Result<()>>,
    {
        let (rate, listened) = watch::channel(rates.calm);
        let began = Instant::now();
        let top_from = self.shape.calm + self.shape.rise;
        let mut side = Ridden { top_from, top_to: top_from + self.shape.top, ..Ridden::default() };
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
    ///
    /// # Errors
    /// The cluster's.
    pub async fn fixed(&self, rates: Rates) -> anyhow::Result<Ridden> {
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
    ///
    /// # Errors
    /// The cluster's.
    pub async fn autoscaled(&self, rates: Rates, took: &mut Took) -> anyhow::Result<Ridden> {
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

    /// Waits for three pods, warms their servers up, and finds the rates of the wave: the highest
    /// is `wanted`, if it is given.
    ///
    /// # Errors
    /// No three pods; servers that do not answer.
    pub async fn begin(&self, wanted: Option<f64>) -> anyhow::Result<(Rates, Took)> {
        let to_three = self.until(3, 180).await.context("api has no three ready pods")?;
        say(&format!("three pods ready {to_three:.0} s after kubectl apply -f k8s/"));
        self.warmed_up().await?;
        Ok((self.rates(wanted).await?, Took { to_three, ..Took::default() }))
    }
}
