"""Shows that the checker sees: each wound is made in the stores of a clean run, and must be found.

A wound is one statement, made on the first shard where it changes a row, and names the law that
it breaks. They add up: each must make its law find more than before."""

import asyncio
import json
import subprocess
import sys

from .stack import ROOT

SHARDS = 4
LOSE_NEWEST = (
    "for _, key in ipairs(redis.call('KEYS', 'plaza:tl:*')) do redis.call('RPOP', key) end"
)
ONE = "ctid = (SELECT ctid FROM {} LIMIT 1)"


def one(table, statement):
    return statement.format(table) + " WHERE " + ONE.format(table)


WOUNDS = [
    ("an acknowledged like is gone", "likes are there once", one("likes", "DELETE FROM {}")),
    ("an acknowledged comment is gone", "comments are there once",
     "DELETE FROM comments WHERE ctid = (SELECT ctid FROM comments LIMIT 1)"),
    ("an acknowledged post is gone", "posts are there once",
     "DELETE FROM posts WHERE id = (SELECT max(id) FROM posts)"),
    ("a post is there twice", "posts are there once",
     "INSERT INTO posts (id, author_id, text) SELECT id + 1, author_id, text FROM posts"
     " WHERE text LIKE '%/%' ORDER BY id DESC LIMIT 1"),
    ("an order is gone", "orders are there once",
     "DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)"),
    ("a payment is gone", "orders end with their money and stock",
     one("payments", "DELETE FROM {}")),
    ("an order stands still", "orders end with their money and stock",
     "UPDATE orders SET status = 'PAID' WHERE id ="
     " (SELECT min(id) FROM orders WHERE status = 'CONFIRMED')"),
    ("stock is 7 too high", "stock adds up",
     "UPDATE products SET stock = stock + 7 WHERE id = (SELECT min(id) FROM products)"),
    ("a sale is not counted", "sales are counted once",
     "DELETE FROM product_sales WHERE product_id = (SELECT max(product_id) FROM product_sales)"),
    ("a like is counted twice", "post counts equal their rows",
     "UPDATE post_counts SET like_count = like_count + 1"
     " WHERE post_id = (SELECT min(post_id) FROM post_counts)"),
    ("a follower is missing", "both sides of a follow agree",
     "DELETE FROM followers WHERE ctid = (SELECT ctid FROM followers WHERE active LIMIT 1)"),
    ("a notification is gone", "everybody is notified once",
     "DELETE FROM notifications WHERE id ="
     " (SELECT max(id) FROM notifications WHERE kind = 'COMMENTED')"),
    ("an event was never published", "kafka has what the outboxes have",
     "INSERT INTO outbox (sink, topic, key, payload, sent_at) SELECT 1, topic, key,"
     " jsonb_set(payload::jsonb, '{version}', '9999')::text, now()"
     " FROM outbox WHERE sink = 1 LIMIT 1"),
    ("a profile went back", "bios are the last written",
     "UPDATE users SET bio = 'old' WHERE id = (SELECT max(id) FROM users WHERE bio <> '')"),
    ("a home lost a post", "timelines in redis lack nothing", None),
]


def wound(stack, statement):
    if statement is None:
        return stack.redis("EVAL", LOSE_NEWEST, "0")
    for shard in range(SHARDS):
        if stack.sql(f"shard-{shard}-primary", statement).rowcount:
            return None
    raise RuntimeError("no shard has a row for this wound")


def judged(folder, into):
    """Wrong of each law, by the checker."""
    subprocess.run(
        [sys.executable, "-m", "checker", "check", str(folder), into],
        cwd=ROOT / "load/chaos", check=False,
    )
    verdict = json.loads((folder / into).read_text())
    if verdict.get("failed"):
        raise RuntimeError(verdict["failed"])
    return {name: law["wrong"] for name, law in verdict["laws"].items()}


async def show(stack, folder, say):
    """How many of the wounds were seen."""
    before, seen = judged(folder, "wounds.json"), 0
    for name, law, statement in WOUNDS:
        wound(stack, statement)
        after = await asyncio.to_thread(judged, folder, "wounds.json")
        is_seen = after[law] > before[law]
        seen += is_seen
        say(f"{'seen' if is_seen else 'NOT SEEN'}: {name} ({law}: {before[law]}, {after[law]})")
        before = after
    say(f"wounds seen: {seen} of {len(WOUNDS)}")
    return seen == len(WOUNDS)
