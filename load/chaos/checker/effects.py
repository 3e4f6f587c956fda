"""What follows from rows: read models, events, messages, copies, and what clients are served."""

import json
from collections import Counter, defaultdict

from .laws import law

# Read models.


@law
def post_counts_equal_their_rows(facts, judged):
    likes = facts.counted("likes", "post_id")
    comments = facts.counted("comments", "post_id")
    counts = {row["post_id"]: row for row in facts.tables["post_counts"]}
    for post in facts.tables["posts"]:
        row, number = counts.get(post["id"]), post["id"]
        judged.count()
        wanted = (likes[number], comments[number])
        held = (row["like_count"], row["comment_count"]) if row else (0, 0)
        if held != wanted:
            judged.found("effect", f"post {number}: likes and comments {held}, rows {wanted}")
        elif row and row["version"] != post["version"]:
            what = f"counted at {row['version']} of {post['version']}"
            judged.found("effect", f"post {number}: {what}")


@law
def user_counts_equal_their_rows(facts, judged):
    posts = Counter(row["author_id"] for row in facts.tables["posts"] if not row["deleted"])
    following = Counter(row["follower_id"] for row in facts.tables["follows"] if row["active"])
    followers = Counter(row["followee_id"] for row in facts.tables["follows"] if row["active"])
    counts = {row["user_id"]: row for row in facts.tables["user_counts"]}
    followed = {row["user_id"]: row["follower_count"] for row in facts.tables["follower_counts"]}
    for user in facts.tables["users"]:
        judged.count()
        number, row = user["id"], counts.get(user["id"])
        held = (row["post_count"], row["following_count"]) if row else (0, 0)
        if held != (posts[number], following[number]):
            what = f"posts and follows {held}, rows {(posts[number], following[number])}"
            judged.found("effect", f"user {number}: {what}")
        if followed.get(number, 0) != followers[number]:
            what = f"{followed.get(number, 0)} followers counted, {followers[number]} follow"
            judged.found("effect", f"user {number}: {what}")


@law
def both_sides_of_a_follow_agree(facts, judged):
    sides = [
        {(row["follower_id"], row["followee_id"]) for row in facts.tables[table] if row["active"]}
        for table in ("follows", "followers")
    ]
    judged.count(len(sides[0] | sides[1]))
    for pair in sides[0] ^ sides[1]:
        judged.found("effect", f"the follow {pair} has one side only")


@law
def everybody_is_notified_once(facts, judged):
    wanted = wanted_notifications(facts)
    held = Counter(
        (row["user_id"], row["kind"], row["actor_id"], row["subject_id"])
        for row in facts.tables["notifications"] if row["active"]
    )
    judged.count(len(wanted))
    for one in wanted - held:
        judged.found("effect", f"not notified: {one}", wanted_by(facts, one))
    for one in held - wanted:
        judged.found("effect", f"notified of nothing, or twice: {one}")


def wanted_notifications(facts):
    author = {row["id"]: row["author_id"] for row in facts.tables["posts"]}
    seller = {row["id"]: row["seller_id"] for row in facts.tables["products"]}
    wanted = Counter()
    for row in facts.tables["likes"]:
        recipient = author.get(row["post_id"])
        if recipient not in (None, row["user_id"]):
            wanted[recipient, "LIKED", row["user_id"], row["post_id"]] += 1
    for row in facts.tables["comments"]:
        recipient = author.get(row["post_id"])
        if recipient not in (None, row["author_id"]):
            wanted[recipient, "COMMENTED", row["author_id"], row["id"]] += 1
    for row in facts.tables["follows"]:
        if row["active"]:
            wanted[row["followee_id"], "FOLLOWED", row["follower_id"], 0] += 1
    for row in facts.tables["orders"]:
        if row["status"] in ("CONFIRMED", "REJECTED"):
            wanted[row["buyer_id"], f"ORDER_{row['status']}", 0, row["id"]] += 1
    for row in facts.tables["reservations"]:
        if row["status"] == "SOLD":
            wanted[seller.get(row["product_id"]), "ORDERED", 0, row["order_id"]] += 1
    return wanted


def wanted_by(facts, notification):
    _, kind, actor, subject = notification
    for op in facts.ops.values():
        if kind == "LIKED" and op.kind == "like" and (op.user, op.aim["post"]) == (actor, subject):
            return op.number
        if subject and op.made == subject and op.kind in ("comment", "order"):
            return op.number
    return None


# Events and messages.


@law
def versions_of_an_aggregate_are_in_order(facts, judged):
    """1, 2, 3 ..: a repeat is the same event again, and nothing is left out or overtaken."""
    seen = {}
    for event in facts.events:
        at = (event.topic, event.subject)
        versions = seen.setdefault(at, [])
        judged.count()
        if event.version <= len(versions):
            if versions[event.version - 1] != (event.type, event.data):
                judged.found("effect", f"{event.subject} has two events of version {event.version}")
        elif event.version != len(versions) + 1:
            judged.found("effect", f"{event.subject}: {event.version} comes after {len(versions)}")
            versions += [None] * (event.version - len(versions) - 1) + [(event.type, event.data)]
        else:
            versions.append((event.type, event.data))
    for where in facts.unreadable:
        judged.found("effect", f"{where}: no event")


@law
def kafka_has_what_the_outboxes_have(facts, judged):
    sent = {}
    for row in facts.tables["outbox"]:
        if row["sink"] == 1:
            one = json.loads(row["payload"])
            sent[one["subject"], one["version"]] = (one["type"], one["data"])
    held = {(event.subject, event.version): (event.type, event.data) for event in facts.events}
    judged.count(len(sent))
    for one in sent.keys() - held.keys():
        judged.found("effect", f"{one} was never published")
    for one in held.keys() - sent.keys():
        judged.found("effect", f"{one} was published, and no shard knows of it")
    for one in sent.keys() & held.keys():
        if sent[one] != held[one]:
            judged.found("effect", f"{one} is another event in Kafka")


# The event that each kind of row has exactly one of.
CAUSES = {
    "post": ("post.created.v1", "post_id"),
    "comment": ("post.commented.v1", "comment_id"),
    "order": ("order.placed.v1", "order_id"),
}


@law
def every_write_has_its_event_once(facts, judged):
    counts, liked = Counter(), Counter()
    identities = {(event.subject, event.version): event for event in facts.events}
    for event in identities.values():
        for kind, (name, column) in CAUSES.items():
            if event.type == name:
                counts[kind, event.data[column]] += 1
        if event.type == "post.liked.v1":
            liked[event.data["post_id"], event.data["user_id"]] += 1
    for op in facts.of_kind(*CAUSES, "like"):
        if op.verdict != "acknowledged":
            continue
        judged.count()
        events = liked[op.aim["post"], op.user] if op.kind == "like" else counts[op.kind, op.made]
        if events != 1 and (op.made or op.kind == "like"):
            kind = "doubled" if events else "lost"
            judged.found(kind, f"{op.kind} {op.number} has {events} events", op.number)


@law
def aggregates_are_at_their_last_event(facts, judged):
    last = Counter()
    for event in facts.events:
        last[event.subject] = max(last[event.subject], event.version)
    for table, noun in (("posts", "post"), ("orders", "order"), ("products", "product")):
        for row in facts.tables[table]:
            judged.count()
            version = last[f"{noun}:{row['id']}"]
            if version != row["version"]:
                what = f"{noun} {row['id']} is at {row['version']}, its last event {version}"
                judged.found("effect", what)


@law
def nothing_waits_or_was_given_up(facts, judged):
    for name, messages in facts.queues.items():
        judged.count()
        if messages:
            judged.found("effect", f"{messages} messages in {name}")
    for row in facts.tables["job_attempts"]:
        what = f"failed {row['attempts']} times: {row['last_error'][:120]}"
        judged.found("effect", f"job {row['job_id']} {what}")
    unsent = sum(1 for row in facts.tables["outbox"] if not row["sent"])
    judged.count(len(facts.tables["outbox"]))
    if unsent:
        judged.found("effect", f"{unsent} messages are unsent")


# Places and copies.


@law
def rows_are_on_the_shard_of_their_bucket(facts, judged):
    for table in ("users", "posts", "products", "orders", "comments", "notifications"):
        for row in facts.tables[table]:
            judged.count()
            shard = facts.shard_map[(row["id"] >> 12) & 1023]
            if shard != row["shard"]:
                judged.found("effect", f"{table} {row['id']} is on {row['shard']}, not {shard}")


@law
def replicas_equal_their_primaries(facts, judged):
    for name, tables in facts.replicas.items():
        judged.count()
        if tables:
            judged.found("effect", f"{name} differs: {', '.join(tables)}")


# What clients are served.


def wanted_homes(facts):
    followed = defaultdict(set)
    for row in facts.tables["follows"]:
        if row["active"]:
            followed[row["follower_id"]].add(row["followee_id"])
    posts = defaultdict(list)
    for row in facts.tables["posts"]:
        if not row["deleted"]:
            posts[row["author_id"]].append(row["id"])
    return {
        user: sorted(
            (post for author in followed[user] | {user} for post in posts[author]), reverse=True
        )
        for user in facts.world["users"]
    }


@law
def homes_are_what_their_users_follow(facts, judged):
    wanted = wanted_homes(facts)
    made = {op.made: op.number for op in facts.of_kind("post") if op.made}
    for user, home in facts.homes.items():
        judged.count()
        right = wanted[user][:len(home)] if len(home) >= 200 else wanted[user]
        if home == right:
            continue
        lacks = sorted(set(right) - set(home))
        more = sorted(set(home) - set(right))
        twice = len(home) - len(set(home))
        what = f"home of {user}: lacks {lacks[:5]}, has {more[:5]} besides, {twice} twice"
        judged.found("effect", what, made.get(lacks[0]) if lacks else None)


@law
def timelines_in_redis_lack_nothing(facts, judged):
    wanted = wanted_homes(facts)
    for user, (horizon, posts) in facts.timelines.items():
        judged.count()
        # What is there twice is shown once. A post of one's own is added when a home is read.
        own = {row["id"] for row in facts.tables["posts"] if row["author_id"] == user}
        lacks = {post for post in wanted[user] if post > horizon} - set(posts) - own
        if lacks and len(set(posts)) < 400:
            judged.found("effect", f"the timeline of {user} lacks {sorted(lacks)[:5]}")


@law
def every_server_serves_the_same_as_the_rows(facts, judged):
    likes = facts.counted("likes", "post_id")
    comments = facts.counted("comments", "post_id")
    for server, served in facts.served_posts.items():
        for number, post in served.items():
            judged.count()
            held = (post["likeCount"], post["commentCount"])
            if held != (likes[number], comments[number]):
                wanted = (likes[number], comments[number])
                judged.found("effect", f"{server}: post {number} with {held}, rows {wanted}")
    bios = {row["id"]: row["bio"] for row in facts.tables["users"]}
    followers = Counter(row["followee_id"] for row in facts.tables["follows"] if row["active"])
    for server, served in facts.served_users.items():
        for number, user in served.items():
            judged.count()
            if (user["bio"], user["followerCount"]) != (bios[number], followers[number]):
                judged.found("effect", f"{server}: user {number} is served an old profile")
