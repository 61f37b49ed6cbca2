"""The thinnest server that takes a catalogue: reads a request, waits, says that all went well.

It answers Neuroon's sync, and what the peers' clients ask: Algolia's batches and tasks,
Elasticsearch's bulk requests. `GET /counts` tells the requests and bytes since it was asked last.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

SYNCED = b'{"synced":%d,"created":%d,"updated":0,"failed":0,"errors":[]}'
# Whatever Algolia's client asks for: a task that is done, no settings, no rules and no synonyms.
ALGOLIA = json.dumps(
    {
        "taskID": 1,
        "objectIDs": [],
        "updatedAt": "2026-01-01T00:00:00Z",
        "status": "published",
        "pendingTask": False,
        "hits": [],
        "nbHits": 0,
        "page": 0,
        "nbPages": 0,
    }
).encode()
ITEM = b'{"index":{"_id":"1","status":200}}'


class Sink:
    """The server, and what it has counted."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.requests = self.bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(length)
                answer = await self._answer(head.split(b" ", 2)[1], body)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"X-Elastic-Product: Elasticsearch\r\nContent-Length: %d\r\n\r\n" % len(answer)
                )
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, path: bytes, body: bytes) -> bytes:
        if path == b"/counts":
            counts: dict[str, Any] = {"requests": self.requests, "bytes": self.bytes}
            self.requests = self.bytes = 0
            return json.dumps(counts).encode()
        self.requests += 1
        self.bytes += len(body)
        await asyncio.sleep(self.delay)
        if path.startswith(b"/api/"):
            count = body.count(b'"externalId"')
            return SYNCED % (count, count)
        if b"_bulk" in path:
            actions = body.count(b'{"index"') + body.count(b'{"delete"')
            return b'{"took":1,"errors":false,"items":[%s]}' % b",".join([ITEM] * actions)
        return ALGOLIA if path.startswith(b"/1/") else b"{}"


async def main(delay: float) -> None:
    """Serve on a free port, which is printed."""
    server = await asyncio.start_server(Sink(delay).serve, "127.0.0.1", 0, limit=2**24)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
