"""The facts of a shop: on one clock, and cheap where statistics mislead a database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from neuroon_django.models import Conversion, ShopState, SyncedProduct
from neuroon_django.models.sql import DbNow
from neuroon_django.operations.status import status_of
from neuroon_django.operations.wording import ago
from tests.factories import current_shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("zone", ["America/Lima", "Asia/Tokyo"])
def test_the_databases_clock_and_this_machines_are_one(neuroon, settings, use_tz, zone):
    settings.TIME_ZONE = zone
    settings.USE_TZ = use_tz
    connection.close()
    shop = current_shop()
    ShopState.objects.note_run(shop.pk)
    due = {"due_at": DbNow(), "waiting_since": DbNow()}
    SyncedProduct.objects.create(shop=shop, key="1", external_id="A", **due)
    shop.refresh_from_db()
    assert abs(ago(shop.run_at)) < 60
    assert abs(status_of(shop).queue_age) < timedelta(minutes=1)
    row = SyncedProduct.objects.get()
    assert abs(row.due_at - timezone.now()) < timedelta(minutes=1)
    connection.close()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="plans of SQLite")
@pytest.mark.parametrize("model", [SyncedProduct, Conversion])
def test_what_waits_is_found_by_index_whatever_the_statistics_say(neuroon, model):
    shop = current_shop()
    model.objects.bulk_create(model(shop=shop, key=f"{n}", model="m") for n in range(300))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        try:
            plan = model.objects.of(shop).of_labels(["m", "o"]).waiting().explain()
        finally:
            cursor.execute("DELETE FROM sqlite_stat1")
            connection.close()
    assert "SEARCH" in plan and "due_at>?" in plan
