//! What is told of an outbox.

use plaza::outbox::Sink;
use plaza::stores::postgres::{ShardIndex, outbox};
use plaza::stores::redis::listen::Heard;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::with_server;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_to_an_outbox_tells_its_relay() {
    with_server(async |app| {
        let domain = &app.app.domain;
        let stop = CancellationToken::new();
        let (told, mut hear) = mpsc::unbounded_channel();
        let heard = |heard: Heard<'_>| {
            let words = match heard {
                Heard::Begun => "begun",
                Heard::Said(shards) => shards.trim(),
                Heard::Lost => "lost",
                Heard::Complete(_) => return,
            };
            told.send(words.to_owned()).unwrap();
        };
        let channel = domain.redis.relays_channel();
        let hearing = domain.redis.hear(&channel, &stop, heard);
        let signing_up = async {
            assert_eq!(hear.recv().await.unwrap(), "begun");
            app.sign_up("ann").await;
            let said = hear.recv().await.unwrap();
            let shard = domain.cluster.shard(ShardIndex(said.parse().expect("one shard"))).unwrap();
            let waiting = outbox::backlog(&mut shard.direct().await.unwrap(), Sink::Kafka.code())
                .await
                .unwrap();
            assert_eq!(waiting.unsent, 1, "shard {said} has it");
            stop.cancel();
        };
        tokio::join!(hearing, signing_up).0.unwrap();
    })
    .await;
}
