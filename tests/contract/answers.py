"""Hypothesis strategies for answers of any kind: status lines, headers, bodies, and how they end."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from hypothesis import strategies as st

from tests.contract.raw import Script

KNOWN = [200, 201, 202, 204, 206, 301, 302, 304, 307, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410]
KNOWN += [411, 412, 413, 415, 418, 422, 423, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504]
KNOWN += [507, 508, 511, 520, 521, 522, 523, 524, 525, 526, 527, 530, 598, 599]
SUCCESSES = [200, 200, 200, 201, 202, 204]
ODD_LINES = [
    b"",
    b"\r\n",
    b"HTTP/1.1",
    b"HTTP/1.1 \r\n",
    b"HTTP/1.1 abc OK\r\n",
    b"HTTP/1.1 -1 x\r\n",
    b"HTTP/1.1 0 x\r\n",
    b"HTTP/1.1 99 x\r\n",
    b"HTTP/1.1 600 x\r\n",
    b"HTTP/1.1 1000 x\r\n",
    b"HTTP/1.1 99999999999999999999 x\r\n",
    b"HTTP/1.1 200\r\n",
    b"HTTP/1.1 200 \0\x1b[31mred\r\n",
    b"HTTP/1.1 503 " + "\u202eevil\u2028".encode() + b"\r\n",
    b"HTTP/1.1 500 " + b"x" * 70_000 + b"\r\n",
    b"HTTP/1.1 400 " + b"x" * 3_000 + b"\r\n",
    b"HTTP/9.9 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/0.9 200 OK\r\n",
    b"ICY 200 OK\r\n",
    b"http/1.1 200 OK\r\n",
    b"\xff\xfe\x00\x01\r\n",
    b"<html>\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
]
INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
]
HEADERS = [
    b"Content-Type: text/html",
    b"Content-Type: application/problem+json",
    b"Content-Type: application/json; charset=utf-16",
    b"Content-Type: \0",
    b"Retry-After: 0",
    b"Retry-After: 1",
    b"Retry-After: -5",
    b"Retry-After: 1.5",
    b"Retry-After: 99999999999999999999999999",
    b"Retry-After: nan",
    b"Retry-After: inf",
    b"Retry-After: 1e400",
    b"Retry-After: soon",
    b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
    b"Retry-After: Thu, 01 Jan 1970 00:00:00 GMT",
    b"Retry-After: Fri, 99 Xyz 2024 99:99:99 GMT",
    b"Retry-After: \xff\xfe",
    b"Location: http://127.0.0.1:9/",
    b"Location: javascript:alert(1)",
    b"Location: \x00",
    b"Content-Length: 0",
    b"Content-Length: -1",
    b"Content-Length: 5",
    b"Content-Length: 99999999",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: many",
    b"Content-Length: 1, 2",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: upgrade",
    b"Set-Cookie: a=b; Domain=.evil",
    b"X-RateLimit-Remaining: \xc3\x28",
    b"no colon at all",
    b": no name",
    b" folded",
    b"X-Long: " + b"x" * 70_000,
    b"\r\nX-Split: 1",
    *(
        b"Content-Encoding: " + name
        for name in (b"gzip", b"deflate", b"br", b"zstd", b"identity", b"x")
    ),
]
MANY_HEADERS = b"".join(b"X-%d: 1\r\n" % n for n in range(150))

SCALARS: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["A", "1", "products[0].price: no", "\0", "\x1b[2J", "\u202e", "\ud800", "x" * 60_000]
    ),
)
VALUES: Any = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
COUNTS: Any = st.one_of(st.integers(-1, 3), st.sampled_from(["1", "0", 1.0, 0.5, None, True]), SCALARS)
ERRORS: Any = st.one_of(
    VALUES,
    st.lists(
        st.one_of(
            st.sampled_from(["A: no", "no (A)", "", "B: no"]),
            st.fixed_dictionaries(
                {},
                optional={
                    "externalId": st.one_of(st.just("A"), SCALARS),
                    "external_id": st.just("A"),
                    "id": st.one_of(st.just("A"), SCALARS),
                    "index": st.one_of(st.integers(-2, 2), SCALARS),
                    "field": st.sampled_from(["products[0].price", "products[7].x", ""]),
                    "message": SCALARS,
                    "error": VALUES,
                },
            ),
        ),
        max_size=3,
    ),
)
SYNC: Any = st.fixed_dictionaries(
    {},
    optional={
        "synced": COUNTS,
        "created": COUNTS,
        "updated": COUNTS,
        "failed": COUNTS,
        "errors": ERRORS,
        "success": st.one_of(st.booleans(), SCALARS),
        "data": VALUES,
        "deleted": st.one_of(st.booleans(), SCALARS),
        "token": SCALARS,
        "jobId": SCALARS,
    },
)
ERROR: Any = st.fixed_dictionaries(
    {},
    optional={
        "code": SCALARS,
        "message": SCALARS,
        "details": ERRORS,
        "title": SCALARS,
        "detail": SCALARS,
        "status": SCALARS,
        "error": st.one_of(VALUES, st.fixed_dictionaries({"code": SCALARS, "message": SCALARS})),
        "retryAfter": SCALARS,
        "timestamp": SCALARS,
        "path": SCALARS,
    },
)
LISTED: Any = st.fixed_dictionaries(
    {},
    optional={
        "id": SCALARS,
        "externalId": st.one_of(st.sampled_from(["A", "", ".", "..", "x/y", "é" * 300]), SCALARS),
        "name": SCALARS,
        "price": st.one_of(st.just(10.0), SCALARS),
        "inStock": SCALARS,
        "createdAt": SCALARS,
    },
)
PAGE: Any = st.fixed_dictionaries(
    {},
    optional={
        "content": st.one_of(st.lists(st.one_of(LISTED, VALUES), max_size=3), VALUES),
        "page": SCALARS,
        "size": SCALARS,
        "totalElements": SCALARS,
        "totalPages": SCALARS,
    },
)
RAW_BODIES = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"OK",
    b"\xef\xbb\xbf{}",
    b"{",
    b'{"synced": 1',
    b'{"synced": NaN, "failed": Infinity}',
    b'{"synced": 1e999, "failed": 0}',
    b'{"synced": 1, "synced": 0, "failed": 0}',
    b'{"message": "\\ud800"}',
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b"<!doctype html><html><body>Sorry</body></html>",
    b"\xff\xfe\x00",
    "{}".encode("utf-16"),
    b"x" * 200_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
]


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


JSON_BODIES: Any = st.one_of(SYNC, ERROR, PAGE, VALUES).map(_encode)
BODIES: Any = st.one_of(JSON_BODIES, st.sampled_from(RAW_BODIES), st.binary(max_size=40))


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"


# How a body is framed: what stands in its headers, and the bytes themselves.
FRAMES: dict[str, Any] = {
    "length": lambda body: (b"Content-Length: %d" % len(body), body),
    "none": lambda body: (b"", body),
    "too long": lambda body: (b"Content-Length: %d" % (len(body) + 7), body),
    "too short": lambda body: (b"Content-Length: %d" % (len(body) // 2), body),
    "chunked": lambda body: (b"Transfer-Encoding: chunked", _chunked(body)),
    "cut off": lambda body: (b"Transfer-Encoding: chunked", _chunked(body)[:-5]),
    "bad chunks": lambda body: (b"Transfer-Encoding: chunked", b"zz\r\n" + body),
    "endless chunk": lambda body: (b"Transfer-Encoding: chunked", b"fffffff\r\n" + body),
    "both": lambda body: (b"Content-Length: 3\r\nTransfer-Encoding: chunked", _chunked(body)),
    "gzip": lambda body: _encoded(b"gzip", gzip.compress(body, mtime=0)),
    "half a gzip": lambda body: _encoded(b"gzip", gzip.compress(body, mtime=0)[:-9]),
    "bomb": lambda body: _encoded(b"gzip", gzip.compress(b" " * 2_000_000, mtime=0)),
    "deflate": lambda body: _encoded(b"deflate", zlib.compress(body)),
    "no gzip": lambda body: _encoded(b"gzip", body),
}


def _encoded(name: bytes, body: bytes) -> tuple[bytes, bytes]:
    return b"Content-Encoding: %s\r\nContent-Length: %d" % (name, len(body)), body


@st.composite
def scripts(draw: Any) -> Script:
    """Draw an answer: mostly sound, with one or several things that are not."""
    status = draw(st.one_of(st.sampled_from(SUCCESSES), st.sampled_from(KNOWN), st.integers(200, 999)))
    line = draw(st.one_of(*[st.just(b"HTTP/1.1 %d Any\r\n" % status)] * 5, st.sampled_from(ODD_LINES)))
    interim = b"".join(draw(st.lists(st.sampled_from(INTERIM), max_size=2)))
    names = st.one_of(st.just("length"), st.just("length"), st.sampled_from(list(FRAMES)))
    framing, body = FRAMES[draw(names)](draw(BODIES))
    more = draw(st.one_of(st.just([]), st.lists(st.sampled_from(HEADERS), max_size=3)))
    lines = [one for one in [framing, *more] if one]
    head = line + b"".join(one + b"\r\n" for one in lines)
    head += draw(st.sampled_from([b""] * 19 + [MANY_HEADERS]))
    trailing = draw(st.sampled_from([b""] * 9 + [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]))
    data = interim + head + b"\r\n" + body + trailing
    if draw(st.integers(0, 14)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    after = draw(st.sampled_from(["close"] * 8 + ["keep"] * 8 + ["reset"] * 3 + ["stall"]))
    return Script(data, after, early=draw(st.integers(0, 9)) == 0)
