"""What the proxy does to connections."""

import asyncio
import time
import unittest

from chaos.proxy import Link


class Proxies(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.echo = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        target = self.echo.sockets[0].getsockname()[1]
        self.link = Link("echo", 0, target)
        self.link.moving.set()
        await self.link.open()
        # The port stays when it opens again.
        self.link.listen = self.link.server.sockets[0].getsockname()[1]

    async def asyncTearDown(self):
        await self.link.change({"cut": True})
        self.echo.close()

    async def answer(self, reader, writer):
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.link.listen)

    async def ask(self, words, within_s=5):
        reader, writer = await self.connect()
        writer.write(words)
        try:
            return await asyncio.wait_for(reader.readexactly(len(words)), within_s)
        finally:
            writer.close()

    async def test_passes_bytes_on(self):
        self.assertEqual(await self.ask(b"hello"), b"hello")

    async def test_is_late_in_each_direction(self):
        await self.link.change({"latency_ms": 100})
        began = time.monotonic()
        await self.ask(b"hello")
        self.assertGreater(time.monotonic() - began, 0.19)

    async def test_is_as_slow_as_it_is_told(self):
        await self.link.change({"bytes_per_s": 1000})
        began = time.monotonic()
        await self.ask(b"x" * 500)
        self.assertGreater(time.monotonic() - began, 0.4)

    async def test_accepts_and_stays_silent_then_goes_on(self):
        await self.link.change({"blackhole": True})
        reader, writer = await self.connect()
        writer.write(b"hello")
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(5), 0.2)
        await self.link.change({})
        reader, writer2 = await self.connect()
        writer2.write(b"again")
        self.assertEqual(await asyncio.wait_for(reader.readexactly(5), 5), b"again")
        writer.close()
        writer2.close()

    async def test_holds_up_a_connection_that_was_open(self):
        reader, writer = await self.connect()
        writer.write(b"first")
        await reader.readexactly(5)
        await self.link.change({"blackhole": True})
        writer.write(b"later")
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(5), 0.2)
        await self.link.change({})
        self.assertEqual(await asyncio.wait_for(reader.readexactly(5), 5), b"later")
        writer.close()

    async def test_resets_what_is_open_and_what_comes(self):
        reader, writer = await self.connect()
        writer.write(b"hello")
        await reader.readexactly(5)
        await self.link.change({"reset": True})
        with self.assertRaises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(5), 5)
        with self.assertRaises((ConnectionResetError, asyncio.IncompleteReadError)):
            await self.ask(b"hello")
        writer.close()

    async def test_refuses_when_it_is_cut_and_opens_again(self):
        await self.link.change({"cut": True})
        with self.assertRaises(ConnectionRefusedError):
            await self.connect()
        await self.link.change({})
        self.assertEqual(await self.ask(b"hello"), b"hello")
