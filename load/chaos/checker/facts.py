"""All that a law may ask, read once."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Op:
    """An intent, and what its client was told in the end (`unknown` when nothing)."""

    number: int
    user: int
    kind: str
    aim: dict
    key: str
    verdict: str = "unknown"
    code: str | None = None
    made: int | None = None


def operations(path, users):
    """Every intent that was written before the run ended, in order; `user` is the user's id."""
    ops = {}
    with open(path, encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            if entry["what"] == "intent":
                ops[entry["op"]] = Op(
                    entry["op"], users[entry["user"]], entry["kind"], entry["aim"], entry["key"]
                )
            elif entry["what"] == "verdict":
                op = ops[entry["op"]]
                op.verdict, op.code, op.made = entry["verdict"], entry["code"], entry["id"]
    return ops


@dataclass
class Event:
    topic: str
    partition: int
    offset: int
    subject: str
    version: int
    type: str
    data: dict


@dataclass
class Facts:
    world: dict
    ops: dict
    tables: dict
    events: list = field(default_factory=list)
    unreadable: list = field(default_factory=list)
    shard_map: list = field(default_factory=list)
    replicas: dict = field(default_factory=dict)
    queues: dict = field(default_factory=dict)
    timelines: dict = field(default_factory=dict)
    # By server, then by id.
    served_posts: dict = field(default_factory=dict)
    served_users: dict = field(default_factory=dict)
    homes: dict = field(default_factory=dict)

    def by(self, table, *columns):
        """A table's rows by some of their columns."""
        index = defaultdict(list)
        for row in self.tables[table]:
            index[tuple(row[column] for column in columns)].append(row)
        return index

    def of_kind(self, *kinds):
        return [op for op in self.ops.values() if op.kind in kinds]

    def counted(self, table, column):
        return Counter(row[column] for row in self.tables[table])


def parse_events(records):
    """Records as events, and those that are none."""
    events, unreadable = [], []
    for topic, partition, offset, _, value in records:
        try:
            one = json.loads(value)
            event = Event(
                topic, partition, offset, one["subject"], one["version"], one["type"], one["data"]
            )
        except (ValueError, KeyError, TypeError):
            unreadable.append(f"{topic}/{partition} at {offset}")
            continue
        events.append(event)
    return events, unreadable
