"""Rejected rows, counted by reason: what `neuroon_sync`, `neuroon_status` and the admin say of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count

from neuroon_django.operations.cures import CURES
from neuroon_django.operations.phrases import phrase
from neuroon_django.operations.wording import count, sentence, shorten

REASONS = 3  # reasons that are named, the most frequent ones
BESIDE_OTHERS = 40  # characters of a reason among several


@dataclass
class Rejections:
    """The rejected rows of one kind: how many, their most frequent reasons, and some by name."""

    noun: str
    total: int
    reasons: list[tuple[str, int]]
    examples: list[str] = field(default_factory=list)
    earlier: bool = False  # by another run than the one that tells

    @property
    def text(self) -> str:
        """Return "3 products were rejected (2 × no price, 1 × no name)", or "rejected earlier: …"."""
        rejected = count(self.total, self.noun)
        template = "{rejected} was rejected" if self.total == 1 else "{rejected} were rejected"
        text, reasons = phrase(template, rejected=rejected), self.reason_list
        if self.earlier:
            return phrase("{text} earlier: {reasons}", text=text, reasons=reasons)
        return phrase("{text} ({reasons})", text=text, reasons=reasons)

    @property
    def cure(self) -> str:
        """Return what the shop has to do about them."""
        return phrase(CURES["rejected"].text, them=phrase("it" if self.total == 1 else "them"))

    @property
    def action(self) -> str:
        """Return the name of the overview's button that tries them again."""
        return "retry_orders" if self.noun == "order" else CURES["rejected"].action

    @property
    def lines(self) -> list[str]:
        """Return the sentence, the examples, and how many further ones there are."""
        if not self.total:
            return []
        more = self.total - len(self.examples)
        rest = [f"… and {more:,} more"] if more and not self.earlier else []
        return [f"{sentence(self.text)} {self.cure}", *self.examples, *rest]

    @property
    def reason_list(self) -> str:
        """Return "2 × no price, 1 × no name", or the reason alone where it is the only one."""
        named = self.reasons[:REASONS]
        others = self.total - sum(n for _, n in named)
        if len(named) == 1 and not others:
            return shorten(named[0][0])
        texts = [f"{n:,} × {shorten(reason, BESIDE_OTHERS)}" for reason, n in named]
        return ", ".join([*texts, f"{others:,} for other reasons"] if others else texts)


def rejections_of(rows: Any, noun: str, total: int) -> Rejections:
    """Group the rejected ones among these rows by reason; no query where there are none."""
    grouped = rows.filter(status="rejected").order_by().values_list("last_error")
    reasons = grouped.annotate(n=Count("pk")).order_by("-n", "last_error")[:REASONS]
    return Rejections(noun, total, list(reasons) if total else [])
