"""`python -m checker drain FOLDER`, then `python -m checker check FOLDER [NAME]`.

Writes drained.json and verdict.json (or NAME) there; ends with 1 unless all is well."""

import json
import sys
import time
from pathlib import Path

from . import drain, effects, graphql, laws  # noqa: F401 (effects are laws, too)
from .facts import Facts, operations, parse_events
from .stores import Stores


def gather(folder, stores):
    world = stores.world
    ops = operations(folder / "intents.jsonl", world["users"])
    records = stores.events()
    events, unreadable = parse_events(records)
    facts = Facts(world, ops, stores.tables(), events, unreadable, stores.shard_map())
    facts.replicas, facts.queues = stores.replicas(), stores.queues()
    facts.timelines = stores.timelines()
    serve(facts, stores)
    return facts


def serve(facts, stores):
    """What each server says, past nginx."""
    posts = sorted((row["id"] for row in facts.tables["posts"]), reverse=True)[:400]
    users, tokens = facts.world["users"], facts.world["tokens"]
    for name in ("server-1", "server-2"):
        server = graphql.Server(stores.ports[name], tokens[0])
        facts.served_posts[name] = server.nodes(graphql.POSTS, "Post", posts)
        facts.served_users[name] = server.nodes(graphql.USERS, "User", users)
    for place, user in enumerate(users):
        name = ("server-1", "server-2")[place % 2]
        facts.homes[user] = graphql.Server(stores.ports[name], tokens[place]).home()


def verdict_of(judged):
    return {
        "laws": {one.name: {"of": one.of, "wrong": len(one.findings)} for one in judged},
        "findings": [finding for one in judged for finding in one.findings],
    }


def check(folder, stores):
    began = time.monotonic()
    try:
        verdict = verdict_of(laws.judge(gather(folder, stores)))
    except Exception as error:
        # A checker that could not look has found nothing, which is no verdict.
        verdict = {"laws": {}, "findings": [], "failed": f"{type(error).__name__}: {error}"}
    verdict["seconds"] = round(time.monotonic() - began, 1)
    return "verdict.json", verdict, not verdict["findings"] and "failed" not in verdict


def main():
    step, folder = sys.argv[1], Path(sys.argv[2])
    world = json.loads((folder / "world.json").read_text())
    stores = Stores(world)
    if step == "drain":
        drained = drain.wait(stores)
        name, value, is_well = "drained.json", drained, drained["drained"]
    else:
        name, value, is_well = check(folder, stores)
        name = sys.argv[3] if len(sys.argv) > 3 else name
    (folder / name).write_text(json.dumps(value, indent=1))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
