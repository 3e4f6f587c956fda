//! The kubelet of the pods of `api`: a real `plaza server` for each pod that the scheduler has
//! placed, with the CPU that the pod's limit allows. A pod is ready when its server answers
//! /readyz; a pod that is to go serves on for its preStop, gets SIGTERM, and has gone when its
//! process has ended. nginx asks the servers of the Service's endpoints, whoever that is just now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use plaza::clock::Clock;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::budget::{Budget, sweep, used};
use super::cluster::{Cluster, Pod};
use crate::cases::nginx::Nginx;
use crate::cases::served::{Launch, Served};
use crate::ports::at;

/// nginx's port; the servers' follow.
pub const NGINX_PORT: u16 = 6_480;
/// From a server's port to its admin port.
const ADMIN: u16 = 100;
/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often the pods' use is told: well within metrics-server's 15 s.
const TELL: Duration = Duration::from_secs(5);

/// What there is just now.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Pods that nginx asks.
    pub ready: usize,
    /// Seconds of CPU that all servers have used, those included that have gone.
    pub cpu_s: f64,
    /// Whether each server has the CPU of its pod's limit, and no more.
    pub budgeted: bool,
}

/// The kubelet.
#[derive(Debug)]
pub struct Runner {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// The executable.
    pub plaza: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// The repository.
    pub root: PathBuf,
    /// What there is.
    pub seen: watch::Sender<Seen>,
}

/// A pod with a server.
#[derive(Debug)]
struct Lived {
    port: u16,
    leave: watch::Sender<bool>,
    pid: Arc<AtomicU32>,
    cpu_s: f64,
}

impl Lived {
    /// Seconds of CPU that its server has used.
    fn cpu_s(&self) -> f64 {
        used(self.pid.load(Ordering::Acquire)).map_or(self.cpu_s, |(cpu_s, _)| cpu_s)
    }
}

type Lives<'a> = FuturesUnordered<BoxFuture<'a, (String, anyhow::Result<()>)>>;

fn now() -> String {
    Clock::System.now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Runner {
    /// Does a kubelet's work until it is dropped.
    ///
    /// # Errors
    /// The API server's, nginx's, a server's that does not start.
    pub async fn run(&self) -> anyhow::Result<()> {
        sweep();
        let (mut lived, mut lives) = (BTreeMap::<String, Lived>::new(), Lives::new());
        let (mut nginx, mut asked) = (None::<Nginx>, BTreeSet::new());
        let (mut past_s, mut told) = (0.0, Instant::now());
        loop {
            tokio::select! {
                Some((name, ended)) = lives.next(), if !lives.is_empty() => {
                    ended.with_context(|| format!("pod {name}"))?;
                    past_s += lived.remove(&name).map_or(0.0, |lived| lived.cpu_s);
                }
                () = sleep(LOOK) => {}
            }
            self.follow_pods(&mut lived, &mut lives).await?;
            let ready = self.cluster.endpoints().await?;
            let served = lived.iter().filter(|(name, _)| ready.contains(*name));
            let ports: Vec<u16> = served.map(|(_, lived)| lived.port).collect();
            if ready != asked && !ports.is_empty() {
                self.route(&mut nginx, &ports).await?;
                self.scrape(&lived)?;
                asked = ready;
            }
            if told.elapsed() >= TELL {
                let seconds = told.elapsed().as_secs_f64();
                told = Instant::now();
                self.tell_usage(&mut lived, seconds).await?;
            }
            let cpu_s = past_s + lived.values().map(Lived::cpu_s).sum::<f64>();
            self.seen.send_modify(|seen| {
                seen.ready = ports.len();
                seen.cpu_s = cpu_s;
            });
        }
    }

    /// Starts a server for each pod that was placed, and has those leave whose pods are to go.
    async fn follow_pods<'a>(
        &'a self,
        lived: &mut BTreeMap<String, Lived>,
        lives: &mut Lives<'a>,
    ) -> anyhow::Result<()> {
        for pod in self.cluster.pods().await? {
            if let Some(lived) = lived.get(&pod.name) {
                lived.leave.send_if_modified(|leave| {
                    !std::mem::replace(leave, pod.leaving) && pod.leaving
                });
            } else if pod.leaving {
                self.cluster.gone(&pod).await?;
            } else if pod.scheduled {
                let taken: BTreeSet<u16> = lived.values().map(|lived| lived.port).collect();
                let port = (NGINX_PORT + 1..NGINX_PORT + ADMIN)
                    .find(|port| !taken.contains(port))
                    .context("no port is free")?;
                let (leave, told_to_leave) = watch::channel(false);
                let pid = Arc::new(AtomicU32::new(0));
                let own = Lived { port, leave, pid: Arc::clone(&pid), cpu_s: 0.0 };
                lived.insert(pod.name.clone(), own);
                lives.push(
                    async move {
                        (pod.name.clone(), self.live(&pod, port, &pid, told_to_leave).await)
                    }
                    .boxed(),
                );
            }
        }
        Ok(())
    }

    /// Has nginx ask the servers on these ports.
    async fn route(&self, nginx: &mut Option<Nginx>, ports: &[u16]) -> anyhow::Result<()> {
        if let Some(nginx) = nginx {
            return nginx.ask(&self.root, ports);
        }
        let folder = self.root.join(".local/case/nginx-k8s");
        *nginx = Some(Nginx::start(&self.root, &folder, NGINX_PORT, ports).await?);
        Ok(())
    }

    /// Tells metrics-server what each pod has used in so many seconds.
    async fn tell_usage(
        &self,
        lived: &mut BTreeMap<String, Lived>,
        seconds: f64,
    ) -> anyhow::Result<()> {
        for (name, lived) in lived {
            if let Some((cpu_s, bytes)) = used(lived.pid.load(Ordering::Acquire)) {
                let cpu_m = (cpu_s - lived.cpu_s) / seconds * 1_000.0;
                self.cluster.tell_usage(name, cpu_m, bytes).await?;
                lived.cpu_s = cpu_s;
            }
        }
        Ok(())
    }

    /// One pod, from its start to its end.
    async fn live(
        &self,
        pod: &Pod,
        port: u16,
        pid: &AtomicU32,
        mut told_to_leave: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let address = format!("10.64.0.{}", port - NGINX_PORT);
        let started = now();
        self.cluster.tell(pod, &address, &started, false).await?;
        let launch = Launch {
            plaza: self.plaza.clone(),
            config: self.config.clone(),
            port,
            admin_port: port + ADMIN,
            settings: vec![("PLAZA_TELEMETRY__FILTER", "error".to_owned())],
        };
        let mut budget = None;
        let served = Served::start_and(launch, |started| {
            pid.store(started, Ordering::Release);
            budget =
                pod.cpu_limit_m.and_then(|limit| Budget::limit(&pod.name, started, limit).ok());
        })
        .await?;
        self.seen.send_modify(|seen| seen.budgeted = budget.is_some());
        self.cluster.tell(pod, &address, &now(), true).await?;
        told_to_leave.wait_for(|leave| *leave).await?;
        sleep(Duration::from_secs(pod.sleep_s)).await;
        served.signal("TERM")?;
        let patience = Duration::from_secs(pod.grace_s.saturating_sub(pod.sleep_s));
        anyhow::ensure!(
            timeout(patience, served.ended()).await.is_ok(),
            "did not end within its grace period"
        );
        drop(budget);
        self.cluster.gone(pod).await
    }

    /// Tells Prometheus which servers there are, as which pods.
    fn scrape(&self, lived: &BTreeMap<String, Lived>) -> anyhow::Result<()> {
        let target = |(name, lived): (&String, &Lived)| json!({ "targets": [format!("127.0.0.1:{}", at(lived.port + ADMIN))], "labels": { "namespace": "plaza", "pod": name } });
        let targets: Vec<_> = lived.iter().map(target).collect();
        let file = Path::new(".local/k8s-sim/targets.json");
        let aside = self.root.join(file).with_extension("json.new");
        std::fs::write(&aside, serde_json::to_string(&targets)?)?;
        Ok(std::fs::rename(aside, self.root.join(file))?)
    }
}
