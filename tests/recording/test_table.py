"""The table: change kind × relation kind, each cell over real commits and real sockets.

Each cell proves which products the change rows lead to, and that exactly those are sent (law 10).
"""

from __future__ import annotations

import pytest

from neuroon_django.feeds.paths import hop, walk
from tests.recording import relations
from tests.shop.models import Item, Unrelated

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = list(dict.fromkeys(relations.kinds()))
REQUIRED = {
    "forward": {"create", "save", "delete", "re_point"},
    "reverse": {"create", "save", "delete", "re_point"},
    "generic": {"create", "save", "delete", "re_point", "to_another_model"},
    "many": set(relations.Many.changes) - {"create_back"},
}
CELLS = [(kind, change) for kind in KINDS for change in kind.changes]


@pytest.mark.parametrize(
    ("kind", "change"), CELLS, ids=[f"{kind.__name__}-{change}" for kind, change in CELLS]
)
def test_law_10_exactly_the_products_that_hang_on_it_are_sent(
    kind, change, neuroon, flush, use_items, looked_at
):
    use_items(kind.model, tags=kind.path)
    relation = kind()
    relation.prepare()
    flush()
    before = set(neuroon.products)
    neuroon.clear()
    Unrelated.objects.create(name="unrelated")
    expected = set(getattr(relation, change)())
    looked = looked_at()
    assert expected <= looked <= expected | set(relation.also_looked_at)
    tally = flush()
    assert tally.stopped == ""
    sent = [external_id for request in neuroon.sync_requests for external_id in request.external_ids]
    assert sorted(sent) == sorted(expected)
    alive = set(kind.model._default_manager.values_list("code", flat=True))
    assert set(neuroon.products) == alive
    assert (before | expected) - alive == before - alive


def required(kind: type[relations.Relation]) -> set[str]:
    """What can happen to the last relation of the path."""
    hops, _ = walk(kind.model, kind.path)
    if not hops:
        return {"create", "save"}
    own_table = getattr(hops[-1].field, "parent_link", False)
    return REQUIRED[hops[-1].kind] - ({"re_point"} if own_table else set())


def test_the_table_has_no_empty_cell():
    """Each relation of the product model is in the table, and with each change that it can have."""
    read = {hops[0].attr for kind in KINDS if (hops := walk(Item, kind.path)[0])}
    there = {step.attr for field in Item._meta.get_fields() if (step := hop(Item, field.name))}
    assert there - read == set()
    empty = {kind.__name__: required(kind) - set(kind.changes) for kind in KINDS}
    assert {name: changes for name, changes in empty.items() if changes} == {}
    assert len(CELLS) > 250
