//! The simulated cluster: a real API server, asked through `kubectl proxy` on loopback, and
//! `kubectl` for what an operator would type.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::process::Command;

/// The cluster, which ends with the case.
#[derive(Debug)]
pub struct Cluster {
    http: reqwest::Client,
    api: String,
    scripts: PathBuf,
}

/// What is of interest of a pod of `api`.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its identity: a name may come back.
    pub uid: String,
    /// Whether the scheduler has given it a node.
    pub scheduled: bool,
    /// Whether it is to go.
    pub leaving: bool,
    /// Seconds it goes on serving before SIGTERM: the manifest's preStop.
    pub sleep_s: u64,
    /// Seconds from being told to go until it is killed.
    pub grace_s: u64,
    /// Thousandths of a core it may use: the manifest's limit.
    pub cpu_limit_m: Option<u64>,
}

/// How the autoscaler stands.
#[derive(Debug, Clone, Default)]
pub struct Autoscaler {
    /// Percent of the CPU that the pods ask for.
    pub cpu_percent: Option<f64>,
    /// Requests in flight, the mean of the pods.
    pub in_flight: Option<f64>,
    /// How many pods it wants.
    pub desired: u64,
}

/// A quantity of Kubernetes' in thousandths: `200m`, `1`, `1500m`.
pub fn thousandths(quantity: &str) -> Option<f64> {
    match quantity.strip_suffix('m') {
        Some(number) => number.parse().ok(),
        None => quantity.parse::<f64>().ok().map(|whole| whole * 1_000.0),
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Pod {
    fn of(value: &Value) -> Self {
        let container = value.pointer("/spec/containers/0").unwrap_or(&Value::Null);
        let seconds = |value: Option<&Value>| value.and_then(Value::as_u64);
        let limit = container
            .pointer("/resources/limits/cpu")
            .and_then(Value::as_str)
            .and_then(thousandths);
        Self {
            name: text(value, "/metadata/name"),
            uid: text(value, "/metadata/uid"),
            scheduled: value.pointer("/spec/nodeName").is_some(),
            leaving: value.pointer("/metadata/deletionTimestamp").is_some(),
            sleep_s: seconds(container.pointer("/lifecycle/preStop/sleep/seconds"))
                .unwrap_or_default(),
            grace_s: seconds(value.pointer("/spec/terminationGracePeriodSeconds")).unwrap_or(30),
            cpu_limit_m: limit.and_then(|limit| format!("{limit:.0}").parse().ok()),
        }
    }
}

impl Cluster {
    /// Starts the control plane, empty but for its nodes.
    ///
    /// # Errors
    /// What `infra/k8s-sim/up` says.
    pub async fn start(root: &Path) -> anyhow::Result<Self> {
        let scripts = std::path::absolute(root.join("infra/k8s-sim"))?;
        let status = Command::new(scripts.join("up"))
            .stdin(Stdio::null())
            .status()
            .await
            .context("infra/k8s-sim/up")?;
        anyhow::ensure!(
            status.success(),
            "the simulated cluster does not start: infra/k8s-sim/install first"
        );
        let record = std::fs::read_to_string(root.join(".local/k8s-sim/run/proxy"))?;
        let port = record
            .lines()
            .find_map(|line| line.strip_prefix("port="))
            .context("kubectl proxy has no port")?;
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            api: format!("http://127.0.0.1:{port}"),
            scripts,
        })
    }

    /// What an operator would type; what it prints.
    ///
    /// # Errors
    /// What kubectl says.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(self.scripts.join("kubectl"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "kubectl {}: {said}", arguments.join(" "));
        Ok(format!("{}{said}", String::from_utf8_lossy(&output.stdout)))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self
            .http
            .get(format!("{}{path}", self.api))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?)
    }

    async fn patch(&self, path: &str, patch: &Value) -> anyhow::Result<()> {
        let request = self.http.patch(format!("{}{path}", self.api)).body(patch.to_string());
        let answer = request.header(CONTENT_TYPE, "application/merge-patch+json").send().await?;
        // A pod may be gone by now.
        if answer.status() != reqwest::StatusCode::NOT_FOUND {
            answer.error_for_status()?;
        }
        Ok(())
    }

    /// The pods of `api`.
    ///
    /// # Errors
    /// The API server's.
    pub async fn pods(&self) -> anyhow::Result<Vec<Pod>> {
        let list = self
            .get("/api/v1/namespaces/plaza/pods?labelSelector=app.kubernetes.io%2Fname%3Dapi")
            .await?;
        Ok(list.get("items").and_then(Value::as_array).into_iter().flatten().map(Pod::of).collect())
    }

    /// The pods that the Service `api` names as ready: whom nginx is to ask.
    ///
    /// # Errors
    /// The API server's.
    pub async fn endpoints(&self) -> anyhow::Result<BTreeSet<String>> {
        let path = "/apis/discovery.k8s.io/v1/namespaces/plaza/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dapi";
        let list = self.get(path).await?;
        let slices = list.get("items").and_then(Value::as_array).into_iter().flatten();
        let endpoints =
            slices.filter_map(|slice| slice.get("endpoints").and_then(Value::as_array)).flatten();
        let ready = endpoints.filter(|endpoint| {
            endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(false)
        });
        Ok(ready.map(|endpoint| text(endpoint, "/targetRef/name")).collect())
    }

    /// How the autoscaler stands; as good as nothing when there is none.
    ///
    /// # Errors
    /// The API server's.
    pub async fn autoscaler(&self) -> anyhow::Result<Autoscaler> {
        let list =
            self.get("/apis/autoscaling/v2/namespaces/plaza/horizontalpodautoscalers").await?;
        let Some(found) = list.pointer("/items/0/status") else { return Ok(Autoscaler::default()) };
        let metrics =
            || found.get("currentMetrics").and_then(Value::as_array).into_iter().flatten();
        let average = |value: &Value| {
            value
                .pointer("/pods/current/averageValue")
                .and_then(Value::as_str)
                .and_then(thousandths)
        };
        Ok(Autoscaler {
            cpu_percent: metrics().find_map(|metric| {
                metric.pointer("/resource/current/averageUtilization").and_then(Value::as_f64)
            }),
            in_flight: metrics().find_map(average).map(|thousandths| thousandths / 1_000.0),
            desired: found.get("desiredReplicas").and_then(Value::as_u64).unwrap_or_default(),
        })
    }

    /// Says of a pod what a kubelet would: that it runs since `now`, and whether it is ready.
    ///
    /// # Errors
    /// The API server's.
    pub async fn tell(
        &self,
        pod: &Pod,
        address: &str,
        now: &str,
        ready: bool,
    ) -> anyhow::Result<()> {
        let condition = |kind: &str, holds: bool| json!({ "type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now });
        let status = json!({ "status": {
            "phase": "Running",
            "hostIP": "127.0.0.1",
            "podIP": address,
            "podIPs": [{ "ip": address }],
            "startTime": now,
            "conditions": [condition("PodScheduled", true), condition("Initialized", true), condition("ContainersReady", ready), condition("Ready", ready)],
            "containerStatuses": [{
                "name": "plaza", "image": "plaza", "imageID": "", "ready": ready, "started": true, "restartCount": 0, "state": { "running": { "startedAt": now } },
            }],
        } });
        self.patch(&format!("/api/v1/namespaces/plaza/pods/{}/status", pod.name), &status).await
    }

    /// Says what a pod uses, for kwok's metrics endpoints: thousandths of a core, and bytes.
    ///
    /// # Errors
    /// The API server's.
    pub async fn tell_usage(&self, pod: &str, cpu_m: f64, bytes: f64) -> anyhow::Result<()> {
        let usage = json!({ "kwok.x-k8s.io/usage-cpu": format!("{cpu_m:.0}m"), "kwok.x-k8s.io/usage-memory": format!("{bytes:.0}") });
        self.patch(
            &format!("/api/v1/namespaces/plaza/pods/{pod}"),
            &json!({ "metadata": { "annotations": usage } }),
        )
        .await
    }

    /// Says that a pod that was to go has gone.
    ///
    /// # Errors
    /// The API server's.
    pub async fn gone(&self, pod: &Pod) -> anyhow::Result<()> {
        let options = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": pod.uid } });
        let answer = self
            .http
            .delete(format!("{}/api/v1/namespaces/plaza/pods/{}", self.api, pod.name))
            .json(&options)
            .send()
            .await?;
        anyhow::ensure!(
            answer.status().is_success() || answer.status().is_client_error(),
            "deleting {}: {}",
            pod.name,
            answer.status()
        );
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::process::Command::new(self.scripts.join("down")).stdin(Stdio::null()).status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        assert_eq!(thousandths("200m"), Some(200.0));
        assert_eq!(thousandths("1"), Some(1_000.0));
        assert_eq!(thousandths("1Gi"), None);
    }

    #[test]
    fn a_pod_is_read_as_the_manifest_has_it() {
        let pod = Pod::of(&json!({
            "metadata": { "name": "api-1", "uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "nodeName": "node-1", "terminationGracePeriodSeconds": 45, "containers": [{
                "lifecycle": { "preStop": { "sleep": { "seconds": 10 } } }, "resources": { "limits": { "cpu": "200m" } },
            }] },
        }));
        assert!(pod.scheduled && pod.leaving);
        assert_eq!((pod.sleep_s, pod.grace_s, pod.cpu_limit_m), (10, 45, Some(200)));
    }
}
