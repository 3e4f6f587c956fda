"""A TCP proxy before each store, which can do to a connection what a network does.

A process of its own: what it does must not wait for the workload, nor the workload for it.
`python -m chaos.proxy CONTROL_PORT NAME:LISTEN:TARGET ..`; orders come to the control port as lines
of JSON, `{"name": "redis", "state": {..}}`, each answered with a line.

| state | effect |
|---|---|
| `latency_ms` | every byte arrives so much later, in each direction |
| `bytes_per_s` | no more than so many bytes a second, per connection and direction |
| `blackhole` | connections are accepted, and no byte moves: neither an answer nor an error |
| `reset` | connections are ended by RST, and so is each new one |
| `cut` | connections are closed, and new ones refused |
| `target` | another port to connect to, for new connections |
"""

import asyncio
import json
import socket
import struct
import sys
from dataclasses import dataclass, field

CHUNK = 65536
ABORTING = struct.pack("ii", 1, 0)


@dataclass
class Link:
    """One store's address, and what is done to its connections."""

    name: str
    listen: int
    target: int
    latency_ms: float = 0
    bytes_per_s: float = 0
    blackhole: bool = False
    reset: bool = False
    cut: bool = False
    server: asyncio.Server | None = None
    writers: set = field(default_factory=set)
    moving: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self):
        if self.server is None:
            self.server = await asyncio.start_server(
                self.accept, "127.0.0.1", self.listen, backlog=1024, limit=CHUNK
            )

    async def change(self, state):
        """What is not named is as it is without a fault."""
        self.latency_ms = state.get("latency_ms", 0)
        self.bytes_per_s = state.get("bytes_per_s", 0)
        self.target = state.get("target", self.target)
        self.reset, self.cut = state.get("reset", False), state.get("cut", False)
        self.blackhole = state.get("blackhole", False)
        if self.blackhole:
            self.moving.clear()
        else:
            self.moving.set()
        if self.cut and self.server is not None:
            self.server.close()
            self.server = None
        if self.reset or self.cut:
            for writer in list(self.writers):
                end(writer, abort=self.reset)
        if not self.cut:
            await self.open()

    async def accept(self, reader, writer):
        if self.reset:
            return end(writer, abort=True)
        self.writers.add(writer)
        onward = None
        try:
            await self.moving.wait()
            back, onward = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK)
            self.writers.add(onward)
            await first_done(self.carry(reader, onward), self.carry(back, writer))
        except OSError:
            pass
        finally:
            for one in (writer, onward):
                if one is not None:
                    self.writers.discard(one)
                    end(one)

    async def carry(self, reader, writer):
        """Reads on while what it has read waits to arrive, so that latency is no bandwidth."""
        queue = asyncio.Queue(maxsize=64)
        await first_done(self.take(reader, queue), self.give(queue, writer), all_of=True)

    async def take(self, reader, queue):
        clock = asyncio.get_running_loop().time
        while data := await reader.read(CHUNK):
            await queue.put((clock() + self.latency_ms / 1000, data))
        await queue.put((clock() + self.latency_ms / 1000, b""))

    async def give(self, queue, writer):
        clock = asyncio.get_running_loop().time
        while True:
            due, data = await queue.get()
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            await self.moving.wait()
            if not data:
                return
            await self.write(data, writer)

    async def write(self, data, writer):
        while data and self.bytes_per_s:
            part = max(1, int(self.bytes_per_s / 20))
            writer.write(data[:part])
            data = data[part:]
            await asyncio.sleep(0.05)
        if data:
            writer.write(data)
        await writer.drain()


def end(writer, abort=False):
    """Closes a connection; by RST when it is to look like a machine that forgot it."""
    if abort:
        sock = writer.get_extra_info("socket")
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTING)
        except OSError:
            pass
        writer.transport.abort()
    else:
        writer.close()


async def first_done(*works, all_of=False):
    """Runs all, until one fails or (unless `all_of`) ends; then the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        when = asyncio.FIRST_EXCEPTION if all_of else asyncio.FIRST_COMPLETED
        done, _ = await asyncio.wait(tasks, return_when=when)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def control(links, reader, writer):
    while line := await reader.readline():
        order = json.loads(line)
        if order.get("stop"):
            asyncio.get_running_loop().stop()
            return
        link = links[order["name"]]
        await link.change(order["state"])
        answer = {"name": link.name, "connections": len(link.writers)}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    writer.close()


async def serve(control_port, links):
    for link in links.values():
        link.moving.set()
        await link.open()
    await asyncio.start_server(
        lambda reader, writer: control(links, reader, writer), "127.0.0.1", control_port
    )


def main():
    control_port, *words = sys.argv[1:]
    links = {}
    for word in words:
        name, listen, target = word.split(":")
        links[name] = Link(name, int(listen), int(target))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(serve(int(control_port), links))
    print("listening", flush=True)
    loop.run_forever()


if __name__ == "__main__":
    main()
