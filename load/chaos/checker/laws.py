"""What must be so after every run: the rows themselves. effects.py has what follows from them.

A law says of how many it judged, and what it found.

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
