"""Log lines: an event's name and its facts, never a payload, and never the key at any level."""

from __future__ import annotations

import logging
import re
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from neuroon_django import clicks
from tests.factories import make_product
from tests.operators.commands import neuroon_sync
from tests.shop.models import Order

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = re.compile(r"[a-z]+(_[a-z]+)*( [a-z_]+=.*)?(: .+)?")


def test_events_without_payloads_and_law_15_without_the_key(neuroon, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    good = make_product("A", description="A secret recipe")
    make_product("B", price=None)
    make_product("C")
    token = clicks.current.set('{"A": "search-1"}')
    order = Order.objects.create(number="1001", total=Decimal("20"), status="paid")
    order.lines.create(product=good, quantity=2, total=Decimal("20"))
    clicks.current.reset(token)
    neuroon.reject = {"C": "bad word"}
    with neuroon.faulty("status", status=401), pytest.raises(CommandError):
        neuroon_sync()
    call_command("neuroon_verify")
    with pytest.raises(CommandError):
        neuroon_sync()
    ours = [r for r in caplog.records if r.name.startswith("neuroon_django")]
    lines = [record.getMessage() for record in ours if "sandbox" not in record.name]
    assert [line for line in lines if not EVENT.fullmatch(line)] == []
    assert {line.partition(" ")[0] for line in lines} == {
        "paused",
        "resumed",
        "domain_verified",
        "token_issued",
        "route_found",
        "rejected",
        "run_ended",
        "conversion_sent",
    }
    everything = "\n".join(record.getMessage() for record in caplog.records) + str(capsys.readouterr())
    assert neuroon.api_key not in everything
    assert "secret recipe" not in "\n".join(lines)
