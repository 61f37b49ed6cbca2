"""The verdict on a shop: what a person reads first, for each way in which a set-up can fail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.db import DatabaseError
from django.utils import timezone

from neuroon_django.exceptions import ApiError, Forbidden, KeyRefused, Refused, Unavailable
from neuroon_django.feeds import registry
from neuroon_django.models import Change, ShopState, SyncedProduct
from neuroon_django.operations import causes, heartbeats
from neuroon_django.operations.former_shops import forget, former_shop
from neuroon_django.operations.health import Health, health_of
from neuroon_django.operations.steps import Step
from neuroon_django.operations.verdict import unreadable
from neuroon_django.operations.verification import Verification
from tests.factories import another_shop, current_shop, make_product
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

Line = tuple[str, str, str, str]  # level, sentence, cure, action


def line(**options: object) -> Line:
    """Return the verdict, with the cure and the button of its first problem."""
    verdict = health_of(current_shop(), **options).verdict
    first = verdict.problems[0] if verdict.problems else None
    cure, action = (first.cure, first.action) if first else ("", "")
    return verdict.level, verdict.text, cure, action


@pytest.fixture
def live(neuroon, flush) -> Callable[..., Health]:
    """A shop that works: verified, scanned, with a token and two products."""
    make_product("A"), make_product("B")
    flush()
    list(Verification(current_shop().config).run())
    return lambda **options: health_of(current_shop(), **options)


@pytest.fixture
def broker(celery, settings) -> None:
    """Workers are expected; none was ever there."""
    celery(broker_url="memory://", task_always_eager=False)


def backdate(**seconds: float) -> None:
    """Move moments of the shop's row into the past."""
    now = timezone.now()
    moments = {name: now - timedelta(seconds=age) for name, age in seconds.items()}
    ShopState.objects.update(**moments)


def test_a_shop_that_works_is_green(live):
    assert line() == ("green", "All 2 products are live.", "", "")
    make_product("C")
    assert line()[:2] == ("green", "2 products are live; 2 are queued.")


def test_law_19_a_shop_that_never_worked_is_not_green(neuroon):
    assert line()[0] == "red"


# The sixteen failures of a set-up, each with its cause and its cure


def no_key(settings) -> None:
    settings.NEUROON_API_KEY = ""


def currency(settings) -> None:
    settings.NEUROON_CURRENCY = "euro"


def language(settings) -> None:
    settings.NEUROON_LANGUAGE = "xx"


def storefront(settings) -> None:
    settings.NEUROON_STOREFRONT_URL = ""


def middleware(settings) -> None:
    settings.MIDDLEWARE = []


@pytest.mark.parametrize(
    ("fail", "expected"),
    [
        (
            no_key,
            (
                "red",
                "Nothing is sent: NEUROON_API_KEY is not set.",
                "Set it from Neuroon's dashboard.",
                "",
            ),
        ),
        (
            currency,
            ("red", "NEUROON_CURRENCY is 'euro', which is no value for it.", 'Set it to "EUR".', ""),
        ),
        (
            language,
            (
                "amber",
                "All 2 products are live; NEUROON_LANGUAGE is 'xx', which is not in LANGUAGES.",
                "Set it to a language of LANGUAGES, or add it there.",
                "",
            ),
        ),
        (
            storefront,
            (
                "amber",
                "All 2 products are live; NEUROON_STOREFRONT_URL is not set: "
                "relative addresses and the domain stay unknown.",
                'Set it to "https://mystore.com".',
                "",
            ),
        ),
        (
            middleware,
            (
                "amber",
                "All 2 products are live; an OrderFeed is registered, but no middleware keeps the "
                "shoppers' clicks.",
                'Add "neuroon_django.middleware.ClickAttributionMiddleware" to MIDDLEWARE, or call '
                "attribute_order().",
                "",
            ),
        ),
    ],
    ids=["key", "currency", "language", "storefront", "middleware"],
)
def test_a_wrong_setting_is_the_cause(live, settings, fail, expected):
    fail(settings)
    assert line() == expected


def test_a_wrong_key_is_the_cause(neuroon, settings, flush):
    settings.NEUROON_API_KEY = "sk_wrong"
    make_product("A")
    flush(foreground=False)
    level, text, cure, action = line()
    assert (level, action) == ("red", "verify")
    assert text.startswith(
        "Nothing has been delivered yet: Neuroon refused the key (401); next try in "
    )
    assert cure == "Correct NEUROON_API_KEY, then run: manage.py neuroon_verify"


def test_a_wrong_shop_id_is_the_cause(neuroon, settings, flush):
    settings.NEUROON_SHOP_ID = "shop_of_somebody_else"
    make_product("A")
    flush(foreground=False)
    level, text, cure, action = line()
    assert (level, action) == ("red", "verify")
    assert text.startswith("Nothing has been delivered yet: Neuroon refused this shop's requests (POST")
    assert cure == "To see what to correct, run: manage.py neuroon_verify"


def test_a_domain_that_is_not_the_shops_is_the_cause(neuroon, settings, flush):
    settings.NEUROON_STOREFRONT_URL = "https://other.test"
    make_product("A")
    flush()
    level, text, cure, action = line()
    assert (level, action) == ("red", "verify")
    assert text.startswith("Nothing has been delivered yet: Neuroon refused this shop's requests (POST")
    assert "403 Origin does not match the shop's URL" in text
    assert cure == "To see what to correct, run: manage.py neuroon_verify"


def test_a_domain_that_was_never_verified_is_the_cause(neuroon, flush):
    make_product("A")
    flush()
    verify = ("Run: manage.py neuroon_verify", "verify")
    assert line() == ("red", "The shop's domain was never verified.", *verify)


WORKER, BEAT = "No worker was seen for 10 min", "No Celery beat was seen for 20 min"
START = "Start one: celery -A <project> worker --beat"
RUN_BEAT = "Run celery beat with CELERY_BEAT_SCHEDULE = neuroon_django.schedules.beat_schedule()"


def test_a_missing_worker_is_the_cause(live, broker):
    backdate(run_at=600, beat_at=600)
    assert line() == ("red", f"{WORKER}.", START, "sync")
    ShopState.objects.update(run_at=None)
    assert line() == ("red", "No worker was ever seen.", START, "sync")


def test_a_missing_beat_is_the_cause(live, broker):
    backdate(run_at=10, beat_at=1_200)
    assert line() == ("red", f"{BEAT}.", RUN_BEAT, "sync")


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            Step("celery", "warning", "no worker answers", "Start one."),
            ("No run was seen for 20 min: no worker answers.", "Start one."),
        ),
        (
            Step("celery", "warning", "the broker does not answer: refused", "Correct it."),
            ("No run was seen for 20 min: the broker does not answer: refused.", "Correct it."),
        ),
        (
            Step("celery", "warning", 'no worker consumes the queue "neuroon"', "Start one -Q."),
            ('No run was seen for 20 min: no worker consumes the queue "neuroon".', "Start one -Q."),
        ),
        (Step("celery", "ok", "one@host answered"), (f"{BEAT}.", RUN_BEAT)),
    ],
    ids=["worker", "broker", "queue", "beat"],
)
def test_who_is_asked_tells_whose_fault_it_is(live, broker, monkeypatch, step, expected):
    monkeypatch.setattr(heartbeats, "probe_workers", lambda shop: iter([step]))
    backdate(run_at=1_200, beat_at=1_200)
    assert line(asks=True) == ("red", *expected, "sync")


def test_a_shop_without_workers_runs_from_cron(live):
    backdate(run_at=3_000)
    assert line()[0] == "green"
    backdate(run_at=4_000)
    cure = "Run manage.py neuroon_sync from cron, or neuroon_sync --watch."
    assert line() == (
        "red",
        "No run was seen for 67 min, and no worker is woken by a change.",
        cure,
        "sync",
    )


def test_missing_migrations_are_the_cause():
    verdict = unreadable(DatabaseError("no such table:\n neuroon_django_shopstate"))
    assert verdict.level == "red"
    text = "The app's tables cannot be read: no such table: neuroon_django_shopstate."
    assert (verdict.text, verdict.problems[0].cure) == (text, "Run: manage.py migrate")


def test_a_missing_feed_is_the_cause(live, monkeypatch):
    monkeypatch.delitem(registry.feeds, "shop.product")
    level, text, cure, _ = line()
    assert (level, text) == ("red", "No product feed is registered: nothing reaches Neuroon.")
    assert cure.startswith("Write <app>/neuroon.py")


def test_a_feed_that_always_fails_is_one_cause(neuroon, flush):
    for n in range(30):
        make_product(f"P-{n}", price=None)
    flush()
    list(Verification(current_shop().config).run())
    retry = "Fix them, then run: manage.py neuroon_sync --retry"
    assert line() == ("red", "30 products were rejected (no price).", retry, "retry")


def test_a_dead_cache_is_the_cause(live, monkeypatch):
    def dead(*args: object, **kwargs: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(LocMemCache, "get", dead)
    level, text, _cure, _ = line()
    assert level == "amber"
    assert text.endswith("; the cache 'default' does not answer: ConnectionError.")


def test_a_clock_that_is_wrong_is_the_cause(live, monkeypatch):
    monkeypatch.setattr(causes, "_clock_skew", lambda status: -7_200.0)
    text = "The clocks of this machine and of the database differ by 2 h."
    assert line() == ("red", text, "Set both clocks by a time server (NTP).", "")


# Catalogue and queue


def test_the_catalogue(live):
    ShopState.objects.update(scan_ended_at=None)
    scan = ("Run: manage.py neuroon_sync --scan", "scan")
    assert line() == ("red", "The catalogue was never compared with Neuroon.", *scan)
    ShopState.objects.update(scan_cursor='["shop"]')
    first = "All 2 products are live; the catalogue is being compared for the first time."
    assert line()[:2] == ("amber", first)
    ShopState.objects.update(scan_cursor="")
    backdate(scan_ended_at=2 * 86_400 - 60)
    assert line()[0] == "green"
    backdate(scan_ended_at=3 * 86_400)
    assert line() == ("red", "The catalogue was last compared 3 days ago.", *scan)


def test_a_scan_that_was_asked_for_is_no_problem(live):
    ShopState.objects.request_scan(current_shop().pk)
    assert line()[0] == "green"


def test_law_07_the_brake_of_a_scan_is_red(live, flush):
    Product.objects.update(is_published=False)
    ShopState.objects.request_scan(current_shop().pk)
    flush()
    text = "2 of 2 products of shop.product seem to be gone; none was taken out."
    force = "If they are gone indeed, run: manage.py neuroon_sync --scan --force"
    assert line() == ("red", text, force, "")


def test_a_queue_that_is_too_old(live):
    make_product("C")
    Change.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert line()[1] == (
        "2 products are live; 2 are queued; the queue is long: the oldest change has waited for 2 h."
    )
    backdate(last_success_at=7_300)
    level, text, cure, action = line()
    assert (level, action) == ("red", "sync")
    assert text.startswith("Nothing has been delivered since ")
    assert text.endswith(": the oldest change has waited for 2 h.")
    assert cure == "Start a Celery worker with beat, or run: manage.py neuroon_sync"
    assert line(max_age=7_300)[0] == "green"


def test_rejected_products_need_a_person(live, flush):
    make_product("C", price=None), make_product("D", price=None), make_product("E", price="-1")
    flush()
    assert line() == (
        "amber",
        "2 products are live; 3 need you: 2 × no price, 1 × price: -1.00 is negative.",
        "Fix them, then run: manage.py neuroon_sync --retry",
        "retry",
    )
    assert line(max_rejected=3)[:2] == ("green", "2 products are live.")


# Pauses


def error(cls: type[ApiError], status: int | None, message: str, path: str = "p") -> ApiError:
    return cls(message, method="POST", path=path, status=status)


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        (
            {"products": (KeyRefused, 401, "Invalid API key"), "token": (KeyRefused, 401, "Bad key")},
            ["Nothing has been delivered since {}: Neuroon refused the key (401); next try in 2 min"],
        ),
        (
            {
                "products": (Forbidden, 403, "Not yours"),
                "conversions": (Forbidden, 403, "Not your order"),
            },
            [
                "Nothing has been delivered since {}: Neuroon refused this shop's requests (POST p: "
                "403 Not yours); next try in 1 min"
            ],
        ),
        (
            {"products": (Unavailable, 502, "Bad"), "token": (Unavailable, 502, "Gateway")},
            [
                "Products and token are paused: Neuroon does not answer as it should (POST p: "
                "502 Bad); next try in 1 min"
            ],
        ),
        (
            {"conversions": (Refused, 422, "no orderId"), "products": (Refused, 422, "no sku")},
            [
                "Nothing has been delivered since {}: Neuroon refused what was sent, and no product's "
                "fault is seen (POST p: 422 no sku); next try in 1 min",
                "Conversions are paused: Neuroon refused what was sent, and no product's fault is seen "
                "(POST p: 422 no orderId); next try in 1 min",
            ],
        ),
    ],
    ids=["key", "forbidden", "gateway", "content"],
)
def test_one_cause_is_one_line_whatever_it_touches(live, monkeypatch, failures, expected):
    monkeypatch.setattr("neuroon_django.models.endpoint.random.uniform", lambda low, high: 1.0)
    monkeypatch.setattr("neuroon_django.models.endpoint.FIRST_BACKOFF", 60.0)
    shop = current_shop()
    for group, (cls, status, message) in failures.items():
        shop.endpoint(group).failed(error(cls, status, message))
    since = f"{timezone.localtime(shop.last_success_at):%H:%M}"
    assert [one.text for one in live().problems] == [
        text.format(since).replace("1 min", "60 s") for text in expected
    ]


# What is kept


def test_rows_of_models_without_a_feed_are_told(live):
    make_product("C")
    SyncedProduct.objects.filter(external_id="A").update(model="old.product")
    Change.objects.filter(model="shop.product").update(model="old.gadget")
    assert live().verdict.text == (
        "All 2 products are live; rows of models without a feed here are left alone: 2 of old.gadget, "
        "1 of old.product."
    )
    [problem] = live().problems
    assert problem.cure == "If they are gone for good, run: manage.py neuroon_reconcile --fix"


def test_a_shop_that_is_in_no_setting_is_told_until_it_is_forgotten(live, neuroon):
    old = another_shop("shop_old", neuroon.url)
    SyncedProduct.objects.filter(external_id="A").update(shop=old.pk)
    [problem] = live().problems
    text = f"1 product of shop_old at {neuroon.url}, no shop here, is at Neuroon"
    assert (problem.text, problem.level) == (text, "amber")
    assert problem.cure == ("If it is gone for good, run: manage.py neuroon_status --forget shop_old")
    assert forget(former_shop("shop_old")) == 1
    assert live().problems == []
    assert SyncedProduct.objects.count() == 1
