"""Where a scan is: what the shop's row remembers of it, so that any worker may go on with it."""

from __future__ import annotations

import json
from typing import NamedTuple

# The walks of a scan: the catalogue, the mirror, and the rows that both have found absent.
SHOP, MIRROR, ABSENT = "shop", "mirror", "absent"


class Position(NamedTuple):
    """Where a scan is, as the shop's row keeps it in JSON; "" there says that none is under way."""

    walk: str = ""  # "" for a scan that was asked for and has not begun
    label: str = ""  # the feed's, in the walk over the catalogue
    after: str = ""  # the last key seen
    counts: dict[str, int] = {}  # how many products of each label Neuroon had when it began
    failed: str = ""  # the first feed that could not be read; it is read again later
    failures: int = 0  # how often in a row that was so
    forced: bool = False  # whatever is absent goes, however much it is
    kept: tuple[str, ...] = ()  # labels of which nothing goes, in the walk over what is absent
    walked: tuple[str, ...] = ()  # labels that were gone through, by processes that know them

    @classmethod
    def read(cls, text: str) -> Position:
        """Return the position that was written as `text`."""
        position = cls(*json.loads(text))
        return position._replace(kept=tuple(position.kept), walked=tuple(position.walked))

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)


FORCED = str(Position(forced=True))
