//! Orders and the stock they hold.

use std::collections::HashMap;

use plaza::ids::{Id, OrderId};
use plaza::protocol::envelope::JobEnvelope;
use plaza::protocol::jobs::Job;
use plaza::protocol::routing::queue_of;

use super::Truth;

impl Truth {
    /// The orders that hold a product, with their states.
    ///
    /// # Errors
    /// The server's.
    pub async fn orders_of(&self, product: i64) -> anyhow::Result<HashMap<i64, String>> {
        let query = "SELECT o.id, o.status FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE l.product_id = $1";
        let mut orders = HashMap::new();
        for shard in &self.shards {
            for row in shard.query(query, &[&product]).await? {
                orders.insert(row.get(0), row.get(1));
            }
        }
        Ok(orders)
    }

    /// The newest order's id; 0 when there is none.
    ///
    /// # Errors
    /// The server's.
    pub async fn newest_order(&self) -> anyhow::Result<i64> {
        let mut newest = 0;
        for shard in &self.shards {
            newest = newest
                .max(shard.query_one("SELECT coalesce(max(id), 0) FROM orders", &[]).await?.get(0));
        }
        Ok(newest)
    }

    /// Orders after this one, with their states.
    ///
    /// # Errors
    /// The server's.
    pub async fn orders_since(&self, id: i64) -> anyhow::Result<HashMap<i64, String>> {
        let mut orders = HashMap::new();
        for shard in &self.shards {
            orders.extend(
                shard
                    .query("SELECT id, status FROM orders WHERE id > $1", &[&id])
                    .await?
                    .iter()
                    .map(|row| (row.get(0), row.get(1))),
            );
        }
        Ok(orders)
    }

    /// Gives every order after this one that has not ended a job, as placing it would have: what a
    /// saga inside a request left belongs to nobody else.
    ///
    /// # Errors
    /// The server's.
    pub async fn resume_orders(&self, id: i64) -> anyhow::Result<u64> {
        let open = "SELECT id FROM orders WHERE id > $1 AND status NOT IN ('CONFIRMED', 'REJECTED', 'CANCELLED')";
        let mut resumed = 0;
        for shard in &self.shards {
            let ids: Vec<i64> =
                shard.query(open, &[&id]).await?.iter().map(|row| row.get(0)).collect();
            let keys: Vec<String> = ids.iter().map(|id| format!("order:{id}/process")).collect();
            let job = |id: &i64| Job::OrderProcess { order_id: OrderId::from_i64(*id) };
            let queues: Vec<&str> = ids.iter().map(|id| queue_of(&job(id)).name()).collect();
            let payload = |(id, key): (&i64, &String)| {
                serde_json::to_string(&JobEnvelope {
                    id: key.clone(),
                    traceparent: None,
                    job: job(id),
                })
            };
            let payloads =
                ids.iter().zip(&keys).map(payload).collect::<Result<Vec<String>, _>>()?;
            let insert = "INSERT INTO outbox (sink, topic, key, payload) SELECT 0, * FROM unnest($1::text[], $2::text[], $3::text[])";
            resumed += shard.execute(insert, &[&queues, &keys, &payloads]).await?;
        }
        Ok(resumed)
    }

    /// How many orders after this one have not ended.
    ///
    /// # Errors
    /// The server's.
    pub async fn orders_under_way(&self, id: i64) -> anyhow::Result<i64> {
        self.sum("SELECT count(*) FROM orders WHERE id > $1 AND status NOT IN ('CONFIRMED', 'REJECTED', 'CANCELLED')", id).await
    }

    /// Products of which stock, held and sold pieces do not add up to what there was.
    ///
    /// # Errors
    /// The server's.
    pub async fn wrong_stock(&self, products: &[i64], stock: i64) -> anyhow::Result<i64> {
        const WRONG: &str = "SELECT count(*) FROM products p WHERE p.id = ANY($1) AND $2 <> p.stock + coalesce(
            (SELECT sum(r.quantity) FROM reservations r WHERE r.product_id = p.id AND r.status IN ('HELD', 'SOLD')), 0)";
        let mut wrong = 0;
        for shard in &self.shards {
            wrong += shard.query_one(WRONG, &[&products, &stock]).await?.get::<_, i64>(0);
        }
        Ok(wrong)
    }
}
