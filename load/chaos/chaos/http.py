"""As much of HTTP/1.1 as a client of plaza needs, over connections that are kept."""

import asyncio
import json
import time

IDLE_S = 30


class Broken(Exception):
    """No whole response came."""


class Connections:
    """Connections to one address."""

    def __init__(self, port, host="127.0.0.1"):
        self.host, self.port = host, port
        self.free = []

    async def post(self, path, body, headers, timeout_s):
        """Status, headers and JSON (`None` for another content) of the response.

        Raises `Broken` when there is none in time."""
        try:
            return await asyncio.wait_for(self._post(path, body, headers), timeout_s)
        except asyncio.TimeoutError:
            raise Broken("timeout") from None
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise Broken(type(error).__name__) from None

    async def _connection(self):
        while self.free:
            reader, writer, since = self.free.pop()
            if time.monotonic() - since < IDLE_S and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port, limit=1 << 20)

    async def _post(self, path, body, headers):
        content = json.dumps(body).encode()
        reader, writer = await self._connection()
        is_kept = False
        try:
            lines = [f"POST {path} HTTP/1.1", f"host: {self.host}:{self.port}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            lines += ["content-type: application/json", f"content-length: {len(content)}", "", ""]
            writer.write("\r\n".join(lines).encode() + content)
            await writer.drain()
            status, answered = await read_head(reader)
            text = await read_body(reader, answered)
            is_kept = answered.get("connection", "").lower() != "close"
        finally:
            if is_kept:
                self.free.append((reader, writer, time.monotonic()))
            else:
                writer.close()
        return status, answered, parsed(text)

    def close(self):
        for _, writer, _ in self.free:
            writer.close()
        self.free = []


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.strip().lower(): text.strip() for name, _, text in pairs}


async def read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None
