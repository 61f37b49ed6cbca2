"""Primary keys longer than the app's tables have room for: told, left out, and in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from neuroon_django import OrderFeed, tasks
from neuroon_django.models import Change, Conversion, SyncedProduct
from tests.factories import COOKIE, current_shop
from tests.feeds_in_use import item_feed
from tests.shop.models import Voucher

pytestmark = pytest.mark.django_db(transaction=True)

ALTER = {
    "sqlite": "",  # it takes texts of any length
    "postgresql": "ALTER TABLE shop_voucher ALTER COLUMN key TYPE varchar({length})",
    "mysql": "ALTER TABLE shop_voucher MODIFY `key` varchar({length})",
}


@pytest.fixture
def long_keys() -> Iterator[None]:
    """Room for 400 characters in the column of vouchers' keys."""
    alter(400)
    yield
    Voucher.objects.all().delete()
    alter(Voucher._meta.pk.max_length or 0)


def alter(length: int) -> None:
    if statement := ALTER[connection.vendor]:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(length=length))


KEYS = ["a", "k" * 255, "k" * 256, "k" * 300, "z"]  # in the order of a scan, the long ones inside


@pytest.mark.parametrize("task", [tasks.flush_products, tasks.scan_catalogue])
@pytest.mark.parametrize("page", [500, 1])
def test_law_08_products_with_long_keys_are_left_out_and_hold_up_no_other(
    neuroon, settings, monkeypatch, use_feeds, caplog, long_keys, task, page
):
    settings.NEUROON_AUTO_SYNC = False
    monkeypatch.setattr("neuroon_django.delivery.scan.PAGE", page)
    use_feeds((Voucher, item_feed(external_id="title")))
    for number, key in enumerate(KEYS):
        Voucher.objects.create(key=key, title=f"V{number}")
    task()
    assert sorted(neuroon.products) == ["V0", "V1", "V4"]
    assert (SyncedProduct.objects.count(), Change.objects.count()) == (3, 0)
    assert "key_too_long model=shop.voucher most=255" in caplog.text
    Voucher.objects.all().delete()
    tasks.flush_products()
    assert not neuroon.products


def test_law_08_orders_with_long_keys(neuroon, flush_orders, use_feeds, long_keys):
    entries = {"order_value": 1, "is_paid": False, "clicks": lambda feed, order: COOKIE}
    use_feeds((Voucher, type("Orders", (OrderFeed,), entries)))
    for key in KEYS:
        Voucher.objects.create(key=key)
    flush_orders()
    assert sorted(Conversion.objects.values_list("object_pk", flat=True)) == ["a", "k" * 255, "z"]
    assert not Change.objects.exists()
    assert current_shop().pk


def test_a_command_names_the_model(neuroon, use_feeds, monkeypatch):
    monkeypatch.setattr(Voucher._meta.pk, "max_length", 400)
    use_feeds((Voucher, item_feed(external_id="title")))
    told = r"the primary key of Voucher, key, may be longer than 255 characters.*\(neuroon.E009\)"
    with pytest.raises(CommandError, match=told):
        call_command("neuroon_sync")
