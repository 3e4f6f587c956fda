"""What the stores hold, read past plaza and past the proxies."""

import base64
import json
import socket
import time
import urllib.request
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, TopicPartition
from psycopg.rows import dict_row

SHARDS = 4
TABLES = {
    "users": "SELECT id, handle, bio, version, activity_version FROM users",
    "posts": "SELECT id, author_id, text, version, deleted FROM posts",
    "likes": "SELECT post_id, user_id FROM likes",
    "comments": "SELECT id, post_id, author_id, text FROM comments",
    "follows": "SELECT follower_id, followee_id, id, version, active FROM follows",
    "followers": "SELECT followee_id, follower_id, follow_id, active FROM followers",
    "post_counts": "SELECT post_id, like_count, comment_count, version FROM post_counts",
    "user_counts": "SELECT user_id, post_count, following_count, activity_version FROM user_counts",
    "follower_counts": "SELECT user_id, follower_count FROM follower_counts",
    "products": "SELECT id, seller_id, stock, version FROM products",
    "orders": "SELECT id, buyer_id, status, reason, total_amount, version FROM orders",
    "order_lines": "SELECT order_id, product_id, quantity, unit_amount FROM order_lines",
    "payments": "SELECT order_id, amount, status FROM payments",
    "reservations": "SELECT order_id, product_id, quantity, status FROM reservations",
    "product_sales": "SELECT product_id, sum(orders)::bigint AS orders,"
    " sum(quantity)::bigint AS quantity, sum(amount)::bigint AS amount"
    " FROM product_sales GROUP BY product_id",
    "notifications": "SELECT id, user_id, kind, actor_id, subject_id, active FROM notifications",
    "outbox": "SELECT id, sink, topic, key, payload, sent_at IS NOT NULL AS sent FROM outbox",
    "job_attempts": "SELECT job_id, attempts, last_error FROM job_attempts",
}
# What every replica is to have exactly as its primary.
REPLICATED = ("users", "posts", "likes", "comments", "follows", "orders", "payments",
              "reservations", "notifications", "idempotency_keys", "outbox")


class Stores:
    def __init__(self, world):
        self.world, self.stack = world, world["stack"]
        self.ports = self.stack["ports"]

    def password(self, of="password"):
        return (Path(self.stack["local"]) / "config" / of).read_text().strip()

    # PostgreSQL.

    def connect(self, name):
        return psycopg.connect(
            host="127.0.0.1", port=self.ports[name], dbname="plaza", user="postgres",
            password=self.password("superuser-password"), autocommit=True, connect_timeout=3,
            row_factory=dict_row, options="-c statement_timeout=60000",
        )

    def rows(self, name, query):
        with self.connect(name) as connection:
            return connection.execute(query).fetchall()

    def tables(self):
        """Every table's rows of all primaries, each with its shard."""
        tables = {table: [] for table in TABLES}
        for shard in range(SHARDS):
            with self.connect(f"shard-{shard}-primary") as connection:
                for table, query in TABLES.items():
                    rows = connection.execute(query).fetchall()
                    tables[table] += [row | {"shard": shard} for row in rows]
        return tables

    def shard_map(self):
        rows = self.rows("shard-0-primary", "SELECT version, shards FROM shard_maps")
        return max(rows, key=lambda row: row["version"])["shards"]

    def replicas(self, within_s=30):
        """The tables in which each replica is not its primary's equal, once it has caught up."""
        differ = {}
        for shard in range(SHARDS):
            primary = f"shard-{shard}-primary"
            wanted = self.digests(primary)
            end = self.rows(primary, "SELECT pg_current_wal_lsn() AS lsn")[0]["lsn"]
            for replica in (1, 2):
                name = f"shard-{shard}-replica-{replica}"
                if not self.has_replayed(name, end, within_s):
                    differ[name] = ["has not replayed what its primary had"]
                    continue
                held = self.digests(name)
                differ[name] = [table for table in wanted if held[table] != wanted[table]]
        return differ

    def has_replayed(self, name, lsn, within_s):
        deadline = time.monotonic() + within_s
        query = f"SELECT pg_last_wal_replay_lsn() >= '{lsn}' AS done"
        while True:
            try:
                if self.rows(name, query)[0]["done"]:
                    return True
            except psycopg.OperationalError:
                pass
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)

    def digests(self, name):
        query = ("SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)), 0) AS digest"
                 " FROM {} t")
        with self.connect(name) as connection:
            return {
                table: tuple(connection.execute(query.format(table)).fetchone().values())
                for table in REPLICATED
            }

    # Kafka.

    def consumer(self):
        return Consumer({
            "bootstrap.servers": f"127.0.0.1:{self.stack['kafka']}", "group.id": "checker",
            "enable.auto.commit": False, "auto.offset.reset": "error",
            "enable.partition.eof": True,
        })

    def ends(self, consumer):
        """First and next offset of every partition of plaza's topics."""
        topics = consumer.list_topics(timeout=10).topics
        ends = {}
        for name, topic in topics.items():
            if name.startswith(self.stack["kafka_topics"]):
                for number in topic.partitions:
                    place = TopicPartition(name, number)
                    ends[name, number] = consumer.get_watermark_offsets(place, timeout=10)
        return ends

    def events(self, within_s=60):
        """Every record of every topic but that of views, in the order of its partition."""
        consumer = self.consumer()
        ends = {at: both for at, both in self.ends(consumer).items() if not at[0].endswith("views")}
        open_ones = {at for at, (first, end) in ends.items() if end > first}
        consumer.assign([TopicPartition(*at, ends[at][0]) for at in open_ones])
        records, deadline = [], time.monotonic() + within_s
        while open_ones and time.monotonic() < deadline:
            for message in consumer.consume(2000, timeout=1):
                at = (message.topic(), message.partition())
                if message.error():
                    open_ones.discard(at)
                    continue
                records.append((*at, message.offset(), message.key(), message.value()))
        consumer.close()
        if open_ones:
            raise RuntimeError(f"Kafka: {len(open_ones)} partitions were not read to their end")
        return sorted(records, key=lambda record: record[:3])

    # RabbitMQ.

    def queues(self):
        """Messages of each queue, whatever state they are in."""
        url = f"http://127.0.0.1:{self.ports['rabbitmq-management']}/api/queues/plaza"
        request = urllib.request.Request(url)
        user = base64.b64encode(f"plaza:{self.password()}".encode()).decode()
        request.add_header("authorization", f"Basic {user}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {one["name"]: one.get("messages") for one in json.load(answer)}

    # Redis.

    def timelines(self):
        """The lists of homes that may be believed: posts and horizon of each user."""
        with Redis(self.ports["redis"], self.password()) as redis:
            nonce = (redis.ask("HGET", "plaza:gen", "nonce") or b"").decode()
            timelines = {}
            for user in self.world["users"]:
                items = redis.ask("LRANGE", f"plaza:tl:{user}", "0", "-1")
                items = [item.decode() for item in items]
                if items and items[0] == header_of(items[0], nonce):
                    horizon = int(items[0][2:].split(",")[0])
                    timelines[user] = (horizon, [int(item) for item in items[1:]])
            return timelines


def header_of(header, nonce):
    """The header itself, if it is of this generation."""
    return header if header.startswith("h:") and header.partition(",")[2] == nonce else None


class Redis:
    """Commands and their answers (RESP2)."""

    def __init__(self, port, password):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.file = self.socket.makefile("rb")
        self.ask("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, *words):
        parts = b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
        self.socket.sendall(b"*%d\r\n" % len(words) + parts)
        return self.answer()

    def answer(self):
        kind, rest = (line := self.file.readline())[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(f"Redis: {rest.decode()}")
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest
