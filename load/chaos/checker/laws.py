"""What must be so after every run. A law yields its findings, and says of how many it judged.

Kinds: `lost` (acknowledged, and not there), `doubled`, `refused_present` (refused, and there), and
`effect` for all that follows from rows and does not follow."""

from collections import Counter, defaultdict

LAWS = []


def law(function):
    LAWS.append(function)
    return function


class Judged:
    """How many a law looked at, and what it found."""

    def __init__(self, name):
        self.name, self.of, self.findings = name, 0, []

    def count(self, number=1):
        self.of += number

    def found(self, kind, what, op=None):
        self.findings.append({"law": self.name, "kind": kind, "op": op, "what": what})


def judge(facts):
    all_judged = []
    for function in LAWS:
        judged = Judged(function.__name__.replace("_", " "))
        function(facts, judged)
        all_judged.append(judged)
    return all_judged


def present(judged, op, rows, what):
    """The law of one intent and the rows that are its own."""
    judged.count()
    where = f"{op.kind} {op.number} ({op.verdict}{' ' + op.code if op.code else ''})"
    if len(rows) > 1:
        judged.found("doubled", f"{where}: {len(rows)} {what}", op.number)
    if op.verdict == "acknowledged" and not rows:
        judged.found("lost", f"{where}: no {what}", op.number)
    if op.verdict == "refused" and rows:
        judged.found("refused_present", f"{where}: there is a {what}", op.number)


# Rows, each once.


def texts(facts, judged, kind, table):
    rows = facts.by(table, "text")
    for op in facts.of_kind(kind):
        own = rows.pop((op.aim["text"],), [])
        present(judged, op, own, f"row in {table}")
        if op.verdict == "acknowledged" and op.made and own and own[0]["id"] != op.made:
            judged.found("lost", f"{kind} {op.number}: its id was said to be {op.made}", op.number)
        if own and own[0]["author_id"] != op.user:
            judged.found("effect", f"{kind} {op.number} is another's", op.number)
    for (text,), strangers in rows.items():
        if text.startswith(f"{facts.world['tag']}/"):
            judged.found("effect", f"{len(strangers)} {table} of no intent: {text}")


@law
def posts_are_there_once(facts, judged):
    texts(facts, judged, "post", "posts")
    rows = {row["id"] for row in facts.tables["posts"]}
    for post in facts.world["first_posts"]:
        judged.count()
        if post not in rows:
            judged.found("lost", f"post {post} from before the run")


@law
def comments_are_there_once(facts, judged):
    texts(facts, judged, "comment", "comments")


@law
def likes_are_there_once(facts, judged):
    rows = facts.by("likes", "post_id", "user_id")
    for op in facts.of_kind("like"):
        present(judged, op, rows.pop((op.aim["post"], op.user), []), "like")
    users = set(facts.world["users"])
    for post, user in rows:
        if user in users:
            judged.found("effect", f"a like of no intent: {user} likes {post}")


def last_of_register(ops, before):
    """What an overwritten value may be in the end: the last acknowledged one, or what of those
    after it nobody knows. And what was refused."""
    allowed, refused = {before}, set()
    last = None
    for op, value in ops:
        if op.verdict == "acknowledged":
            allowed, last = {value}, op
        elif op.verdict == "unknown":
            allowed.add(value)
        else:
            refused.add(value)
    return allowed, refused - allowed, last


def register(judged, ops, before, value, what):
    judged.count()
    allowed, refused, last = last_of_register(ops, before)
    if value in allowed:
        return
    numbers = [op.number for op, given in ops if given == value]
    kind = "refused_present" if value in refused else "lost"
    op = numbers[-1] if kind == "refused_present" and numbers else last and last.number
    judged.found(kind, f"{what} is {value!r}, may be {sorted(map(str, allowed))}", op)


@law
def bios_are_the_last_written(facts, judged):
    of_user = defaultdict(list)
    for op in facts.of_kind("bio"):
        of_user[op.user].append((op, op.aim["text"]))
    bios = {row["id"]: row["bio"] for row in facts.tables["users"]}
    for user, ops in of_user.items():
        register(judged, ops, "", bios.get(user), f"the bio of {user}")


@law
def follows_are_the_last_written(facts, judged):
    rows = facts.by("follows", "follower_id", "followee_id")
    of_pair = defaultdict(list)
    for op in facts.of_kind("follow", "unfollow"):
        of_pair[op.user, op.aim["user"]].append((op, op.kind == "follow"))
    for pair in map(tuple, facts.world["follows"]):
        of_pair[pair] = []
    fixed = set(map(tuple, facts.world["follows"]))
    for pair, ops in of_pair.items():
        own = rows.get(pair, [])
        if len(own) > 1:
            judged.found("doubled", f"{len(own)} rows of the follow {pair}")
        is_active = bool(own) and own[0]["active"]
        register(judged, ops, pair in fixed, is_active, f"the follow {pair}")


# Orders, money and stock.


def lines_of(facts):
    """Orders by buyer, product and quantity: no two intents have all three alike."""
    orders = {row["id"]: row for row in facts.tables["orders"]}
    found = defaultdict(list)
    for line in facts.tables["order_lines"]:
        order = orders.get(line["order_id"])
        if order:
            found[order["buyer_id"], line["product_id"], line["quantity"]].append(order)
    return found


@law
def orders_are_there_once(facts, judged):
    found = lines_of(facts)
    for op in facts.of_kind("order"):
        own = found.pop((op.user, op.aim["product"], op.aim["quantity"]), [])
        present(judged, op, own, "order")
    for (buyer, product, quantity), orders in found.items():
        judged.found("effect", f"{len(orders)} orders of no intent: {buyer}, {product}, {quantity}")


@law
def orders_end_with_their_money_and_stock(facts, judged):
    payments, reserved = facts.by("payments", "order_id"), facts.by("reservations", "order_id")
    lines = facts.by("order_lines", "order_id")
    owner = {op.made: op.number for op in facts.of_kind("order") if op.made}
    for order in facts.tables["orders"]:
        judged.count()
        number, status = order["id"], order["status"]
        paid = [one["status"] for one in payments.get((number,), [])]
        held = sorted(one["status"] for one in reserved.get((number,), []))
        where = f"order {number}, {status}: payments {paid}, stock {held}"
        is_right = {
            "CONFIRMED": len(paid) == 1 and held == ["SOLD"] * len(lines[(number,)]),
            "REJECTED": not paid and "SOLD" not in held and "HELD" not in held,
            "CANCELLED": "SOLD" not in held and "HELD" not in held,
        }.get(status, False)
        if not is_right:
            judged.found("effect", where, owner.get(number))


@law
def stock_adds_up(facts, judged):
    taken = Counter()
    for row in facts.tables["reservations"]:
        if row["status"] in ("HELD", "SOLD"):
            taken[row["product_id"]] += row["quantity"]
    rows = {row["id"]: row for row in facts.tables["products"]}
    for product in facts.world["products"]:
        judged.count()
        row = rows.get(product["id"])
        if row is None:
            judged.found("lost", f"product {product['id']}")
        elif row["stock"] < 0 or row["stock"] + taken[product["id"]] != product["stock"]:
            what = f"{row['stock']} in stock, {taken[product['id']]} taken of {product['stock']}"
            judged.found("effect", f"product {product['id']}: {what}")


@law
def sales_are_counted_once(facts, judged):
    wanted = defaultdict(lambda: [0, 0, 0])
    price = {product["id"]: product["price"] for product in facts.world["products"]}
    for row in facts.tables["reservations"]:
        if row["status"] == "SOLD" and row["product_id"] in price:
            of = wanted[row["product_id"]]
            of[0] += 1
            of[1] += row["quantity"]
            of[2] += row["quantity"] * price[row["product_id"]]
    held = {row["product_id"]: row for row in facts.tables["product_sales"]}
    for product in price:
        judged.count()
        row = held.get(product)
        counted = [row["orders"], row["quantity"], row["amount"]] if row else [0, 0, 0]
        if counted != wanted[product]:
            judged.found("effect", f"sales of {product}: {counted}, sold {wanted[product]}")


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
    import json

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
