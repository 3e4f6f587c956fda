"""`python -m chaos --seed 7 [--fault NAME,..] [--minutes N] [--quick]`: one run, from an empty
system to a verdict. docs/chaos.md says what is done, and what the columns mean."""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import traceback

from . import faults, figures, picture, plan, watch, world, wounds
from .http import Connections
from .record import Record
from .stack import ROOT, Stack
from .workload import Workload


def arguments():
    parser = argparse.ArgumentParser(prog="chaos")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault", help="names, with commas; `all`: each once; default: by seed")
    parser.add_argument("--minutes", type=float, default=None, help="of faults chosen by the seed")
    parser.add_argument("--rate", type=float, default=None, help="operations a second")
    parser.add_argument("--at-once", type=int, default=1, help="faults at a time")
    parser.add_argument("--quick", action="store_true", help="three minutes, at a low rate")
    parser.add_argument("--keep", action="store_true", help="do not begin with empty stores")
    parser.add_argument("--leave", action="store_true", help="do not stop the system afterwards")
    parser.add_argument("--wounds", action="store_true", help="then wound it: is each seen?")
    parser.add_argument("--list", action="store_true", help="the faults there are")
    return parser.parse_args()


def settings_of(given):
    rate, minutes = (15, 2) if given.quick else (40, 30)
    return plan.Settings(
        seed=given.seed,
        rate=given.rate or rate,
        before_s=10 if given.quick else 15,
        after_s=20 if given.quick else 30,
        minutes=given.minutes or minutes,
        fault=given.fault,
        at_once=given.at_once,
        quick=given.quick,
        people=24 if given.quick else 36,
    )


class Run:
    def __init__(self, given):
        self.given, self.plan = given, plan.make(settings_of(given))
        named = (given.fault or "campaign").replace(",", "+")[:60]
        self.folder = ROOT / "bench-results/chaos" / f"{given.seed}-{named}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stack = Stack(self.say)
        self.record = Record(self.folder / "intents.jsonl")
        self.happened, self.errors = [], []

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def write(self, name, value):
        path = self.folder / name
        path.write_text(json.dumps(value, indent=1))
        path.chmod(0o600)

    async def whole(self):
        self.write("plan.json", self.plan.as_dict())
        try:
            await self.stack.begin(self.given.keep)
            await self.under_load()
            return await self.checked()
        finally:
            self.record.close()
            if self.given.leave:
                self.say(f"left running; the proxies are process {self.stack.proxies.pid}")
            else:
                await self.stack.end()

    async def under_load(self):
        tag = f"chaos{self.given.seed}"
        if self.given.keep:
            tag += f"x{int(time.time()) % 1_000_000}"
        connections = Connections(self.stack.ports["nginx"])
        clients, made = await world.make(self.plan, tag, connections, self.record, self.say)
        self.write("world.json", made | {"stack": self.addresses()})
        workload = Workload(self.plan, made, clients, self.record)
        self.began, began = time.time(), time.monotonic()
        self.say(f"{len(self.plan.ops)} operations in {self.plan.ends_at:.0f} s, "
                 f"{len(self.plan.broken)} faults, seed {self.given.seed}")
        watched = watch.Watch(self.stack)
        watched.begin()
        load = asyncio.ensure_future(workload.run(began))
        for together in self.slots():
            await self.break_and_heal(together, began)
        await load
        self.ended = time.time()
        await asyncio.to_thread(watched.end)
        self.write("waits.json", watched.samples)
        open_ones = await workload.settle()
        self.errors += workload.errors
        self.say(f"settled: {open_ones} operations were asked about again")
        connections.close()

    def slots(self):
        """Faults that begin together."""
        slots = {}
        for broken in self.plan.broken:
            slots.setdefault(broken.at, []).append(broken)
        return slots.values()

    async def break_and_heal(self, together, began):
        await asyncio.sleep(max(0, began + together[0].at - time.monotonic()))
        known = [faults.CATALOGUE[broken.name] for broken in together]
        names = [name for broken in together for name in broken.aim.get("names", [])]
        entry = {
            "name": " + ".join(fault.name for fault in known), "aim": {"names": names},
            "row": " + ".join(fault.row for fault in known), "from": time.time(),
        }
        self.happened.append(entry)
        self.say(f"{entry['name']}: {' '.join(names)}")
        healing = await asyncio.gather(
            *(self.one_fault(*both, began) for both in zip(known, together))
        )
        entry["healing"], entry["healed"] = max(healing), time.time()

    async def one_fault(self, fault, broken, began):
        """When its healing began."""
        await self.carefully(fault.inject, broken, "could not be caused")
        await asyncio.sleep(max(0, began + broken.until - time.monotonic()))
        healing = time.time()
        await self.carefully(fault.heal, broken, "could not be healed")
        return healing

    async def carefully(self, step, broken, why):
        try:
            await step(self.stack, broken.aim)
        except Exception as error:
            self.errors.append(f"{broken.name} {why}: {error}")
            self.say(self.errors[-1])
            traceback.print_exc()

    def addresses(self):
        stack = self.stack
        return {
            "local": str(stack.local),
            "ports": stack.ports,
            "kafka": stack.links["kafka"],
            "kafka_topics": "plaza.",
        }

    async def checked(self):
        self.write("happened.json", {
            "began": self.began, "ended": self.ended, "faults": self.happened,
            "errors": self.errors,
        })
        for step in ("drain", "check"):
            began = time.time()
            # Another program, which gets the folder and nothing else.
            await asyncio.to_thread(
                subprocess.run, [sys.executable, "-m", "checker", step, str(self.folder)],
                cwd=ROOT / "load/chaos", check=False,
            )
            self.say(f"{step}: {time.time() - began:.1f} s")
        ended = self.report()
        if self.given.wounds and not await wounds.show(self.stack, self.folder, self.say):
            return 1
        return ended

    def report(self):
        result = figures.of(self.folder, self.record)
        self.write("result.json", result)
        (self.folder / "result.svg").write_text(picture.of(result))
        table = figures.table(result)
        (self.folder / "result.md").write_text(table)
        print(table)
        self.say(f"{self.folder.relative_to(ROOT)}: {'clean' if result['clean'] else 'NOT CLEAN'}")
        return 0 if result["clean"] else 1


def main():
    given = arguments()
    if given.list:
        for fault in faults.CATALOGUE.values():
            print(f"{fault.name:20} row {fault.row:3} {fault.seconds:3.0f} s  {fault.says}")
        return 0
    return asyncio.run(Run(given).whole())


if __name__ == "__main__":
    sys.exit(main())
