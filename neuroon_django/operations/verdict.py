"""The verdict on a shop: one sentence, with its cause, that a person reads first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from neuroon_django.operations.problems import Problem, problem
from neuroon_django.operations.status import Status
from neuroon_django.operations.wording import count, is_or_are, sentence


@dataclass(frozen=True)
class Verdict:
    """Green: nothing needs a person. Amber: something does. Red: the shop's search suffers.

    `problems` are all that was found, the worst first; the sentence is about the first one.
    """

    level: Literal["green", "amber", "red"]
    text: str
    problems: list[Problem]

    def as_json(self) -> dict[str, Any]:
        """Return the level and the sentence."""
        return {"level": self.level, "text": self.text}


def judge(status: Status, problems: list[Problem]) -> Verdict:
    """Return the verdict on the facts of a shop and what is wrong with them."""
    ordered = sorted(problems, key=lambda one: one.level != "red")
    if not ordered:
        return Verdict("green", _live(status), [])
    if ordered[0].level == "red":
        return Verdict("red", sentence(ordered[0].text), ordered)
    text = f"{_live(status).rstrip('.')}; {_need(status, ordered)}"
    return Verdict("amber", sentence(text), ordered)


def unreadable(error: Exception) -> Verdict:
    """Return the verdict on a shop whose tables cannot be read."""
    cause = " ".join(str(error).split())
    found = problem(f"The app's tables cannot be read: {cause}", "migrations")
    return Verdict("red", sentence(found.text), [found])


def _live(status: Status) -> str:
    """Return "All 19,434 products are live." or how many are, and how many are queued."""
    live, rejected = status.products["synced"], status.products["rejected"]
    queued = status.queued + status.changes
    if not (queued or rejected) and live:
        return f"All {count(live, 'product')} are live." if live > 1 else "The only product is live."
    text = f"{count(live, 'product')} {is_or_are(live)} live"
    return f"{text}; {queued:,} {is_or_are(queued)} queued." if queued else f"{text}."


def _need(status: Status, problems: list[Problem]) -> str:
    """Return what needs a person: the rejected products by reason, else the first problem."""
    products = status.rejections[0]
    if problems[0].action == "retry" and products.total:
        verb = "needs" if products.total == 1 else "need"
        return f"{products.total:,} {verb} you: {products.reason_list}"
    text = problems[0].text
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
