"""What came of claimed rows, collected in memory until one statement settles them all.

The subclasses beside the models name what can come of a product or an order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.utils import timezone

if TYPE_CHECKING:
    from neuroon_django.models.delivery import Delivery

R = TypeVar("R", bound="Delivery")


class Outcomes(Generic[R]):
    """What came of some claimed rows; the subclasses name what can come of theirs.

    `delay` is after how many seconds the rows that are tried again are due. With `keeps_lease` they
    stay leased: an earlier attempt of unknown outcome may still be on its way (law 5).
    """

    def __init__(self, delay: float = 0, *, keeps_lease: bool = False) -> None:
        self.delay = delay
        self.keeps_lease = keeps_lease
        self.at = timezone.now()
        self.rows: list[R] = []
        self.columns: dict[str, dict[int, Any]] = {}
        self.retried: set[int] = set()
        self.final: set[int] = set()

    def _failed(self, row: R, reason: str, **values: Any) -> None:
        """Note that a row did not go, why, and when that was."""
        self._add(row, last_error=reason, failed_at=self.at, **values)

    def _add(self, row: R, *, retry: bool = False, final: bool = False, **values: Any) -> None:
        """Note a row's new values, whether it is tried again, and whether it is closed for good."""
        self.rows.append(row)
        for name, value in values.items():
            self.columns.setdefault(name, {})[row.pk] = value
        if retry:
            self.retried.add(row.pk)
        if final:
            self.final.add(row.pk)
