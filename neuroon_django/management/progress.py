"""Progress: one bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack
from typing import Any

from django.core.management.base import OutputWrapper
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

EVERY = 10.0  # seconds between plain lines


class Progress:
    """Counts products and orders up to a total, which may turn out to be larger.

    While a bar is shown, the lines that loggers write to the terminal go above it.
    """

    def __init__(self, total: int, out: OutputWrapper, err: OutputWrapper) -> None:
        self.total = total
        self.out = out
        self.terminal = _unwrapped(err) if err.isatty() else None
        self.bar: tqdm[Any] | None = None
        self.started = self.printed = time.monotonic()
        self._open = ExitStack()

    def __enter__(self) -> Progress:
        if self.terminal is not None:
            columns = _columns(self.terminal)
            self.bar = self._open.enter_context(
                tqdm(total=self.total, file=self.terminal, unit=" items", ncols=columns - 1, position=0)
            )
            self._open.enter_context(logging_redirect_tqdm(_loggers_with_handlers()))
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def show(self, done: int) -> None:
        """Show that so many are done."""
        self.total = max(self.total, done)
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.set_postfix_str("", refresh=False)
            self.bar.update(done - self.bar.n)
        elif time.monotonic() - self.printed >= EVERY:
            self.printed = time.monotonic()
            self.out.write(self._line(done))
            self.out.flush()

    def wait(self, text: str) -> None:
        """Show what is waited for, as nothing moves meanwhile."""
        if self.bar is not None:
            self.bar.set_postfix_str(text)
        else:
            self.out.write(text)
            self.out.flush()

    def _line(self, done: int) -> str:
        rate = done / (time.monotonic() - self.started)
        left = (self.total - done) / rate if rate else 0
        return f"{done:,} of {self.total:,}, {rate:,.0f} a second, {left:,.0f} s left"


def _unwrapped(out: Any) -> Any:
    """Return the stream behind Django's wrappers, which begin a line with each write.

    A command that calls another one hands its own wrapper over, which is wrapped once more.
    """
    while isinstance(out, OutputWrapper):
        out = vars(out)["_out"]
    return out


def _columns(terminal: Any) -> int:
    """Return the terminal's width, 80 where it does not know: a line that is longer would wrap."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _loggers_with_handlers() -> list[logging.Logger]:
    """Return the loggers whose lines may go to the terminal; a project configures any of them."""
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(one for one in named if isinstance(one, logging.Logger) and one.handlers)]
