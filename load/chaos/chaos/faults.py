"""Every fault there is: how it is caused, and how it is healed.

A fault's `row` is its line in the matrix of docs/chaos.md. What may be aimed at one of several
processes chooses by the run's seed."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Callable

SHARDS = 4


@dataclass
class Fault:
    name: str
    row: str
    seconds: float
    # What it is aimed at, by chance.
    aim: Callable
    # Both take the stack and the aim.
    inject: Callable
    heal: Callable
    # Whether a campaign may choose it: not what an operator has to mend.
    in_campaigns: bool = True
    # The name that makes it known in the table.
    says: str = ""


CATALOGUE = {}


def fault(name, row, seconds, aim, inject, heal, says, in_campaigns=True):
    CATALOGUE[name] = Fault(name, row, seconds, aim, inject, heal, in_campaigns, says)


# Aims.


def nothing(_chance):
    return {}


def one_of(*names):
    return lambda chance: {"names": [chance.choice(names)]}


def exactly(*names):
    return lambda _chance: {"names": list(names)}


def in_a_shard(*parts):
    """These of one shard's three servers."""

    def aim(chance):
        shard = chance.randrange(SHARDS)
        return {"shard": shard, "names": [f"shard-{shard}-{part}" for part in parts]}

    return aim


def a_replica(chance):
    shard, replica = chance.randrange(SHARDS), chance.choice((1, 2))
    return {"shard": shard, "names": [f"shard-{shard}-replica-{replica}"]}


# Processes.


async def no_change(_stack, _aim):
    return None


async def kill(stack, aim):
    for name in aim["names"]:
        stack.signal(name, signal.SIGKILL)


async def start(stack, aim):
    await stack.up(*aim["names"])


async def freeze(stack, aim):
    for name in aim["names"]:
        stack.signal(name, signal.SIGSTOP)


async def thaw(stack, aim):
    for name in aim["names"]:
        stack.signal(name, signal.SIGCONT)
    await stack.up(*aim["names"])


def processes(noun, aim, kill_row, stop_row, seconds, says):
    fault(f"{noun}-kill", kill_row, seconds, aim, kill, start, f"{says}: kill -9")
    fault(f"{noun}-stop", stop_row, seconds, aim, freeze, thaw, f"{says}: SIGSTOP")


processes("server", one_of("server-1", "server-2"), "1", "2", 20, "one of two servers")
processes("worker", one_of("worker", "worker-2"), "29", "29", 20, "one of two workers")
processes("relay", one_of("relay", "relay-2"), "40", "2", 20, "one of two relays")
processes("projector", one_of("projector", "projector-2"), "32", "33", 20, "one of two projectors")
processes("primary", in_a_shard("primary"), "5", "6", 15, "a shard's primary")
processes("replica", a_replica, "8", "12", 20, "one replica")
replays = in_a_shard("replica-1", "replica-2")
processes("replicas", replays, "9", "9", 20, "both replicas of a shard")
shard_down = in_a_shard("primary", "replica-1", "replica-2")
fault("shard-kill", "14", 20, shard_down, kill, start, "all three of a shard: kill -9")
processes("redis", exactly("redis"), "19", "19", 12, "Redis")
processes("rabbitmq", exactly("rabbitmq"), "25", "25", 30, "RabbitMQ, the only node")
processes("kafka", exactly("kafka"), "30", "31", 30, "Kafka, the only node")
processes("nginx", exactly("nginx"), "41", "41", 5, "nginx")


async def restart_in_turns(stack, aim):
    for name in aim["names"]:
        stack.signal(name, signal.SIGTERM)
        await stack.gone(name)
        await stack.up(name)


servers = exactly("server-1", "server-2")
fault("rolling-restart", "3", 5, servers, restart_in_turns, no_change, "SIGTERM, in turns")


async def flap(stack, aim):
    for _ in range(8):
        await freeze(stack, aim)
        await asyncio.sleep(1)
        for name in aim["names"]:
            stack.signal(name, signal.SIGCONT)
        await asyncio.sleep(1)


flapping = one_of("server-1", "server-2")
fault("server-flap", "41", 16, flapping, flap, thaw, "hangs every other second")


async def kill_in_turns(stack, aim):
    for _ in range(4):
        await kill(stack, aim)
        await start(stack, aim)
        await asyncio.sleep(2)


storm = exactly("projector", "projector-2")
says = "both projectors die, four times"
fault("projector-storm", "32", 20, storm, kill_in_turns, start, says)


async def reload_nginx(stack, _aim):
    for _ in range(5):
        stack.signal("nginx", signal.SIGHUP, leader_only=True)
        await asyncio.sleep(1)


fault("nginx-reload", "41", 5, nothing, reload_nginx, no_change, "nginx reloads five times")


# The network between plaza and a store, by the proxies.


def network(name, row, aim, state, says, seconds=20):
    async def inject(stack, aim):
        await asyncio.gather(*(stack.link(link, **state) for link in aim["names"]))

    async def heal(stack, aim):
        await asyncio.gather(*(stack.link(link) for link in aim["names"]))

    fault(name, row, seconds, aim, inject, heal, says)


a_primary = in_a_shard("primary")
a_shard = in_a_shard("primary", "replica-1", "replica-2")
rabbitmq_links = exactly("rabbitmq", "rabbitmq-management")
network("primary-cut", "15", a_primary, {"cut": True}, "a primary refuses")
network("primary-blackhole", "15", a_primary, {"blackhole": True}, "a primary is silent")
network("primary-reset", "15", a_primary, {"reset": True}, "a primary resets")
network("shard-blackhole", "14", a_shard, {"blackhole": True}, "all three of a shard are silent")
network("shard-slow", "16", a_shard, {"latency_ms": 2000}, "a shard answers 2 s late")
network("shard-late", "16", a_shard, {"latency_ms": 100}, "a shard answers 100 ms late")
network("shard-trickle", "16", a_shard, {"bytes_per_s": 4000}, "a shard has 4 kB/s a connection")
network("replica-blackhole", "12", a_replica, {"blackhole": True}, "a replica is silent")
network("redis-cut", "19", exactly("redis"), {"cut": True}, "Redis refuses")
network("redis-blackhole", "19", exactly("redis"), {"blackhole": True}, "Redis is silent", 12)
network("redis-reset", "19", exactly("redis"), {"reset": True}, "Redis resets")
network("redis-slow", "19", exactly("redis"), {"latency_ms": 300}, "Redis answers 300 ms late")
network("rabbitmq-cut", "24", rabbitmq_links, {"cut": True}, "RabbitMQ refuses")
network("rabbitmq-blackhole", "24", rabbitmq_links, {"blackhole": True}, "RabbitMQ is silent")
network("kafka-cut", "30", exactly("kafka"), {"cut": True}, "Kafka refuses")
network("kafka-blackhole", "31", exactly("kafka"), {"blackhole": True}, "Kafka is silent")
network("kafka-slow", "31", exactly("kafka"), {"latency_ms": 1500}, "Kafka answers 1.5 s late")


# What stores do by themselves.


async def pause_replay(stack, aim):
    for name in aim["names"]:
        await asyncio.to_thread(stack.sql, name, "SELECT pg_wal_replay_pause()")


async def resume_replay(stack, aim):
    for name in aim["names"]:
        await asyncio.to_thread(stack.sql, name, "SELECT pg_wal_replay_resume()")


fault("replay-pause", "13", 20, replays, pause_replay, resume_replay, "replay stands still on both")


async def set_delay(stack, aim, seconds):
    for name in aim["names"]:
        setting = f"ALTER SYSTEM SET recovery_min_apply_delay = '{seconds}s'"
        for statement in (setting, "SELECT pg_reload_conf()"):
            await asyncio.to_thread(stack.sql, name, statement)


async def delay_replay(stack, aim):
    await set_delay(stack, aim, 10)


async def catch_up(stack, aim):
    await set_delay(stack, aim, 0)


fault("replay-delay", "11", 25, replays, delay_replay, catch_up, "both replicas replay 10 s late")


async def flush_redis(stack, _aim):
    stack.redis("FLUSHALL")


fault("redis-flush", "19", 3, nothing, flush_redis, no_change, "FLUSHALL")


async def fill_redis(stack, _aim):
    stack.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    stack.redis("CONFIG", "SET", "maxmemory", "1000000")


async def empty_redis(stack, _aim):
    stack.redis("CONFIG", "SET", "maxmemory", "536870912")
    stack.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")


fault("redis-full", "19", 20, nothing, fill_redis, empty_redis, "Redis refuses whatever is written")


async def load_old_dump(stack, _aim):
    """Redis comes back with what it held eight seconds before it died."""
    stack.redis("SAVE")
    await asyncio.sleep(8)
    await kill(stack, {"names": ["redis"]})
    await stack.up("redis")


async def forget_dump(stack, _aim):
    (stack.local / "redis/dump.rdb").unlink()


fault("redis-old-dump", "20", 15, nothing, load_old_dump, forget_dump, "Redis with an old dump")


async def raise_alarm(stack, _aim):
    await asyncio.to_thread(stack.rabbitmqctl, "set_vm_memory_high_watermark", "absolute", "1MB")


async def end_alarm(stack, _aim):
    await asyncio.to_thread(stack.rabbitmqctl, "set_vm_memory_high_watermark", "absolute", "1GB")


fault("rabbitmq-alarm", "26", 20, nothing, raise_alarm, end_alarm, "RabbitMQ's memory alarm")


def held(statement):
    """A transaction that stays open in one shard."""

    async def inject(stack, aim):
        await asyncio.to_thread(stack.hold, f"shard-{aim['shard']}-primary", statement)

    return inject


async def let_go(stack, _aim):
    stack.let_go()


readers = held("SELECT count(*) FROM outbox")
locked = held("LOCK TABLE likes IN ACCESS EXCLUSIVE MODE")
fault("outbox-reader", "18", 20, a_primary, readers, let_go, "a transaction reads the outbox")
fault("table-lock", "17", 12, a_primary, locked, let_go, "a shard's likes are locked")


async def send_again(stack, _aim):
    """The last messages of every shard come again, in the order that they came in."""
    for shard in range(SHARDS):
        await asyncio.to_thread(
            stack.sql,
            f"shard-{shard}-primary",
            "UPDATE outbox SET sent_at = NULL WHERE sent_at IS NOT NULL"
            " AND id > (SELECT max(id) FROM outbox) - 200",
        )


fault("send-again", "4", 10, nothing, send_again, no_change, "200 messages a shard come twice")


async def drop_consumers(stack, _aim):
    """RabbitMQ closes every connection, as it does when a node goes into maintenance."""
    await asyncio.to_thread(stack.close_rabbitmq_connections)


says = "RabbitMQ closes all connections"
fault("rabbitmq-close", "29", 5, nothing, drop_consumers, no_change, says)


async def garbage(stack, _aim):
    await asyncio.to_thread(stack.produce_garbage)


fault("kafka-garbage", "35", 10, nothing, garbage, no_change, "bytes that are no event", False)
fault("none", "-", 10, nothing, no_change, no_change, "nothing", False)
