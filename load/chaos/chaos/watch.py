"""What waits in each shard, once a second: what no client's answer shows.

| sample | seconds |
|---|---|
| `unsent` | the oldest message that no broker has |
| `orders` | the oldest order that has not ended |
| `counts` | the oldest event of a post that its counts do not have |

A shard that does not answer is left out of that second."""

import threading
import time

import psycopg

SHARDS = 4
AGE = "coalesce(extract(epoch FROM now() - min({})), 0)::float"
QUERY = f"""
SELECT (SELECT {AGE.format('created_at')} FROM outbox WHERE sent_at IS NULL),
  (SELECT {AGE.format("to_timestamp(((id >> 22) + 1735689600000) / 1000.0)")}
     FROM orders WHERE status IN ('PENDING', 'RESERVED', 'PAID')),
  (SELECT {AGE.format('o.created_at')} FROM outbox o
     LEFT JOIN post_counts c ON c.post_id = split_part(o.key, ':', 2)::bigint
    WHERE o.sink = 1 AND o.topic = 'posts' AND o.created_at > now() - interval '3 minutes'
      AND coalesce(c.version, 0) < (o.payload::jsonb ->> 'version')::bigint)"""
NAMES = ("unsent", "orders", "counts")


class Watch:
    def __init__(self, stack):
        self.stack, self.samples = stack, []
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.shard, args=(shard,), daemon=True)
            for shard in range(SHARDS)
        ]

    def begin(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(3)

    def shard(self, shard):
        connection = None
        while not self.over.wait(1):
            try:
                if connection is None:
                    connection = self.stack.connect(f"shard-{shard}-primary")
                ages = connection.execute(QUERY).fetchone()
                sample = {name: round(max(0, age), 1) for name, age in zip(NAMES, ages)}
                self.samples.append({"t": time.time(), "shard": shard, **sample})
            except psycopg.Error:
                connection = None
