#!/usr/bin/env python3
"""What a drill's clients were answered, against the rows of all shards: see infra/local/drill-restore.

compare.py LOG BEGAN ENDED PSQL..: every mutation that was acknowledged before the cut began must be in the rows, and none that was sent after the
cut had ended. PSQL.. is a command for each shard, with `--` between them, that reads SQL from its standard input and prints rows as a|b.
"""
import json
import subprocess
import sys
from collections import Counter

LOG, BEGAN, ENDED = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])

# By kind: the rows that a mutation of it leaves, by whom and what it made.
ROWS = {
    "signUp": "SELECT id, id FROM users",
    "post": "SELECT author_id, id FROM posts WHERE NOT deleted",
    "comment": "SELECT author_id, id FROM comments",
    "like": "SELECT user_id, post_id FROM likes",
    "follow": "SELECT follower_id, followee_id FROM follows WHERE active",
    "product": "SELECT seller_id, id FROM products",
    "order": "SELECT buyer_id, id FROM orders",
}


def commands(words):
    command = []
    for word in words + ["--"]:
        if word != "--":
            command.append(word)
        elif command:
            yield command
            command = []


def rows():
    found = {kind: set() for kind in ROWS}
    query = "".join("SELECT '%s', r.* FROM (%s) r;\n" % (kind, select) for kind, select in ROWS.items())
    for command in commands(sys.argv[4:]):
        printed = subprocess.run(command, input=query, stdout=subprocess.PIPE, text=True, check=True).stdout
        for line in printed.splitlines():
            kind, by, made = line.split("|")
            found[kind].add((int(by), int(made)))
    return found


def main():
    found = rows()
    before, lost, after, ghosts, between = Counter(), Counter(), Counter(), Counter(), 0
    mutations = [json.loads(line) for line in open(LOG)]
    # The same like or follow may be sent twice: what counts is whether any of them was before.
    early = {(m["kind"], m["by"], m.get("made")) for m in mutations if m["began"] <= ENDED}
    for mutation in mutations:
        kind, key = mutation["kind"], (mutation["by"], mutation.get("made"))
        there = key in found[kind]
        if mutation["acknowledged"] and mutation["ended"] < BEGAN:
            before[kind] += 1
            lost[kind] += not there
        elif mutation["began"] > ENDED:
            if (kind, *key) not in early:
                after[kind] += 1
                ghosts[kind] += there
        else:
            between += 1
    for kind in ROWS:
        print("%-8s acknowledged before the cut %6d, lost %d; sent after it %6d, there %d"
              % (kind, before[kind], lost[kind], after[kind], ghosts[kind]))
    print("neither before nor after: %d" % between)
    sys.exit(1 if sum(lost.values()) or sum(ghosts.values()) or not sum(before.values()) else 0)


main()
