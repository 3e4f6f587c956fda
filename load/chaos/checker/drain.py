"""Waits until nothing is on its way any more: three equal readings, two seconds apart."""

import time

LONGEST_S = 120
APART_S = 2
OPEN_ORDERS = (
    "SELECT count(*) AS n FROM orders WHERE status IN ('PENDING', 'RESERVED', 'PAID', 'REFUNDING')"
)


def reading(stores):
    """What waits where; everything 0 when nothing does."""
    waits = {"unsent": 0, "orders": 0, "behind": 0}
    consumer = stores.consumer()
    ends = {at: end for at, (_, end) in stores.ends(consumer).items()}
    consumer.close()
    offsets = {}
    for shard in range(4):
        name = f"shard-{shard}-primary"
        waits["unsent"] += stores.rows(
            name, "SELECT count(*) AS n FROM outbox WHERE sent_at IS NULL")[0]["n"]
        waits["orders"] += stores.rows(name, OPEN_ORDERS)[0]["n"]
        for row in stores.rows(name, "SELECT * FROM projection_offsets"):
            at = (row["projection"], row["topic"], row["partition"], shard)
            offsets[at] = min(row["next_offset"], row["effects_offset"])
    waits["behind"] = behind(offsets, ends)
    queues = stores.queues()
    waits["jobs"] = sum(n or 0 for name, n in queues.items() if not name.endswith(".dead"))
    if any(n is None for n in queues.values()):
        waits["jobs"] += 1
    return waits, [sorted(ends.items()), sorted(queues.items(), key=str)]


def behind(offsets, ends):
    """Records that a projection has still to apply, for each shard that has ever applied one."""
    lag = 0
    for (_, topic, partition, _), offset in offsets.items():
        for name in (topic, f"plaza.{topic}"):
            if (name, partition) in ends:
                lag += max(0, ends[name, partition] - offset)
    return lag


def wait(stores):
    began, equal, last, waits = time.monotonic(), 0, None, {}
    quiet_since = None
    while time.monotonic() - began < LONGEST_S:
        try:
            waits, state = reading(stores)
        except Exception as error:
            waits, state = {"error": str(error)[:200], "unsent": -1}, None
        is_quiet = not any(waits.values())
        equal = equal + 1 if is_quiet and state == last else int(is_quiet)
        if is_quiet and quiet_since is None:
            quiet_since = time.monotonic() - began
        elif not is_quiet:
            quiet_since = None
        last = state
        if equal >= 3:
            return {"drained": True, "seconds": round(quiet_since, 1), "waits": waits}
        time.sleep(APART_S)
    return {"drained": False, "seconds": round(time.monotonic() - began, 1), "waits": waits}
