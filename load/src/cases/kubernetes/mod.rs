//! Case 3.2: three servers whatever comes, against as many as the autoscaler of k8s/hpa.yaml thinks
//! fit, under the same wave of requests.
//!
//! The control plane is a real one, and so is every server: one for each pod, with the CPU of the
//! pod's limit. Simulated are the nodes, the network between them, and the kubelet, whose part
//! [`pods`] plays.

mod budget;
mod cluster;
mod figures;
mod pods;
mod script;
mod wave;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::cluster::Cluster;
use self::figures::{figures, missed, slices};
use self::pods::{NGINX_PORT, Runner, Seen};
use self::script::{Rates, Ridden, Script, Shape, Took};
use self::wave::between;
use super::CaseArguments;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use crate::client::Client;
use crate::session::Session;

/// A tenth of what the manifest has, in thousandths of a core: ten pods share this machine with
/// everything they ask.
const REQUESTS_M: u64 = 50;
const LIMITS_M: u64 = 100;
/// The plot's steps.
const SLICE: Duration = Duration::from_secs(15);

/// Says how it goes.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "3.2: {text}");
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

/// A control plane, with a kubelet at work.
pub struct Kubernetes<'a> {
    arguments: &'a CaseArguments,
    script: Script,
    kubelet: JoinSet<anyhow::Result<()>>,
    rates: Rates,
    took: Took,
}

/// Something that is done while the kubelet is at work; its end is the case's.
async fn while_running<T>(
    kubelet: &mut JoinSet<anyhow::Result<()>>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        ended = kubelet.join_next() => {
            ended.transpose()?.transpose()?;
            anyhow::bail!("the kubelet has ended")
        }
        done = work => done,
    }
}

fn shape(quick: bool) -> Shape {
    let seconds = Duration::from_secs;
    if quick {
        Shape { calm: seconds(5), rise: seconds(75), top: seconds(45) }
    } else {
        Shape { calm: seconds(15), rise: seconds(90), top: seconds(60) }
    }
}

impl<'a> Case<'a> for Kubernetes<'a> {
    const NUMBER: &'static str = "3.2";
    const NAME: &'static str = "kubernetes";
    type Round = Ridden;
    type Rest = ();

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        let people = Arc::new(session.signer()?.log_in(&session.sample(100, 1).await?)?);
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
            config: std::path::absolute(&session.config)?,
            root: root.clone(),
            seen,
        };
        let mut kubelet = JoinSet::new();
        kubelet.spawn(async move { runner.run().await });
        let url = format!("http://127.0.0.1:{NGINX_PORT}/graphql");
        let script = Script {
            cluster,
            seen: watched,
            client: Client::without_keepalive(&url)?,
            people,
            root: root.to_string_lossy().into_owned(),
            shape: shape(arguments.quick),
        };
        let begun = script.begin(arguments.rate);
        let (rates, took) = while_running(&mut kubelet, begun).await?;
        Ok(Self { arguments, script, kubelet, rates, took })
    }

    /// One wave for each side: a wave takes minutes, and what comes after it is measured once.
    fn series(&self) -> Vec<Series> {
        vec![Series {
            what: "p95 at the height, ms".to_owned(),
            rate: Rate::Fixed(self.rates.top),
            warm_up: None,
            pairs: 1,
            length: self.script.shape.rise + self.script.shape.top,
            pause: Duration::ZERO,
        }]
    }

    async fn round(&mut self, side: Side, _: Turn) -> anyhow::Result<Ridden> {
        let Self { script, kubelet, rates, took, .. } = self;
        let wave = async {
            match side {
                Side::Before => script.fixed(*rates).await,
                Side::After => script.autoscaled(*rates, took).await,
            }
        };
        while_running(kubelet, wave).await
    }

    fn value(round: &Ridden) -> f64 {
        between(&round.sent, round.top_from, round.top_to).report(1.0).p95_ms
    }

    async fn rest(&mut self, _: &Results<Ridden>) -> anyhow::Result<()> {
        Ok(())
    }

    fn report(&self, results: &Results<Ridden>, (): &()) -> anyhow::Result<Report> {
        let shape = shape(self.arguments.quick);
        let budgeted = self.script.seen.borrow().budgeted;
        let pairs = results.first.pairs.first();
        let pair = pairs.ok_or_else(|| anyhow::anyhow!("no wave was measured"))?;
        let (before, after) = (&pair.before, &pair.after);
        Ok(Report {
            setting: format!(
                "A wave from {:.0} to {:.0} requests/s in {} s, held for {} s, one in ten a post, \
                 through nginx. Real: kube-apiserver, controller-manager, scheduler, \
                 metrics-server, Prometheus, and a plaza server for each pod. Simulated: nodes, \
                 network, kubelet, Prometheus' adapter. A pod asks for {REQUESTS_M} thousandths of \
                 a core and may use {LIMITS_M}{}, a tenth of the manifest's, since \
                 ten share this machine.",
                self.rates.calm,
                self.rates.top,
                shape.rise.as_secs(),
                shape.top.as_secs(),
                if budgeted {
                    " (control groups hold it to that)"
                } else {
                    " (NOT held to that: no control groups here, so before has more than its share)"
                }
            ),
            missed_because: missed(after, &self.took),
            pairs_of: format!(
                "3.2 p95 in ms, in steps of {} s from the beginning of the wave",
                SLICE.as_secs()
            ),
            pairs: slices(before, after, shape),
            figures: figures(before, after, &self.took),
            correct: true,
        })
    }
}
