//! A shard under supervision: its servers, and the steps by which one takes another one's place.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep};

use super::figures;
use super::verdict::{Verdict, primary};
use super::watch::{Replacement, Step, Watch, astray};
use plaza_config::ShardUrls;
use plaza_stores::postgres::supervision::{Member, Seen};

/// How long a planned change waits for a replica to have everything.
const LEVEL: Duration = Duration::from_secs(5);

/// One shard.
#[derive(Debug)]
pub struct Supervised {
    shard: usize,
    members: Vec<Member>,
    watch: Watch,
    can_be_replaced: bool,
}

impl Supervised {
    /// A shard of the configuration; its URLs are a superuser's.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn new(shard: usize, urls: &ShardUrls) -> anyhow::Result<Self> {
        let urls = std::iter::once(&urls.primary).chain(&urls.replicas);
        let members = urls.enumerate().map(|(number, url)| Member::new(number, url));
        let members = members.collect::<Result<_, _>>()?;
        Ok(Self { shard, members, watch: Watch::default(), can_be_replaced: false })
    }

    /// How its servers are, in the order of the configuration.
    pub async fn see(&mut self) -> Vec<Option<Seen>> {
        join_all(self.members.iter_mut().map(Member::see)).await
    }

    /// Their hosts and ports.
    pub fn addresses(&self) -> Vec<(String, u16)> {
        self.members.iter().map(Member::address).collect()
    }

    /// Looks once, and does what is to be done; what that was.
    ///
    /// # Errors
    /// A step that failed: the next round goes on from what is then.
    pub async fn round(&mut self) -> anyhow::Result<Verdict> {
        let seen = self.see().await;
        self.can_be_replaced = false;
        let verdict = self.watch.look(&seen, Instant::now());
        match verdict {
            Verdict::Well(primary) => {
                self.can_be_replaced = self.is_complete(&seen, primary);
                if self.watch.may_bring_together(&seen, primary, Instant::now()) {
                    self.bring_together(&seen, primary).await?;
                }
            }
            Verdict::FailOver(old) => {
                tracing::warn!(shard = self.shard, old, "the primary is replaced");
                let replaced = self.replace(&seen, old).await;
                figures::count(self.shard, replaced.is_ok());
                let new = replaced?;
                tracing::warn!(shard = self.shard, old, new, "the primary is another one");
                self.watch.replaced();
            }
            Verdict::Wait(_) | Verdict::Cannot(_) => {}
        }
        Ok(verdict)
    }

    /// Whether its primary was well in the last round, and would be replaced if it went now.
    pub fn can_be_replaced(&self) -> bool {
        self.can_be_replaced
    }

    /// Whether every other server hears the primary, whose commits wait for two of them or more.
    fn is_complete(&self, seen: &[Option<Seen>], primary: usize) -> bool {
        let follow = |(number, seen): (usize, &Option<Seen>)| {
            number == primary || seen.as_ref().is_some_and(|seen| seen.is_replica && seen.hears)
        };
        self.watch.last().is_some_and(|last| last.is_fenceable)
            && seen.len() > 2
            && seen.iter().enumerate().all(follow)
    }

    /// Has replicas follow the primary that follow nobody, or another server of the shard.
    async fn bring_together(
        &mut self,
        seen: &[Option<Seen>],
        primary: usize,
    ) -> anyhow::Result<()> {
        let addresses = self.addresses();
        let leads = addresses.get(primary).context("no such server")?;
        for number in astray(seen, primary, &addresses) {
            let Some(Some(seen)) = seen.get(number) else { continue };
            self.member(primary)?.make_slots(&[number]).await?;
            self.member(number)?.follow(seen, leads).await?;
            tracing::warn!(shard = self.shard, number, primary, "a replica follows the primary");
        }
        Ok(())
    }

    fn member(&mut self, number: usize) -> anyhow::Result<&mut Member> {
        self.members.get_mut(number).context("no such server")
    }

    fn all_but(&self, number: usize) -> Vec<usize> {
        (0..self.members.len()).filter(|other| *other != number).collect()
    }

    /// Puts the furthest of its replicas in a primary's place; which.
    async fn replace(&mut self, seen: &[Option<Seen>], old: usize) -> anyhow::Result<usize> {
        let mut replacement = Replacement::of(old, Instant::now());
        let new = loop {
            match replacement.step(Instant::now()) {
                Step::Fence => {
                    self.fence(seen, old).await?;
                    replacement.fenced();
                }
                Step::See => replacement.seen(&self.see().await),
                Step::Prepare(new) => {
                    let replicas = self.all_but(new);
                    self.member(new)?.prepare(&replicas).await?;
                    replacement.prepared();
                }
                Step::Promote(new) => {
                    self.member(new)?.promote().await?;
                    break new;
                }
                Step::GiveUp(why) => bail!(why),
            }
        };
        let seen = self.see().await;
        ensure!(primary(&seen, self.watch.last()) == Some(new), "the new primary is none yet");
        self.watch.remember(&seen, new);
        self.bring_together(&seen, new).await?;
        Ok(new)
    }

    /// When all have left it, a primary's commits are acknowledged by nobody any more.
    async fn fence(&mut self, seen: &[Option<Seen>], old: usize) -> anyhow::Result<()> {
        let others = self.members.iter_mut().filter(|member| member.number != old);
        let fenced = others.map(|member| async move {
            let seen = seen.get(member.number).and_then(Option::as_ref);
            member.fence(seen.context("it was not seen")?).await
        });
        try_join_all(fenced).await.context("not every replica has left the primary")?;
        Ok(())
    }

    /// Replaces a primary that is well; which server was it, and which is it.
    ///
    /// # Errors
    /// Not all of the shard's servers are well; a step that failed.
    pub async fn switch(&mut self) -> anyhow::Result<(usize, usize)> {
        let seen = self.see().await;
        let old = primary(&seen, None).context("it has no primary that answers")?;
        self.watch.remember(&seen, old);
        let fenceable = self.watch.last().is_some_and(|last| last.is_fenceable);
        ensure!(fenceable, "its commits wait for somebody else than its replicas, or nobody");
        ensure!(self.is_complete(&seen, old), "not both replicas are well");
        self.member(old)?.refuse_writes(true).await?;
        let replaced = async {
            self.until_level(old).await?;
            let seen = self.see().await;
            self.replace(&seen, old).await
        };
        match replaced.await {
            Ok(new) => Ok((old, new)),
            Err(error) => {
                let seen = self.see().await;
                if primary(&seen, None) == Some(old) {
                    self.member(old)?.refuse_writes(false).await?;
                    self.bring_together(&seen, old).await?;
                }
                Err(error)
            }
        }
    }

    /// Waits until a replica has all that the primary has written.
    async fn until_level(&mut self, old: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        let place = |seen: &Option<Seen>| seen.as_ref().map_or(0, |seen| seen.place);
        loop {
            let seen = self.see().await;
            let written = seen.get(old).map_or(0, place);
            let others = seen.iter().enumerate().filter(|(number, _)| *number != old);
            if written > 0 && others.map(|(_, seen)| place(seen)).max() >= Some(written) {
                return Ok(());
            }
            ensure!(began.elapsed() < LEVEL, "no replica has everything of the primary");
            sleep(Duration::from_millis(50)).await;
        }
    }
}
