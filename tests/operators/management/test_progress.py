"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import pty
import struct
import sys
import termios
import threading
from contextlib import suppress

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand

from tests.factories import make_order, make_product
from tests.operators.commands import neuroon_sync, printed, summary

pytestmark = pytest.mark.django_db(transaction=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(neuroon):
    for n in range(3):
        make_product(f"P-{n}")
    out, err = io.StringIO(), Terminal()
    call_command("neuroon_sync", stdout=out, stderr=err)
    assert printed(out) == summary(sent=3, created=3, requests=2)
    assert "100%" in err.getvalue()
    assert "3/3" in err.getvalue()


def test_plain_lines_elsewhere(neuroon, monkeypatch):
    monkeypatch.setattr("neuroon_django.management.progress.EVERY", 0)
    make_product("A")
    *lines, _rest = neuroon_sync().partition("Products sent")
    assert lines[0].splitlines()[-1].startswith("1 of 1, ")


class Screen:
    """A terminal of 60 columns, and what stands on it when a command has ended."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        self.stream = os.fdopen(slave, "w")
        self.received = bytearray()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the end of a terminal that nobody writes to any more
            while data := os.read(self.master, 4096):
                self.received += data

    def lines(self) -> list[str]:
        """Return its lines, where a carriage return goes back to the first column."""
        self.stream.close()
        self.reader.join(10)
        os.close(self.master)
        lines = []
        for written in self.received.decode().replace("\r\n", "\n").split("\n"):
            line = ""
            for part in written.split("\r"):
                line = part + line[len(part) :]
            lines.append(line.rstrip())
        return lines


class Outer(BaseCommand):
    """A command of the shop's, which runs ours with its own streams."""

    def handle(self, *args: object, **options: object) -> None:
        call_command("neuroon_sync", stdout=self.stdout, stderr=self.stderr)


def test_one_bar_on_one_line_with_the_logs_above_it_through_a_command_of_the_shops(neuroon, settings):
    settings.NEUROON_BATCH_SIZE = 1
    gone = make_product("GONE")
    neuroon_sync()
    gone.delete()
    products = [make_product(f"P-{n}", price=None if n == 2 else "10.00") for n in range(4)]
    make_order("1001", products[0])
    screen, out = Screen(), io.StringIO()
    handler = logging.StreamHandler(screen.stream)
    logger = logging.getLogger("neuroon_django")
    logger.addHandler(handler)
    sys_stderr, sys.stderr = sys.stderr, screen.stream
    try:
        with pytest.raises(CommandError, match="1 product was rejected"):
            call_command(Outer(), stdout=out, stderr=screen.stream)
    finally:
        sys.stderr = sys_stderr
        logger.removeHandler(handler)
    lines = screen.lines()
    bars = [line for line in lines if "%|" in line]
    assert len(bars) == 1
    assert bars[0].startswith("100%|")
    assert " 6/6 [" in bars[0]
    assert len(bars[0]) < 60
    assert "rejected products=1 examples='P-2' reason=no price" in lines
    assert lines.index(bars[0]) > lines.index("rejected products=1 examples='P-2' reason=no price")
    assert printed(out).endswith("Took 0 s. How things stand: manage.py neuroon_status\n")
