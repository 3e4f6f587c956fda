"""The system under test: processes and links, of a folder and of ports that are its own.

Started and stopped by infra/local; what it is made of is asked there too."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[3]
MANAGEMENT = "rabbitmq-management"
# Above the clone's own ports, and the proxies above these.
ABOVE_CLONE, PROXY_SHIFT = 250, 125
LAYOUT = r"""
source infra/local/lib/all.sh
for name in "${ALL_NAMES[@]}" "${STANDBY_NAMES[@]}"; do
    printf '%s %s %s\n' "$name" "$(port_of "$name")" "$(client_port_of "$name")"
done
printf 'rabbitmq-management %s %s\n' "$PLAZA_RABBITMQ_MANAGEMENT_PORT" \
    "$(client_port_of rabbitmq-management)"
"""


class Stack:
    def __init__(self, say):
        self.say = say
        self.local = ROOT / ".local" / "chaos"
        self.environment = environment(self.local)
        self.ports, self.links = {}, {}
        self.proxies = self.control = None
        self.open_transactions = []
        for line in self.bash(LAYOUT).splitlines():
            name, port, link = line.split()
            self.ports[name] = int(port)
            if name.startswith(("shard-", "redis", "rabbitmq", "kafka")):
                self.links[name] = int(link)

    # Its life.

    def bash(self, script):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True,
        ).stdout

    async def verb(self, verb, *names, must=True, **environment):
        process = await asyncio.create_subprocess_exec(
            f"infra/local/{verb}", *names, cwd=ROOT, env=self.environment | environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode and must:
            self.say(said.decode())
            raise RuntimeError(f"infra/local/{verb} {' '.join(names)} failed")
        return process.returncode

    async def begin(self, keep):
        """Everything anew, unless the data is to be kept."""
        if not keep:
            await self.verb("reset")
        self.share_kafka_jars()
        self.start_proxies()
        # Without a supervisor, which would replace primaries that a fault has stopped.
        await self.verb("up", *[name for name in self.ports if name != MANAGEMENT])

    async def end(self):
        self.let_go()
        for name in [*self.ports]:
            self.signal(name, signal.SIGCONT)
        await self.verb("down", "all", must=False)
        self.stop_proxies()

    def share_kafka_jars(self):
        folder = self.local / "kafka"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "libs").exists():
            (folder / "libs").symlink_to(ROOT / ".local/kafka/libs")

    async def up(self, *names):
        """As a supervisor starts what has died."""
        await self.verb("up", *names, PLAZA_NO_MIGRATION="1")

    async def gone(self, name, within_s=40):
        deadline = time.monotonic() + within_s
        while self.members(name) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)

    # Its processes.

    def record(self, name):
        path = self.local / "run" / name
        if not path.exists():
            return {}
        return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)

    def members(self, name):
        """A server with its children: its session, and all below (PostgreSQL's children have
        sessions of their own)."""
        session = self.record(name).get("session")
        found = {}
        for folder in os.listdir("/proc") if session else []:
            if folder.isdigit() and (fields := stat_of(folder)) and fields[0] not in "ZX":
                found[folder] = (fields[1], fields[3])
        members = {pid for pid, (_, of) in found.items() if of == session}
        size = -1
        while size != len(members):
            size = len(members)
            members |= {pid for pid, (parent, _) in found.items() if parent in members}
        return [int(pid) for pid in members]

    def signal(self, name, number, leader_only=False):
        members = self.members(name)
        if leader_only:
            members = [int(self.record(name)["pid"])]
        # First who would make new ones.
        for pid in sorted(members):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    # Its links.

    def start_proxies(self):
        control = max(self.links.values()) + 1
        words = [f"{name}:{link}:{self.ports[name]}" for name, link in self.links.items()]
        self.proxies = subprocess.Popen(
            [sys.executable, "-m", "chaos.proxy", str(control), *words],
            cwd=ROOT / "load/chaos", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            stderr=open(self.local / "proxies.log", "w"), start_new_session=True,
        )
        if self.proxies.stdout.readline() != b"listening\n":
            raise RuntimeError("the proxies do not start: are their ports taken?")
        self.control = control

    def stop_proxies(self):
        if self.proxies:
            self.proxies.terminate()
            self.proxies.wait()

    async def link(self, name, **state):
        """What a link does from now on; nothing named: as if it were not there."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.control)
        writer.write(json.dumps({"name": name, "state": state}).encode() + b"\n")
        await reader.readline()
        writer.close()

    # Its stores, past the proxies.

    def password(self, of="password"):
        return (self.local / "config" / of).read_text().strip()

    def connect(self, name):
        return psycopg.connect(
            host="127.0.0.1", port=self.ports[name], dbname="plaza", user="postgres",
            password=self.password("superuser-password"), autocommit=True, connect_timeout=3,
            options="-c synchronous_commit=local -c statement_timeout=10000",
        )

    def sql(self, name, statement):
        with self.connect(name) as connection:
            return connection.execute(statement)

    def hold(self, name, statement):
        connection = self.connect(name)
        connection.autocommit = False
        connection.execute("SET LOCAL statement_timeout = '5s'")
        connection.execute(statement)
        self.open_transactions.append(connection)

    def let_go(self):
        while self.open_transactions:
            self.open_transactions.pop().close()

    def redis(self, *words):
        words = ["AUTH", self.password()], list(words)
        with socket.create_connection(("127.0.0.1", self.ports["redis"]), 3) as connection:
            for command in words:
                parts = b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in command)
                connection.sendall(b"*%d\r\n" % len(command) + parts)
                answer = connection.recv(4096)
                if answer.startswith(b"-"):
                    raise RuntimeError(f"redis: {answer.decode()}")

    def close_rabbitmq_connections(self):
        for one in self.rabbitmq("GET", "connections"):
            try:
                self.rabbitmq("DELETE", f"connections/{urllib.request.quote(one['name'])}")
            except OSError:
                pass

    def rabbitmq(self, method, path):
        url = f"http://127.0.0.1:{self.ports['rabbitmq-management']}/api/{path}"
        request = urllib.request.Request(url, method=method)
        user = base64.b64encode(f"plaza:{self.password()}".encode()).decode()
        request.add_header("authorization", f"Basic {user}")
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def rabbitmqctl(self, *words):
        said = (
            "source infra/local/lib/all.sh; rabbitmq_environment;"
            ' env "${RABBITMQ_ENVIRONMENT[@]}" "$(rabbitmq_script rabbitmqctl)" '
        )
        self.bash(said + " ".join(words))

    def produce_garbage(self):
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": f"127.0.0.1:{self.links['kafka']}"})
        producer.produce("plaza.posts", b"\x00\xffgarbage", partition=0)
        producer.flush(10)


def environment(local):
    """How infra/local and plaza are told that this is another system than the clone's."""
    own = ROOT / ".local/port-shift"
    shift = os.environ.get("PLAZA_PORT_SHIFT") or (own.read_text() if own.exists() else "0")
    settings = {
        "PLAZA_LOCAL": str(local),
        "PLAZA_PORT_SHIFT": str(int(shift or 0) + ABOVE_CLONE),
        "PLAZA_PROXY_SHIFT": str(PROXY_SHIFT),
        # A client that renews its token is another test's matter.
        "PLAZA_AUTH__ACCESS_TTL_S": "86400",
        "PROFILE": os.environ.get("PROFILE", "release"),
    }
    # A clone's own ports and configuration are not this one's.
    kept = {
        name: value for name, value in os.environ.items()
        if not (name.startswith("PLAZA_") and name.endswith("_PORT")) and name != "PLAZA_CONFIG"
    }
    return {**kept, **settings}


def stat_of(pid):
    """State, parent, group, session .. of a process; nothing when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return None
