"""Metrics in Prometheus' text format, read by Prometheus' own parser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from neuroon_django.exceptions import KeyRefused
from neuroon_django.models import Change
from neuroon_django.models.index_times import add_times, quantile
from neuroon_django.operations.metrics import METRICS, prometheus
from neuroon_django.operations.status import status_of
from neuroon_django.operations.verification import Verification
from tests.factories import current_shop, make_order, make_product
from tests.operators.commands import run

pytestmark = pytest.mark.django_db(transaction=True)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return the values by the metric's name and its labels' values."""
    return {
        (sample.name.removeprefix("neuroon_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_of_a_shop(neuroon, flush, flush_orders):
    product = make_product("A")
    make_product("B", price=None)
    flush()
    make_order("1001", product)
    flush_orders()
    list(Verification(current_shop().config).run())
    make_product("C")
    Change.objects.update(created_at=timezone.now() - timedelta(hours=1))
    current_shop().endpoint("products").failed(KeyRefused("no", method="POST", path="p", status=401))
    requests = len(neuroon.requests)
    read = samples(run("neuroon_status", "--prometheus"))
    assert len(neuroon.requests) == requests
    assert read["up", "default"] == 1
    assert read["products", "default", "synced"] == 1
    assert read["products", "default", "rejected"] == 1
    assert read["conversions", "default", "sent"] == 1
    assert read["changes", "default"] == 2
    assert 3_600 <= read["queue_age_seconds", "default"] < 3_700
    assert read["blocked", "default", "token"] == 1
    assert 0 <= read["token_age_seconds", "default"] < 60
    assert read["index_seconds", "default", "0.5"] >= 1
    assert read["index_seconds", "default", "0.95"] >= read["index_seconds", "default", "0.5"]
    now = timezone.now().timestamp()
    for moment in ("success", "run", "scan"):
        assert now - 60 < read[f"last_{moment}_timestamp_seconds", "default"] <= now


def test_how_long_edits_took_survives_a_run_that_read_the_row_before():
    """Such as a run over the orders, which notes its successes too."""
    products, orders = current_shop(), current_shop()
    products.note_success([3.0])
    orders.note_success()
    assert current_shop().index_times == add_times({}, [3.0])


def test_each_metric_is_described_once_whatever_the_number_of_shops(neuroon):
    status = status_of(current_shop())
    shops = {"es": status, 'u"k\\': status}
    families = list(text_string_to_metric_families(prometheus(shops)))
    names = [f"neuroon_{metric.name}" for metric in METRICS]
    assert [family.name for family in families] == [name for name in names if name in _names(families)]
    assert len({family.name for family in families}) == len(families)
    [up] = [family for family in families if family.name == "neuroon_up"]
    assert [sample.labels["shop"] for sample in up.samples] == ["es", 'u"k\\']


def _names(families: list) -> set[str]:
    return {family.name for family in families}


def test_the_metrics_cost_a_constant_number_of_queries(neuroon, flush, django_assert_max_num_queries):
    for n in range(5):
        make_product(str(n), price=None)
    flush()
    shop = current_shop()
    with django_assert_max_num_queries(8):
        prometheus({"default": status_of(shop)})


def test_law_17_switched_off_the_metrics_say_so(neuroon, settings):
    settings.NEUROON_ENABLED = False
    assert samples(run("neuroon_status", "--prometheus"))["up", "default"] == 0


# The histogram of how long live edits take


@pytest.mark.parametrize(
    ("times", "half", "most"),
    [
        ([], None, None),
        ([0.2], 1.0, 1.0),
        ([2.0] * 90 + [60.0] * 10, 2.0, 64.0),
        ([float(n) for n in range(1, 101)], 64.0, 128.0),
    ],
)
def test_quantiles_are_within_a_factor(times, half, most):
    histogram = add_times({}, times)
    assert (quantile(histogram, 0.5), quantile(histogram, 0.95)) == (half, most)


def test_old_times_fade():
    histogram = add_times({}, [1.0] * 1_000)
    for _ in range(12):
        histogram = add_times(histogram, [512.0] * 600)
    assert quantile(histogram, 0.5) == 512.0
    assert sum(histogram.values()) <= 1_600
