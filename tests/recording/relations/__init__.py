"""Every relation kind that a feed can read, and every way in which it can change.

A relation arranges products A to D around its objects `one` and `two`; each of its public methods is
a change, and returns the products whose payload it alters. Classes of one family share them.
"""

from __future__ import annotations

from tests.recording.relations import forward, many, own, reverse
from tests.recording.relations.forward import Relation
from tests.recording.relations.many import Many

__all__ = ["Many", "Relation", "forward", "kinds", "many", "own", "reverse"]


def kinds(family: type[Relation] = Relation) -> list[type[Relation]]:
    """Every relation kind that can be tried."""
    found = [family] if "path" in vars(family) or hasattr(family, "path") else []
    return found + [kind for child in family.__subclasses__() for kind in kinds(child)]
