"""`python -m chaos.restoring [--minutes N]`: traffic, a backup with cuts beside it, everything
deleted, restored to the last cut; then the checker holds what is there to what was acknowledged
before the cut, and wants nothing of what was sent after it."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from . import plan, world
from .http import Broken, Connections
from .operations import HOME, code_of
from .record import Record
from .stack import ROOT, STANDBYS, Stack
from .workload import Workload

# Traffic after the last cut: what a restore loses.
AFTER_S = 15


class Drill:
    def __init__(self, given):
        seconds = given.minutes * 60
        self.settings = plan.Settings(
            seed=given.seed, rate=given.rate, people=24, before_s=seconds, after_s=0, fault="none"
        )
        self.plan = plan.make(self.settings)
        self.plan.ops = [op for op in self.plan.ops if op.at < seconds]
        self.every_s, self.seconds = given.every, seconds
        self.folder = ROOT / "bench-results/chaos" / f"{given.seed}-restore"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.backup = self.folder / "backup"
        self.stack = Stack(self.say)
        self.record = Record(self.folder / "told.jsonl")
        self.shown = {"seed": given.seed, "minutes": given.minutes, "rate": given.rate, "cuts": []}

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    async def verb(self, *words):
        """One of infra/local, whose last line is what it has to say."""
        began = time.time()
        process = await asyncio.create_subprocess_exec(
            f"infra/local/{words[0]}", *map(str, words[1:]), cwd=ROOT,
            env=self.stack.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode().strip()
        last = said.splitlines()[-1] if said else ""
        self.say(f"{words[0]} {' '.join(map(str, words[2:]))}: {last}")
        if process.returncode:
            raise RuntimeError(f"infra/local/{words[0]} failed: {said}")
        return began, time.time(), said

    async def whole(self):
        try:
            await self.stack.begin(keep=False)
            await self.traffic()
            await self.disaster()
            await self.restored()
            return await self.checked()
        finally:
            self.record.close()
            await self.stack.end()

    async def traffic(self):
        self.connections = Connections(self.stack.ports["nginx"])
        self.clients, made = await world.make(
            self.plan, f"drill{self.settings.seed}", self.connections, self.record, self.say
        )
        stack = {"local": str(self.stack.local), "ports": self.stack.ports,
                 "kafka": self.stack.links["kafka"], "kafka_topics": "plaza."}
        (self.folder / "world.json").write_text(json.dumps(made | {"stack": stack}))
        workload = Workload(self.plan, made, self.clients, self.record)
        began = time.monotonic()
        load = asyncio.ensure_future(workload.run(began))
        base_began, base_ended, _ = await self.verb("backup", self.backup, "base")
        self.shown["base_s"] = round(base_ended - base_began, 1)
        while time.monotonic() - began < self.seconds - AFTER_S:
            await self.cut()
            left = self.seconds - AFTER_S - (time.monotonic() - began)
            await asyncio.sleep(max(0, min(self.every_s, left)))
        await load

    async def cut(self):
        name = f"cut-{len(self.shown['cuts']) + 1}"
        began, ended, said = await self.verb("backup", self.backup, "cut", name)
        held = int(said.rpartition("waited ")[2].split()[0])
        self.shown["cuts"].append(
            {"name": name, "from": began, "until": ended, "mutations_waited_ms": held}
        )

    async def disaster(self):
        for name in self.stack.ports:
            self.stack.signal(name, signal.SIGKILL)
        await self.stack.verb("reset")
        await asyncio.to_thread(shutil.rmtree, self.stack.local / "kafka", ignore_errors=True)
        self.say("everything is deleted")

    async def restored(self):
        cut = self.shown["cuts"][-1]["name"]
        self.stack.share_kafka_jars()
        began = time.monotonic()
        await self.verb("restore", self.backup, cut)
        self.shown["stores_s"] = round(time.monotonic() - began, 1)
        await self.stack.verb("up", "all", *STANDBYS)
        await self.serves()
        self.shown["serves_s"] = round(time.monotonic() - began, 1)
        self.say(f"serves after {self.shown['serves_s']} s")

    async def serves(self):
        self.connections.close()
        client = self.clients[0]
        client.consistency = {}
        for _ in range(100):
            try:
                status, content = await client.send(HOME, {})
                if status == 200 and code_of(content) is None:
                    return
            except Broken:
                pass
            await asyncio.sleep(0.2)
        raise RuntimeError("nothing serves a home")

    def as_of_the_cut(self):
        """The log of intents, as if the clients had lived up to the cut only."""
        cut, lines = self.shown["cuts"][-1], []
        sent, lost = {}, 0
        for entry in map(json.loads, (self.folder / "told.jsonl").read_text().splitlines()):
            if entry["what"] == "intent":
                sent[entry["op"]] = entry
                lines.append(entry)
                if entry["t"] > cut["until"]:
                    lost += 1
                    never = {"verdict": "refused", "code": "AFTER_THE_CUT", "id": None}
                    lines.append(entry | {"what": "verdict"} | never)
            elif entry["what"] == "verdict" and entry["t"] < cut["from"]:
                lines.append(entry)
        self.shown["after_the_cut"] = lost
        self.shown["before_the_cut"] = sum(line["what"] == "verdict" for line in lines) - lost
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (self.folder / "intents.jsonl").write_text(text)

    async def checked(self):
        self.as_of_the_cut()
        for step in ("drain", "check"):
            await asyncio.to_thread(
                subprocess.run, [sys.executable, "-m", "checker", step, str(self.folder)],
                cwd=ROOT / "load/chaos", check=False,
            )
        verdict = json.loads((self.folder / "verdict.json").read_text())
        self.shown["drained"] = json.loads((self.folder / "drained.json").read_text())
        self.shown["findings"] = verdict["findings"][:50]
        self.shown["laws"], self.shown["failed"] = verdict["laws"], verdict.get("failed")
        self.shown["ledger"] = await asyncio.to_thread(self.ledger)
        (self.folder / "restore.json").write_text(json.dumps(self.shown, indent=1))
        self.say(json.dumps({k: v for k, v in self.shown.items() if k != "laws"}, indent=1))
        is_well = not verdict["findings"] and not verdict.get("failed")
        return 0 if is_well and self.shown["ledger"]["ended"] == 0 else 1

    def ledger(self):
        """plaza's own opinion, beside the checker's."""
        plaza = self.stack.bash("source infra/local/lib/all.sh; plaza_binary").strip()
        environment = self.stack.environment | {
            "PLAZA_CONFIG": str(self.stack.local / "plaza.toml")
        }
        ended = subprocess.run(
            [plaza, "ledger", "verify"], env=environment, capture_output=True, text=True, cwd="/"
        )
        return {"ended": ended.returncode, "said": ended.stdout.strip().splitlines()[-8:]}


def main():
    parser = argparse.ArgumentParser(prog="restoring")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=2, help="of traffic")
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--every", type=float, default=30, help="seconds between cuts")
    os.umask(0o077)
    return asyncio.run(Drill(parser.parse_args()).whole())


if __name__ == "__main__":
    sys.exit(main())
