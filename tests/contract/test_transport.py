"""The transport over raw sockets: one request, one final answer, and nothing else is believed."""

from __future__ import annotations

import gzip
import threading
import time

import pytest
import urllib3

from neuroon_django import exceptions
from neuroon_django.api import Client, transport
from tests.contract.wire import OK, Peer, Wire, answer
from tests.naming import case

BIG = b'{"externalId":"A","name":"' + b"x" * 8_000_000 + b'"}'


def connect(wire: Wire, timeout: float = 5) -> Client:
    return Client(api_url=wire.url, shop_id="s", api_key="sk_1", timeout=timeout)


def answering(*answers: bytes) -> Wire:
    """Return a server that gives each request the next of these bytes, the last for ever."""

    def serve(peer: Peer) -> None:
        for n in range(1000):
            wire.requests.append(peer.read())
            peer.write(answers[min(n, len(answers) - 1)])

    wire = Wire(serve)
    return wire


# Law 15: a connection that saw anything but one final answer is closed


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n",
        b"HTTP/1.1 199 Odd\r\n\r\n" * 5,
    ],
    ids=case,
)
def test_law_15_interim_answers_are_skipped_and_end_the_connection(interim):
    with answering(interim + answer(b'{"n": 1}')) as wire, connect(wire) as client:
        for _ in range(2):
            assert client.me() == {"n": 1}
        assert wire.connections == 2


def test_law_15_an_endless_row_of_interim_answers_is_an_error():
    with answering(b"HTTP/1.1 102 Processing\r\n\r\n" * 500) as wire, connect(wire) as client:
        with pytest.raises(exceptions.Unavailable) as caught:
            client.me()
        assert caught.value.unknown


@pytest.mark.parametrize(
    "extra",
    [OK, b"garbage", b"\r\n", b"HTTP/1.1 200 OK\r\n"],
    ids=["a second answer", "garbage", "an empty line", "half an answer"],
)
def test_law_15_bytes_behind_an_answer_end_the_connection(extra):
    with answering(answer(b'{"n": 1}') + extra) as wire, connect(wire) as client:
        for _ in range(3):
            assert client.me() == {"n": 1}
        assert wire.connections == 3


def test_law_15_a_chunked_answer_with_more_behind_it_ends_the_connection():
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"n": 1}\r\n0\r\n\r\n'
    with answering(chunked, chunked + OK, chunked) as wire, connect(wire) as client:
        for _ in range(3):
            assert client.me() == {"n": 1}
        assert wire.connections == 2


def test_law_15_one_answer_each_keeps_the_connection():
    with answering(OK) as wire, connect(wire) as client:
        for _ in range(5):
            client.me()
        assert wire.connections == 1


def test_law_15_a_late_answer_is_not_taken_for_the_next_request_s():
    """It comes while the connection is idle, or when the next request is about to leave."""
    late = threading.Event()

    def serve(peer: Peer) -> None:
        peer.read()
        peer.write(answer(b'{"n": 1}'))
        if wire.connections == 1:
            late.wait(5)
            peer.write(answer(b'{"n": "late"}'))
        peer.read()
        peer.write(answer(b'{"n": 2}'))

    wire = Wire(serve)
    with wire, connect(wire) as client:
        assert client.me() == {"n": 1}
        late.set()
        [pool] = list(client.session.get_adapter(wire.url).poolmanager.pools._container.values())
        [connection] = [one for one in pool.pool.queue if one]
        urllib3.util.wait.wait_for_read(connection.sock, 5)
        assert client.me() == {"n": 1}  # by another connection
        assert wire.connections == 2


def test_law_15_an_answer_before_anything_was_sent_confirms_nothing():
    def serve(peer: Peer) -> None:
        peer.write(answer(b'{"synced": 1, "failed": 0}'))
        peer.read()

    with Wire(serve) as wire, connect(wire) as client:
        pools = client.session.get_adapter(wire.url).poolmanager
        connection = pools.connection_from_url(wire.url)._get_conn()
        connection.timeout = 5
        connection.connect()
        urllib3.util.wait.wait_for_read(connection.sock, 5)
        connection.request("POST", "/", body=b"x" * 100)
        assert connection.is_early
        assert connection.getresponse().status == 200
        assert connection.sock is None


@pytest.mark.parametrize(
    ("early", "kind"),
    [
        (answer(b'{"synced": 1, "failed": 0}'), exceptions.InvalidAnswer),
        (answer(b'{"message": "too large"}', "413 Payload Too Large"), exceptions.Refused),
        (answer(b"{}", "401 Unauthorized"), exceptions.KeyRefused),
    ],
    ids=["200", "413", "401"],
)
def test_law_15_an_answer_before_the_body_was_sent(early, kind):
    """A refusal is believed, a success confirms nothing; no other request goes by this connection."""

    def serve(peer: Peer) -> None:
        if wire.connections > 1:
            peer.read()
            peer.write(OK)
            return
        peer.read_head()
        peer.write(early)
        while peer.sock.recv(1 << 20):
            pass

    wire = Wire(serve)
    with wire, connect(wire) as client:
        with pytest.raises(exceptions.ApiError) as caught:
            client.sync_products([BIG], ["A"], "plugin")
        assert type(caught.value) is kind
        assert caught.value.unknown is (kind is exceptions.InvalidAnswer)
        client.me()
        assert wire.connections == 2


# Law 15: identity only, bounded, no credentials but the key


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"GZIP", b"gzip, identity"])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
def test_law_15_an_encoded_answer_is_refused_unread(encoding, status):
    bomb = gzip.compress(b"0" * 50_000_000)
    encoded = answer(bomb, status, b"Content-Encoding: " + encoding)
    with answering(encoded) as wire, connect(wire) as client:
        with pytest.raises(exceptions.ApiError) as caught:
            client.me()
        assert b"Accept-Encoding: identity\r\n" in wire.requests[0]
    expected = exceptions.InvalidAnswer if status[0] == "2" else exceptions.Refused
    assert type(caught.value) is expected


def test_law_15_the_body_of_a_redirect_is_not_read_and_nothing_is_followed():
    bomb = answer(
        gzip.compress(b"0" * 50_000_000), "302 Found", b"Content-Encoding: gzip", b"Location: /x"
    )
    with answering(bomb) as wire, connect(wire) as client:
        for method in (client.me, client.issue_token):
            with pytest.raises(exceptions.Unexpected):
                method()
        assert len(wire.requests) == 2


def test_law_15_netrc_and_cookies_are_no_part_of_a_request(tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login thief password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with (
        answering(answer(b"{}", "200 OK", b"Set-Cookie: a=b; Path=/")) as wire,
        connect(wire) as client,
    ):
        client.me()
        client.me()
        sent = b"".join(wire.requests).lower()
    assert b"authorization" not in sent
    assert b"cookie" not in sent


# Law 18: no answer crashes a request


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 400 \x00\x1b[31mBad\x9b0m\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 400 " + b"x" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 \x00\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\x16\x03\x01\x00\x00",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: x\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 429 \xff\r\nRetry-After: \x00\xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: \x00; charset=\xff\r\nSet-Cookie: \x00\r\n\r\n[",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_law_18_each_odd_answer_is_a_named_error(raw):
    def serve(peer: Peer) -> None:
        peer.read()
        peer.write(raw)

    with Wire(serve) as wire, connect(wire) as client, pytest.raises(exceptions.ApiError) as caught:
        client.me()
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 600


def test_an_answer_without_length_and_body_is_none_to_a_batch():
    def serve(peer: Peer) -> None:
        peer.read()
        peer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    with (
        Wire(serve) as wire,
        connect(wire) as client,
        pytest.raises(exceptions.InvalidAnswer) as caught,
    ):
        client.sync_products([b"{}"], ["A"], "plugin")
    assert caught.value.unknown


# Law 5: a request begins in time, or not at all


def test_law_05_no_byte_leaves_after_its_time(monkeypatch):
    """As when the machine was suspended, or the connection took long."""
    connected = urllib3.util.connection.create_connection

    def slow(*args, **kwargs):
        made = connected(*args, **kwargs)
        now[0] += 10
        return made

    now = [transport.clock()]
    monkeypatch.setattr(transport, "clock", lambda: now[0])
    monkeypatch.setattr(urllib3.util.connection, "create_connection", slow)
    with answering(OK) as wire, connect(wire) as client:
        with transport.begin_by(now[0] + 5), pytest.raises(transport.TooLate):
            client.me()
        assert wire.requests == []
        with transport.begin_by(now[0] + 15):
            client.me()
        assert len(wire.requests) == 1


def test_law_05_a_request_that_nobody_reads_is_over_in_time():
    done = threading.Event()

    def serve(peer: Peer) -> None:
        peer.read_head()
        done.wait(10)

    with Wire(serve) as wire, connect(wire, timeout=0.5) as client:
        began = time.monotonic()
        with pytest.raises(exceptions.Unavailable) as caught:
            client.sync_products([BIG], ["A"], "plugin")
        # Not how fast: that the clock runs from the first byte to the last.
        assert time.monotonic() - began < 4
        assert caught.value.unknown
    done.set()
