//! Who pays for a request, and whether they can.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Served;
use plaza_app::App;
use plaza_config::LimitsConfig;
use plaza_config::network::{Network, client_network};
use plaza_domain::Viewer;
use plaza_domain::purse::{hold, take_held};
use plaza_graphql::context::{Points, RequestContext};
use plaza_graphql::error::ErrorCode;
use plaza_stores::redis::admission::Asked;
use plaza_stores::redis::keys::BucketName;
use plaza_stores::redis::rate_limit::{Bucket, Standing};

/// Where a request comes from: the peer, or what a trusted proxy says of its peer. Only the last
/// hop is believed; the ones before it are the client's own words.
fn client_address(trusted: &[Network], peer: Option<SocketAddr>, headers: &HeaderMap) -> IpAddr {
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip().to_canonical());
    if !trusted.iter().any(|network| network.contains(peer)) {
        return peer;
    }
    let last =
        headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let hop = last
        .and_then(|value| value.rsplit(',').next())
        .and_then(|hop| hop.trim().parse::<IpAddr>().ok());
    hop.map_or(peer, |hop| hop.to_canonical())
}

/// The address of a request's client.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub IpAddr);

impl FromRequestParts<Served> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
        let trusted = &served.app.config.server.trusted_proxies;
        Ok(Self(client_address(trusted, peer, &parts.headers)))
    }
}

/// Who pays for what is asked: a viewer, or an address when nobody is logged in.
#[derive(Debug, Clone)]
pub struct Payer {
    name: Arc<str>,
    bucket: Bucket,
    kind: &'static str,
}

impl Payer {
    /// The one who pays for a request.
    pub fn of(limits: &LimitsConfig, viewer: Option<Viewer>, address: IpAddr) -> Self {
        let (name, kind) = match viewer {
            Some(viewer) => (BucketName::viewer(viewer.user_id).into(), "viewer"),
            None => (BucketName::address(&client_network(address)).into(), "address"),
        };
        Self { name, bucket: bucket(limits, viewer), kind }
    }

    fn limited(&self, wait: Duration) -> Limited {
        metrics::counter!("plaza_rate_limited_total", "payer" => self.kind).increment(1);
        Limited { retry_after_s: wait.as_secs().max(1) }
    }

    /// Refuses a payer who owes points, before anything of a request is read.
    ///
    /// # Errors
    /// [`Limited`] until the bucket has been filled to nothing.
    pub fn check_credit(&self, app: &App) -> Result<(), Limited> {
        let Some(until) = app.debts.get(&*self.name) else { return Ok(()) };
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Ok(()),
            wait => Err(self.limited(wait)),
        }
    }

    /// The bucket.
    pub fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// The bucket's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Takes points for work that is done, whatever the bucket holds.
    pub async fn owe(&self, app: &App, points: u64) {
        let wait = app.domain.redis.owe_points(&self.name, self.bucket, points).await;
        if !wait.is_zero() {
            app.debts.insert(self.name.to_string(), Instant::now() + wait);
        }
    }
}

/// What a request was charged, and how its payer stands.
#[derive(Debug, Clone)]
pub struct Charged {
    /// Who paid.
    pub payer: Payer,
    /// The points taken.
    pub cost: u64,
    /// How it stands.
    pub standing: Standing,
}

/// Too much was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Limited {
    /// Whole seconds until it can be asked for again, at least 1.
    pub retry_after_s: u64,
}

/// The bucket that pays for a viewer, or for an address when nobody is logged in.
pub fn bucket(limits: &LimitsConfig, viewer: Option<Viewer>) -> Bucket {
    match viewer {
        Some(_) => {
            Bucket { capacity: limits.viewer_points, per_second: limits.viewer_points_per_s }
        }
        None => Bucket { capacity: limits.address_points, per_second: limits.address_points_per_s },
    }
}

/// Has a request paid for, and finds out with that what its session has written lately, and whether
/// the `request` of this id is a later attempt. One that cannot be paid was `read` all the same,
/// for so many points: they are owed.
///
/// # Errors
/// [`Limited`] when its viewer's bucket, or its address's, has less than it costs.
pub async fn pay(
    app: &App,
    context: &mut RequestContext,
    payer: Payer,
    (cost, read): (u64, u64),
    request: Option<&str>,
) -> Result<Charged, Limited> {
    let bucket = payer.bucket;
    // What the payer's last requests did not use is given back with this one: no round trip of its
    // own.
    let back = take_held(&app.refunds, &payer.name);
    let session = context.viewer.map(|viewer| viewer.session_id);
    let asked = Asked { who: &payer.name, bucket, cost, back, session, request };
    let told = app.domain.redis.admit(asked).await;
    match told.written {
        Some(written) => context.token.merge(&written),
        // Not known what this session has written: only the primaries are surely not behind it.
        None => context.primary_only = true,
    }
    if told.was_here == Some(true) {
        context.attempt = 2;
    }
    let standing = told.standing;
    if !standing.taken {
        payer.owe(app, read).await;
        return Err(payer.limited(bucket.until(cost, standing.left)));
    }
    let charged = Charged { payer, cost, standing };
    context.points = Some(charged.points(app.domain.clock.now()));
    Ok(charged)
}

impl Charged {
    /// What the viewer may see of the bucket that paid.
    fn points(&self, now: DateTime<Utc>) -> Points {
        let bucket = self.payer.bucket;
        let full = bucket.until(bucket.capacity, self.standing.left);
        let reset_at = now + chrono::TimeDelta::from_std(full).unwrap_or_default();
        Points { cost: self.cost, limit: bucket.capacity, remaining: self.standing.left, reset_at }
    }

    /// Settles what a request has used, in points: what was charged for nothing is given back with
    /// the payer's next request, what was used beyond the charge is taken now.
    pub async fn settle(&self, app: &App, used: u64) {
        if let Some(unused) = self.cost.checked_sub(used) {
            if unused > 0 {
                hold(&app.refunds, &self.payer.name, unused);
            }
            return;
        }
        self.payer.owe(app, used.saturating_sub(self.cost)).await;
    }
}

/// What an answer came to, in the points that queries are weighed in: a point a field.
pub fn used(data: &async_graphql::Value) -> u64 {
    match data {
        async_graphql::Value::Object(fields) => fields
            .values()
            .fold(0, |sum: u64, value| sum.saturating_add(1).saturating_add(used(value))),
        async_graphql::Value::List(items) => {
            items.iter().fold(0, |sum: u64, item| sum.saturating_add(used(item)))
        }
        _ => 0,
    }
}

impl Limited {
    /// In words.
    pub fn message(self) -> String {
        format!("too much was asked for in a short time: try again in {} s", self.retry_after_s)
    }

    /// Its code.
    pub const CODE: ErrorCode = ErrorCode::RateLimited;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", axum::http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_a_trusted_proxys_last_word_is_believed() {
        let trusted = [Network::parse("127.0.0.0/8").unwrap()];
        let at = |peer: &str, values: &[&'static str]| {
            client_address(&trusted, Some(format!("{peer}:1").parse().unwrap()), &forwarded(values))
                .to_string()
        };
        assert_eq!(at("127.0.0.1", &["1.1.1.1, 2.2.2.2"]), "2.2.2.2");
        assert_eq!(at("127.0.0.1", &["1.1.1.1", "3.3.3.3"]), "3.3.3.3");
        assert_eq!(at("127.0.0.1", &["nonsense"]), "127.0.0.1");
        assert_eq!(at("9.9.9.9", &["1.1.1.1"]), "9.9.9.9");
    }

    #[test]
    fn a_household_is_one() {
        let of = |text: &str| client_network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn what_requests_side_by_side_did_not_use_is_given_back_once() {
        const THREADS: u64 = 8;
        const EACH: u64 = 5_000;
        let refunds = moka::sync::Cache::builder().max_capacity(10).build();
        let taken: u64 = std::thread::scope(|scope| {
            let requests = || {
                (0..EACH)
                    .map(|_| {
                        let back = take_held(&refunds, "payer");
                        hold(&refunds, "payer", 1);
                        back
                    })
                    .sum::<u64>()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(requests)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken + refunds.get("payer").unwrap_or_default(), THREADS * EACH);
    }

    #[test]
    fn an_answer_costs_a_point_a_field() {
        let data = async_graphql::Value::from_json(
            serde_json::json!({ "a": { "b": [{ "c": 1 }, { "c": 2 }] }, "d": null }),
        )
        .unwrap();
        assert_eq!(used(&data), 5);
    }
}
