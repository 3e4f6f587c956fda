"""The checker sees: of a small world that is right, each wound breaks its law, and nothing else."""

import json
import unittest

from checker import effects, laws  # noqa: F401 (effects are laws, too)
from checker.facts import Event, Facts, Op

ALICE, BOB, SHARDS = 1 << 22, 2 << 22, [0] * 1024
POST, COMMENT, ORDER, PRODUCT = 3 << 22, 4 << 22, 5 << 22, 6 << 22


def table(*rows):
    return [row | {"shard": 0} for row in rows]


def event(topic, subject, version, kind, **data):
    return Event(topic, 0, 0, subject, version, kind, data)


def right():
    """Bob follows Alice, likes her post and comments on it, and buys three of her product."""
    post = f"post:{POST}"
    events = [
        event("posts", post, 1, "post.created.v1", post_id=POST, author_id=ALICE),
        event("posts", post, 2, "post.liked.v1", post_id=POST, user_id=BOB),
        event("posts", post, 3, "post.commented.v1", post_id=POST, comment_id=COMMENT),
        event("orders", f"order:{ORDER}", 1, "order.placed.v1", order_id=ORDER),
        event("products", f"product:{PRODUCT}", 1, "product.created.v1", product_id=PRODUCT),
    ]
    tables = {name: [] for name in (
        "product_sales", "job_attempts", "user_counts", "follower_counts", "notifications")}
    tables["users"] = table(
        {"id": ALICE, "bio": "", "version": 1}, {"id": BOB, "bio": "t/4", "version": 2})
    tables["posts"] = table(
        {"id": POST, "author_id": ALICE, "text": "t/0", "version": 3, "deleted": False})
    tables["likes"] = table({"post_id": POST, "user_id": BOB})
    tables["comments"] = table({"id": COMMENT, "post_id": POST, "author_id": BOB, "text": "t/2"})
    edge = {"follower_id": BOB, "followee_id": ALICE, "active": True}
    tables["follows"], tables["followers"] = table(edge), table(edge)
    tables["post_counts"] = table(
        {"post_id": POST, "like_count": 1, "comment_count": 1, "version": 3})
    tables["user_counts"] = table(
        {"user_id": ALICE, "post_count": 1, "following_count": 0},
        {"user_id": BOB, "post_count": 0, "following_count": 1})
    tables["follower_counts"] = table({"user_id": ALICE, "follower_count": 1})
    tables["products"] = table({"id": PRODUCT, "seller_id": ALICE, "stock": 7, "version": 1})
    tables["orders"] = table({"id": ORDER, "buyer_id": BOB, "status": "CONFIRMED", "version": 1})
    tables["order_lines"] = table({"order_id": ORDER, "product_id": PRODUCT, "quantity": 3})
    tables["payments"] = table({"order_id": ORDER, "amount": 300, "status": "CAPTURED"})
    tables["reservations"] = table(
        {"order_id": ORDER, "product_id": PRODUCT, "quantity": 3, "status": "SOLD"})
    tables["product_sales"] = table(
        {"product_id": PRODUCT, "orders": 1, "quantity": 3, "amount": 300})
    tables["notifications"] = table(*(
        {"id": number << 22, "user_id": user, "kind": kind, "actor_id": actor,
         "subject_id": subject, "active": True}
        for number, (user, kind, actor, subject) in enumerate((
            (ALICE, "LIKED", BOB, POST), (ALICE, "COMMENTED", BOB, COMMENT),
            (ALICE, "FOLLOWED", BOB, 0), (ALICE, "ORDERED", 0, ORDER),
            (BOB, "ORDER_CONFIRMED", 0, ORDER)), start=10)))
    tables["outbox"] = table(*(
        {"id": number, "sink": 1, "sent": True, "payload": json.dumps(
            {"subject": one.subject, "version": one.version, "type": one.type, "data": one.data})}
        for number, one in enumerate(events)))
    world = {
        "tag": "t", "users": [ALICE, BOB], "follows": [[BOB, ALICE]], "first_posts": [],
        "products": [{"id": PRODUCT, "stock": 10, "price": 100, "seller": ALICE}],
    }
    ops = [
        Op(0, ALICE, "post", {"text": "t/0"}, "", "acknowledged", None, POST),
        Op(1, BOB, "like", {"post": POST}, "", "acknowledged", None, POST),
        Op(2, BOB, "comment", {"post": POST, "text": "t/2"}, "", "acknowledged", None, COMMENT),
        Op(3, BOB, "order", {"product": PRODUCT, "quantity": 3}, "", "acknowledged", None, ORDER),
        Op(4, BOB, "bio", {"text": "t/4"}, "", "acknowledged", None, BOB),
    ]
    return Facts(
        world, {op.number: op for op in ops}, tables, events, [], SHARDS,
        {"shard-0-replica-1": []}, {"plaza.feed": 0}, {BOB: (0, [POST])},
        {"server-1": {POST: {"likeCount": 1, "commentCount": 1}}},
        {"server-1": {ALICE: {"bio": "", "followerCount": 1}}}, {ALICE: [POST], BOB: [POST]},
    )


def findings(facts):
    return [finding for judged in laws.judge(facts) for finding in judged.findings]


def drop(rows, **wanted):
    rows[:] = [row for row in rows if any(row[name] != value for name, value in wanted.items())]


WOUNDS = {
    "an acknowledged post is gone": (lambda f: f.tables["posts"].clear(), "lost"),
    "a post is there twice": (
        lambda f: f.tables["posts"].append(f.tables["posts"][0] | {"id": 9 << 22}), "doubled"),
    "an acknowledged like is gone": (lambda f: f.tables["likes"].clear(), "lost"),
    "an acknowledged comment is gone": (lambda f: f.tables["comments"].clear(), "lost"),
    "a refused comment is there": (lambda f: refuse(f, 2), "refused_present"),
    "a refused like is there": (lambda f: refuse(f, 1), "refused_present"),
    "an order is gone": (lambda f: f.tables["orders"].clear(), "lost"),
    "a bio went back": (lambda f: f.tables["users"][1].update(bio=""), "lost"),
    "a follow is gone": (lambda f: f.tables["follows"].clear(), "lost"),
    "a payment is gone": (lambda f: f.tables["payments"].clear(), "effect"),
    "an order was paid twice": (
        lambda f: f.tables["payments"].append(f.tables["payments"][0]), "effect"),
    "an order never ended": (lambda f: f.tables["orders"][0].update(status="PAID"), "effect"),
    "stock is one too many": (lambda f: f.tables["products"][0].update(stock=8), "effect"),
    "a sale is not counted": (lambda f: f.tables["product_sales"].clear(), "effect"),
    "a like is counted twice": (
        lambda f: f.tables["post_counts"][0].update(like_count=2), "effect"),
    "a follower is missing": (lambda f: f.tables["followers"].clear(), "effect"),
    "a notification is missing": (
        lambda f: drop(f.tables["notifications"], kind="LIKED"), "effect"),
    "a notification came twice": (
        lambda f: f.tables["notifications"].append(f.tables["notifications"][0]), "effect"),
    "an event is missing": (lambda f: f.events.pop(2), "effect"),
    "events are out of order": (lambda f: f.events.insert(0, f.events.pop(1)), "effect"),
    "two events have one version": (
        lambda f: f.events.append(event(
            "posts", f"post:{POST}", 2, "post.liked.v1", post_id=POST, user_id=ALICE)),
        "effect"),
    "an event of no shard": (
        lambda f: f.events.append(event("posts", "post:99", 1, "post.created.v1", post_id=99)),
        "effect"),
    "a message is unsent": (lambda f: f.tables["outbox"][0].update(sent=False), "effect"),
    "a job was given up": (lambda f: f.queues.update({"plaza.feed.dead": 1}), "effect"),
    "a row is on another shard": (lambda f: f.tables["posts"][0].update(shard=1), "effect"),
    "a replica differs": (lambda f: f.replicas.update({"shard-0-replica-1": ["posts"]}), "effect"),
    "a home lacks a post": (lambda f: f.homes[BOB].clear(), "effect"),
    "a home has a post twice": (lambda f: f.homes[BOB].append(POST), "effect"),
    "a timeline lacks a post": (lambda f: f.timelines.update({BOB: (0, [])}), "effect"),
    "a server serves an old count": (
        lambda f: f.served_posts["server-1"][POST].update(likeCount=0), "effect"),
    "a server serves an old profile": (
        lambda f: f.served_users["server-1"][ALICE].update(bio="old"), "effect"),
}


def refuse(facts, number):
    facts.ops[number].verdict, facts.ops[number].code = "refused", "TIMEOUT"


class Laws(unittest.TestCase):
    def test_nothing_is_found_where_all_is_right(self):
        self.assertEqual(findings(right()), [])

    def test_each_wound_is_seen(self):
        for name, (wound, kind) in WOUNDS.items():
            with self.subTest(name):
                facts = right()
                wound(facts)
                kinds = {finding["kind"] for finding in findings(facts)}
                self.assertIn(kind, kinds)

    def test_what_is_unknown_may_be_there_once_or_not(self):
        for is_there in (True, False):
            facts = right()
            facts.ops[1].verdict = "unknown"
            if not is_there:
                facts.tables["likes"].clear()
            kinds = {finding["kind"] for finding in findings(facts)}
            self.assertTrue(kinds <= {"effect"})

    def test_a_later_unknown_write_may_have_overwritten_an_acknowledged_one(self):
        facts = right()
        facts.ops[5] = Op(5, BOB, "bio", {"text": "t/5"}, "")
        self.assertEqual(findings(facts), [])
        facts.tables["users"][1]["bio"] = "t/5"
        self.assertEqual(findings(facts), [])

    def test_a_finding_names_the_operation_that_it_is_about(self):
        facts = right()
        facts.tables["likes"].clear()
        lost = [finding for finding in findings(facts) if finding["kind"] == "lost"]
        self.assertEqual([finding["op"] for finding in lost], [1])
