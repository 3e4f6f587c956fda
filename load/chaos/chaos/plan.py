"""What a run will do, from its seed alone: whom it has, what each sends when, what breaks when.

Two runs of one seed and the same settings send the same operations under the same keys at the same
seconds, and break the same things. What is aimed at something that an earlier operation should have
made (a like of a post) names that operation; if that was not acknowledged by then, it is left out,
and the log says so."""

import random
from dataclasses import asdict, dataclass, field

from . import faults

PRODUCTS = 12
SCARCE = 2
STOCK, SCARCE_STOCK = 100_000, 60
FIRST_POSTS = 2
FOLLOWS = 6
# A post is aimed at once it has had so many seconds to be acknowledged.
SETTLED_S = 12
READ_AFTER = 0.6
# What was acknowledged is sent again under its key, as by a client that lost the answer.
AGAIN = 0.05
WRITES = {"post": 26, "like": 26, "comment": 17, "order": 15, "bio": 7, "follow": 9}


@dataclass
class Settings:
    """How much of it."""

    seed: int
    rate: float = 40
    people: int = 36
    write_share: float = 0.4
    before_s: float = 15
    after_s: float = 30
    minutes: float = 0
    fault: str | None = None
    at_once: int = 1
    quick: bool = False


@dataclass
class Op:
    """One operation: an intent when it writes."""

    number: int
    at: float
    user: int
    kind: str
    aim: dict = field(default_factory=dict)
    read_after: bool = False
    again: bool = False


@dataclass
class Broken:
    """One fault: from when until when, and what it is aimed at."""

    name: str
    at: float
    until: float
    aim: dict


@dataclass
class Plan:
    settings: Settings
    follows: list
    ops: list
    broken: list
    ends_at: float

    def as_dict(self):
        return asdict(self)


def make(settings):
    chance = random.Random(settings.seed)
    broken, ends_at = schedule(settings, random.Random(chance.random()))
    follows = graph(settings.people, random.Random(chance.random()))
    ops = workload(settings, follows, ends_at, random.Random(chance.random()))
    return Plan(settings, follows, ops, broken, ends_at)


def schedule(settings, chance):
    """One fault after the other, each with quiet after it; all of it in whole seconds."""
    names = chosen(settings, chance)
    broken, now = [], settings.before_s
    while names:
        together, names = names[:settings.at_once], names[settings.at_once:]
        lasts = max(seconds_of(settings, name) for name in together)
        for name in together:
            until = now + seconds_of(settings, name)
            broken.append(Broken(name, now, until, faults.CATALOGUE[name].aim(chance)))
        now += lasts + settings.after_s
    return broken, now


def seconds_of(settings, name):
    seconds = faults.CATALOGUE[name].seconds
    return min(seconds, 15) if settings.quick else seconds


def chosen(settings, chance):
    if settings.fault == "all":
        return list(faults.CATALOGUE)
    if settings.fault:
        return settings.fault.split(",")
    # Each kind once before any comes again.
    names, pile, seconds = [], [], settings.minutes * 60 - settings.before_s
    while True:
        if not pile:
            pile = [fault.name for fault in faults.CATALOGUE.values() if fault.in_campaigns]
            chance.shuffle(pile)
        name = pile.pop()
        seconds -= (seconds_of(settings, name) + settings.after_s) / settings.at_once
        if seconds < 0 and names:
            return names
        names.append(name)


def graph(people, chance):
    """Who follows whom from the beginning to the end, by place."""
    pairs = []
    for follower in range(people):
        others = [other for other in range(people) if other != follower]
        pairs += [(follower, followee) for followee in chance.sample(others, FOLLOWS)]
    return pairs


class Aims:
    """What operations may be aimed at."""

    def __init__(self, settings, follows, chance):
        self.people, self.chance = settings.people, chance
        self.fixed = set(map(tuple, follows))
        self.posts = [("first", number) for number in range(settings.people * FIRST_POSTS)]
        self.made = []
        self.liked, self.following, self.bought = set(), {}, {}

    def settle(self, now):
        while self.made and self.made[0][0] + SETTLED_S <= now:
            self.posts.append(("op", self.made.pop(0)[1]))

    def post(self):
        # Half of it about what is new.
        recent = self.posts[-60:] if self.chance.random() < 0.5 else self.posts
        return list(self.chance.choice(recent))

    def like(self, user):
        for _ in range(20):
            post = self.post()
            if (user, *post) not in self.liked:
                self.liked.add((user, *post))
                return {"post": post}
        return None

    def follow(self, user):
        """One of a few pairs a user begins and ends following, in turns."""
        pairs = [(user + step) % self.people for step in (7, 11)]
        pairs = [other for other in pairs if (user, other) not in self.fixed and other != user]
        if not pairs:
            return None
        other = self.chance.choice(pairs)
        kind = "unfollow" if self.following.get((user, other)) else "follow"
        self.following[user, other] = kind == "follow"
        return kind, {"user": other}

    def order(self, user):
        """No two orders of a buyer for a product have the same quantity: it tells them apart."""
        product = self.chance.randrange(PRODUCTS)
        if product % self.people == user:
            product = (product + 1) % PRODUCTS
        quantity = self.bought.get((user, product), 0) + 1
        self.bought[user, product] = quantity
        return {"product": product, "quantity": quantity}


def workload(settings, follows, ends_at, chance):
    aims = Aims(settings, follows, chance)
    ops, kinds, weights = [], list(WRITES), list(WRITES.values())
    count = int(ends_at * settings.rate)
    for number in range(count):
        at = round(number / settings.rate, 4)
        aims.settle(at)
        user = chance.randrange(settings.people)
        if chance.random() >= settings.write_share:
            ops.append(Op(number, at, user, "home"))
            continue
        kind = chance.choices(kinds, weights)[0]
        aim = aimed(aims, kind, user)
        if aim is None:
            kind, aim = "post", {}
        elif isinstance(aim, tuple):
            kind, aim = aim
        if kind == "post":
            aims.made.append((at, number))
        read_after, again = chance.random() < READ_AFTER, chance.random() < AGAIN
        ops.append(Op(number, at, user, kind, aim, read_after, again))
    return ops


def aimed(aims, kind, user):
    if kind == "like":
        return aims.like(user)
    if kind == "follow":
        return aims.follow(user)
    if kind == "order":
        return aims.order(user)
    return {"post": aims.post()} if kind == "comment" else {}
