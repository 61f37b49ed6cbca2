"""Whose fault a refusal is that names nobody (law 8): a row's own, or the configuration's.

A batch is narrowed down by halves until one row stands alone. The first few that stand alone and are
refused with one and the same message are no row's fault: everything pauses until a person looks. As
soon as anything was accepted, or two messages differ, the configuration works, and each is refused
for its own sake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from neuroon_django.delivery.channel import Request

Q = TypeVar("Q", bound=Request[Any])

MAX_PROVISIONAL = 3  # rows refused alone before their common message is the configuration's


class Blame(Generic[Q]):
    """Collects provisional rejections; `reject` makes one final, `give_back` lets rows be tried again.

    Both are given the requests of one row each, `reject` with the reason too.
    """

    def __init__(self, reject: Callable[[Q, str], None], give_back: Callable[[list[Q]], None]) -> None:
        self.reject = reject
        self.give_back = give_back
        self.provisional: list[tuple[Q, str]] = []
        self.messages: set[str] = set()  # of the provisional, without their names
        self.configuration_works = False

    def refused_alone(self, request: Q, reason: str, name: str) -> bool:
        """Note that a row alone was refused; return whether that is the configuration's fault now.

        `name` is how the row is named in messages: they are compared without it.
        """
        self.provisional.append((request, reason))
        self.messages.add(reason.replace(name, "…") if name else reason)
        if self.configuration_works or len(self.messages) > 1:
            self.accepted()
        elif len(self.provisional) == MAX_PROVISIONAL:
            self.release()
            return True
        return False

    def accepted(self) -> None:
        """Note that the configuration works: provisional rejections become final."""
        self.configuration_works = True
        provisional, self.provisional = self.provisional, []
        self.messages.clear()
        for request, reason in reversed(provisional):
            self.reject(request, reason)

    def release(self) -> None:
        """Give back the rows that were refused provisionally."""
        provisional, self.provisional = self.provisional, []
        self.messages.clear()
        self.give_back([request for request, _ in provisional])
