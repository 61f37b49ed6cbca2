"""The verdict on a shop: one sentence, with its cause, that a person reads first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from neuroon_django.operations.phrases import changed, phrase, plural
from neuroon_django.operations.problems import Problem, problem
from neuroon_django.operations.status import Status
from neuroon_django.operations.wording import sentence


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
    live = changed(_live(status), lambda done: done.rstrip("."))
    text = phrase("{live}; {need}", live=live, need=_need(status, ordered))
    return Verdict("amber", sentence(text), ordered)


def unreadable(error: Exception) -> Verdict:
    """Return the verdict on a shop whose tables cannot be read."""
    cause = " ".join(str(error).split())
    found = problem(phrase("The app's tables cannot be read: {cause}", cause=cause), "migrations")
    return Verdict("red", sentence(found.text), [found])


def _live(status: Status) -> str:
    """Return "All 19,434 products are live." or how many are, and how many are queued."""
    live, rejected = status.products["synced"], status.products["rejected"]
    queued = status.queued + status.changes
    if not (queued or rejected) and live:
        return plural(live, "The only product is live.", "All {n} products are live.")
    text = plural(live, "{n} product is live", "{n} products are live")
    if not queued:
        return sentence(text)
    waiting = plural(queued, "{n} is queued", "{n} are queued")
    return sentence(phrase("{text}; {waiting}", text=text, waiting=waiting))


def _need(status: Status, problems: list[Problem]) -> str:
    """Return what needs a person: the rejected products by reason, else the first problem."""
    products = status.rejections[0]
    if problems[0].action == "retry" and products.total:
        need = plural(products.total, "{n} needs you", "{n} need you")
        return phrase("{need}: {reasons}", need=need, reasons=products.reason_list)
    return changed(problems[0].text, _within)


def _within(text: str) -> str:
    """Return a sentence as it goes on behind another one."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
