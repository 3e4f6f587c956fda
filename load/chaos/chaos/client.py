"""A user's client: a token, what it has seen, and requests repeated as a real client does."""

import asyncio
import random
import time

from .http import Broken
from .operations import HOME, MUTATIONS, OWN, code_of, number_of, verdict_of

REQUEST_S = 10
# After that nobody waits for an answer any more; the end of a run asks once more.
ASKING_S = 45


class Client:
    def __init__(self, connections, record, token, number):
        self.connections, self.record = connections, record
        self.token, self.number = token, number
        self.consistency = {}
        # Posts of its own that were acknowledged, and what its home has shown, with the authors.
        self.own, self.seen = set(), {}
        self.bio = None

    async def send(self, query, variables, key=None):
        headers = {"accept": "application/graphql-response+json, application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if key:
            headers["idempotency-key"] = key
        if self.consistency:
            headers["plaza-consistency"] = ",".join(self.consistency)
        body = {"query": query, "variables": variables}
        answer = await self.connections.post("/graphql", body, headers, REQUEST_S)
        status, answered, content = answer
        if token := answered.get("plaza-consistency"):
            self.learn(token)
        return status, content

    def learn(self, token):
        """The last few: requests run side by side, and each answer knows of its own writes."""
        self.consistency.pop(token, None)
        self.consistency[token] = None
        while len(self.consistency) > 4:
            self.consistency.pop(next(iter(self.consistency)))

    async def attempt(self, op, attempt, query, given, key):
        began = time.monotonic()
        try:
            status, content = await self.send(query, {"input": given}, key)
            verdict, code, done = verdict_of(status, content)
        except Broken as broken:
            verdict, code, done = "unknown", f"NO_RESPONSE_{broken}", None
        ms = round((time.monotonic() - began) * 1000, 1)
        self.record.attempt(op=op, attempt=attempt, verdict=verdict, code=code, ms=ms)
        return verdict, code, done

    async def mutate(self, op, kind, given, key, asking_s=ASKING_S, was_unknown=False):
        """Asks under one key until it is known what became of it, or for so many seconds.

        Once an attempt is unknown, a later one that was refused without having begun says nothing
        about it; a business error does, since it is given only where the key is free."""
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            verdict, code, done = await self.attempt(op, attempt, MUTATIONS[kind][1], given, key)
            if verdict == "refused" and was_unknown and not code.startswith("USER_"):
                verdict = "unknown"
            if verdict != "unknown":
                break
            was_unknown = True
            pause = random.uniform(0.5, 1) * min(0.25 * 2**attempt, 4)
            if time.monotonic() - began + pause > asking_s:
                break
            await asyncio.sleep(pause)
        made = ((done or {}).get("made") or {}).get("id")
        ms = round((time.monotonic() - began) * 1000, 1)
        number = number_of(made) if isinstance(made, str) else None
        self.record.verdict(op, verdict=verdict, code=code, id=number, ms=ms)
        return verdict, done

    async def again(self, kind, given, key, made):
        """The same mutation under the same key: the same answer, whatever became of it since."""
        began = time.monotonic()
        try:
            status, content = await self.send(MUTATIONS[kind][1], {"input": given}, key)
            verdict, code, done = verdict_of(status, content)
        except Broken as broken:
            verdict, code, done = "unknown", f"NO_RESPONSE_{broken}", None
        is_done = verdict == "acknowledged"
        other = is_done and (done["made"] or {}).get("id") not in (made, None)
        ms = round((time.monotonic() - began) * 1000, 1)
        # A business error is an answer, and another one.
        is_other = other or (code or "").startswith("USER_")
        self.record.read(
            user=self.number, of=f"again {kind}", complete=is_done, code=code,
            stale=[key] if is_other else [], ms=ms,
        )

    async def read(self, of, query, variables, stale):
        """A read is complete without errors beside it; `stale` says what its data lacks."""
        began = time.monotonic()
        try:
            status, content = await self.send(query, variables)
            code = code_of(content) if isinstance(content, dict) else f"HTTP_{status}"
        except Broken as broken:
            content, code = None, f"NO_RESPONSE_{broken}"
        ms = round((time.monotonic() - began) * 1000, 1)
        lacks = []
        if code is None:
            try:
                lacks = stale(content["data"])
            except (KeyError, TypeError):
                code = "NO_DATA"
        self.record.read(
            user=self.number, of=of, complete=code is None, code=code, stale=lacks, ms=ms
        )

    async def read_home(self, changing):
        """The newest page. It never lacks what this client wrote or was shown before, but for posts
        of those whom it begins and ends to follow meanwhile."""
        own, seen = set(self.own), dict(self.seen)

        def stale(data):
            home = data["viewer"]["home"]
            nodes = [edge["node"] for edge in home["edges"]]
            posts = {number_of(node["id"]): node["author"] for node in nodes}
            oldest = min(posts, default=0) if home["pageInfo"]["hasNextPage"] else 0
            lacks = [post for post in own if post > oldest and post not in posts]
            lacks += [
                post for post, author in seen.items()
                if post > oldest and post not in posts and author not in changing
            ]
            for post, author in posts.items():
                self.seen[post] = number_of(author["id"]) if author else 0
            if len(nodes) != len(posts):
                lacks.append("twice")
            return sorted(set(lacks), key=str)

        await self.read("home", HOME, {}, stale)

    async def read_own(self, kind, made, wanted):
        """What this client has just been told is done."""

        def stale(data):
            if kind == "post":
                posts = data["viewer"]["user"]["posts"]["edges"]
                return [] if made in [edge["node"]["id"] for edge in posts] else [made]
            if kind == "bio":
                return [] if data["viewer"]["user"]["bio"] == wanted else [wanted]
            if kind in ("follow", "unfollow"):
                is_right = (data["node"] or {}).get("viewerIsFollowing") == (kind == "follow")
                return [] if is_right else [kind]
            if kind == "like":
                return [] if (data["post"] or {}).get("viewerHasLiked") else [made]
            return [] if data["node" if kind == "comment" else "order"] else [made]

        await self.read(f"own {kind}", OWN[kind], {"id": made}, stale)
