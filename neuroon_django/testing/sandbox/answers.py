"""How a sync is answered: PROD's counts, and the other shapes that a 2xx may have (API.md, Answer)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .messages import Answer

Shape = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a batch: the products that were taken, and the refusals and warnings shown."""

    created: int
    updated: int
    failed: int
    errors: Any

    @property
    def synced(self) -> int:
        """How many products were taken."""
        return self.created + self.updated

    @property
    def counts(self) -> Shape:
        """The counts by the names that PROD gives them."""
        written = {"synced": self.synced, "created": self.created, "updated": self.updated}
        return written | {"failed": self.failed}

    @property
    def answer(self) -> Shape:
        """PROD's whole answer."""
        return self.counts | {"errors": self.errors}

    def counted_as(self, kind: type) -> Shape:
        """Return PROD's answer with counts of another JSON type."""
        return {name: kind(n) for name, n in self.counts.items()} | {"errors": self.errors}

    @property
    def shown_errors(self) -> Shape:
        """The errors where there are any."""
        return {"errors": self.errors} if self.errors else {}


def _nulls(outcome: Outcome) -> Shape:
    nothing = dict.fromkeys(outcome.counts)
    return nothing | {"failed": outcome.failed or None, "errors": outcome.errors or None}


def _created_updated(outcome: Outcome) -> Shape:
    failed = {"failed": outcome.failed} if outcome.failed else {}
    counts = {"created": outcome.created, "updated": outcome.updated}
    return counts | failed | outcome.shown_errors


def _success(outcome: Outcome) -> Shape:
    shown = {"success": not outcome.failed, "productsCount": outcome.synced}
    return shown | outcome.shown_errors


ANSWER_STYLES: Mapping[str, Callable[[Outcome], Answer]] = {
    "counts": lambda outcome: Answer.from_json(outcome.answer),
    "created-updated": lambda outcome: Answer.from_json(_created_updated(outcome)),
    "success": lambda outcome: Answer.from_json(_success(outcome)),
    "strings": lambda outcome: Answer.from_json(outcome.counted_as(str)),
    "floats": lambda outcome: Answer.from_json(outcome.counted_as(float)),
    "nulls": lambda outcome: Answer.from_json(_nulls(outcome)),
    "data": lambda outcome: Answer.from_json({"data": outcome.answer}),
    "created": lambda outcome: Answer.from_json(outcome.answer, 201),
    "job": lambda outcome: Answer.from_json({"jobId": "job_1", "status": "QUEUED"}, 202),
    "no-content": lambda outcome: Answer(204),
    "empty": lambda outcome: Answer(200),
}
# They have no room for a refusal, so that one bad product refuses the whole batch.
SILENT_STYLES = {"job", "no-content", "empty"}
