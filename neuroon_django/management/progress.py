"""Progress: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import OutputWrapper
from tqdm import tqdm

EVERY = 10.0  # seconds between plain lines


class Progress:
    """Counts products up to a total, which may turn out to be larger."""

    def __init__(self, total: int, out: OutputWrapper, err: OutputWrapper) -> None:
        self.out = out
        terminal = err.isatty()
        self.bar: tqdm[Any] | None = None
        if terminal:
            self.bar = tqdm(total=total, file=vars(err)["_out"], unit=" products", dynamic_ncols=True)
        self.total = total
        self.started = self.printed = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.close()

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
        return f"{done:,} of {self.total:,} products, {rate:,.0f} a second, {left:,.0f} s left"
