"""Sends what the plan says, when it says so, whatever became of what was sent before."""

import asyncio
import time

from .operations import global_id, number_of
from .plan import FIRST_POSTS

# More at a time than a real crowd would leave open.
MOST_AT_ONCE = 600


class Workload:
    def __init__(self, plan, world, clients, record):
        self.plan, self.world, self.clients, self.record = plan, world, clients, record
        self.tasks, self.held = set(), set()
        # Posts by what made them, and operations of which nobody knows what became.
        self.posts = {("first", n): post for n, post in enumerate(world["first_posts"])}
        self.open = {}
        self.changing = self.pairs_that_change()
        # Faults of this program.
        self.errors = []

    def pairs_that_change(self):
        changing = {user: set() for user in range(len(self.clients))}
        for op in self.plan.ops:
            if op.kind == "follow":
                changing[op.user].add(self.world["users"][op.aim["user"]])
        return changing

    async def run(self, began):
        for op in self.plan.ops:
            if (wait := began + op.at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if len(self.tasks) >= MOST_AT_ONCE:
                self.record.line("left out", op=op.number, why="too many wait for answers")
                continue
            task = asyncio.ensure_future(self.one(op))
            self.tasks.add(task)
            task.add_done_callback(self.ended)
        while self.tasks:
            await asyncio.wait(self.tasks)

    def ended(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.errors.append(f"{type(error).__name__}: {error}")

    async def one(self, op):
        client = self.clients[op.user]
        if op.kind == "home":
            return await client.read_home(self.changing[op.user])
        given = self.input(op)
        if given is None:
            return self.record.line("left out", op=op.number, why="what it is about is not there")
        register = self.register(op)
        # One after the other what overwrites the other, or nobody could say which came last.
        if register in self.held:
            return self.record.line("left out", op=op.number, why="the one before is open")
        if register:
            self.held.add(register)
        await self.write(op, client, given)
        if register and op.number not in self.open:
            self.held.discard(register)

    async def write(self, op, client, given):
        key = self.key(op)
        self.record.line(
            "intent", op=op.number, user=op.user, kind=op.kind, aim=self.aim(op), key=key
        )
        verdict, done = await client.mutate(op.number, op.kind, given, key)
        if verdict == "unknown":
            self.open[op.number] = (op, client, given)
        if verdict == "acknowledged":
            made = (done["made"] or {}).get("id")
            self.remember(op, client, made)
            if op.read_after and made:
                await client.read_own(op.kind, made, given.get("bio"))
            if op.again:
                await client.again(op.kind, given, key, made)

    async def settle(self, asking_s=40):
        """Once all is healed: what became of those that are open?"""
        late, self.open = self.open, {}

        async def ask(op, client, given):
            verdict, done = await client.mutate(
                op.number, op.kind, given, self.key(op), asking_s, was_unknown=True
            )
            if verdict == "acknowledged":
                self.remember(op, client, (done["made"] or {}).get("id"))

        await asyncio.gather(*(ask(*one) for one in late.values()))
        return len(late)

    def remember(self, op, client, made):
        if op.kind == "post" and made:
            self.posts["op", op.number] = number_of(made)
            client.own.add(number_of(made))

    def key(self, op):
        return f"{self.world['tag']}-{op.number}"

    def register(self, op):
        """What an operation overwrites."""
        if op.kind == "bio":
            return ("bio", op.user)
        if op.kind in ("follow", "unfollow"):
            return ("follow", op.user, op.aim["user"])
        return None

    def aim(self, op):
        """The aim in ids: all that the checker is to know."""
        aim = dict(op.aim)
        if "post" in aim:
            aim["post"] = self.posts[tuple(aim["post"])]
        if "user" in aim:
            aim["user"] = self.world["users"][aim["user"]]
        if "product" in aim:
            aim["product"] = self.world["products"][aim["product"]]["id"]
        if op.kind in ("post", "comment", "bio"):
            aim["text"] = self.text(op)
        return aim

    def text(self, op):
        return f"{self.world['tag']}/{op.number}"

    def input(self, op):
        """As the schema wants it; nothing when what it is about was never made."""
        if "post" in op.aim and tuple(op.aim["post"]) not in self.posts:
            return None
        aim = self.aim(op)
        if op.kind == "post":
            return {"text": aim["text"]}
        if op.kind == "bio":
            return {"bio": aim["text"]}
        if op.kind == "comment":
            return {"postId": global_id("Post", aim["post"]), "text": aim["text"]}
        if op.kind == "like":
            return {"postId": global_id("Post", aim["post"])}
        if op.kind == "order":
            line = {"productId": global_id("Product", aim["product"]), "quantity": aim["quantity"]}
            return {"lines": [line]}
        return {"userId": global_id("User", aim["user"])}


def first_posts(people):
    return [(person, number) for person in range(people) for number in range(FIRST_POSTS)]
