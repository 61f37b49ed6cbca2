"""A payload is a function of the product and the shop, in every thread and command (law 12)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as project
from django.conf.urls.i18n import i18n_patterns
from django.core.management import call_command
from django.db.models import F, Value
from django.http import HttpResponse
from django.test import override_settings
from django.urls import get_script_prefix, path, reverse, set_script_prefix
from django.utils import timezone, translation
from django.utils.translation import gettext, gettext_lazy

from neuroon_django import ProductFeed
from neuroon_django.api import messages as wire
from neuroon_django.conf import conf
from neuroon_django.delivery import Scan
from neuroon_django.delivery.preview import preview_products
from neuroon_django.feeds import payload_context, registry
from neuroon_django.operations.feed_trials import try_feeds
from neuroon_django.testing import assert_feed_queries, neuroon_outbox
from tests.factories import current_shop
from tests.feeds_in_use import item_feed
from tests.operators.checks.checking import messages
from tests.shop.models import Item

pytestmark = pytest.mark.django_db

urlpatterns = i18n_patterns(path("p/<int:pk>/", lambda request, pk: HttpResponse(""), name="item"))


def translated(item: Item) -> str:
    """As django-parler has it: an attribute in the language that is active when it is read."""
    return f"{item.code} in {translation.get_language()}"


def annotated(feed: Any) -> Any:
    """As modeltranslation has it: a column that is chosen when the queryset is made."""
    column = {"es": "code", "en": "title"}.get(translation.get_language() or "", "pk")
    return Item.objects.annotate(local=F(column))


# By what a shop writes: its entries, and the text in Spanish and in English.
VARIANTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an annotation of the queryset": ({"get_queryset": annotated, "name": "local"}, "A", "T"),
    "gettext in a method": ({"name": lambda feed, item: gettext("Yes")}, "Sí", "Yes"),
    "a lazy text of a method": ({"name": lambda feed, item: gettext_lazy("Yes")}, "Sí", "Yes"),
    "a lazy constant": ({"name": gettext_lazy("Yes")}, "Sí", "Yes"),
    "a lazy constant in Value": ({"name": Value(gettext_lazy("Yes"))}, "Sí", "Yes"),
    "a translated attribute": (
        {"name": lambda feed, item: translated(item)},
        "A in es",
        "A in en",
    ),
    "an address with its language": (
        {"url": lambda feed, item: reverse("item", args=[1])},
        "https://mystore.com/es/p/1/",
        "https://mystore.com/en/p/1/",
    ),
}


def sent_by(source: Any) -> dict[str, Any]:
    """Return the one product's payload."""
    [one] = source.render_many(map(str, source.keys_after("", 9))).values()
    sent: dict[str, Any] = wire.decode(one.payload)
    return sent


@pytest.fixture
def item() -> Item:
    return Item.objects.create(code="A", title="T")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("active", ["fr", "en", None])
def test_law_12_the_shops_language_whoever_asks(item, use_feeds, settings, variant, active):
    entries, spanish, english = VARIANTS[variant]
    settings.ROOT_URLCONF = __name__
    use_feeds((Item, item_feed(**entries)))
    name = "url" if "url" in entries else "name"
    for language, expected in (("es", spanish), ("en", english)):
        settings.NEUROON_LANGUAGE = language
        with translation.override(active):
            assert sent_by(registry.products()[0])[name] == expected


@pytest.mark.parametrize(
    ("code", "languages", "expected"),
    [
        ("en-us", ["en", "es"], "en"),
        ("es-mx", ["en", "es"], "es"),
        ("pt", ["pt-br", "en"], "pt-br"),
        ("en", ["en-gb", "es"], "en-gb"),
        ("zh-hant", ["zh-hant", "en"], "zh-hant"),
    ],
)
def test_law_12_addresses_have_the_variant_that_django_serves(
    item, use_feeds, client, settings, code, languages, expected
):
    settings.LANGUAGE_CODE = code
    settings.LANGUAGES = [(language, language) for language in languages]
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
    use_feeds((Item, item_feed(url=lambda feed, item: reverse("item", args=[item.pk]))))
    url = sent_by(registry.products()[0])["url"]
    assert url == f"https://mystore.com/{expected}/p/{item.pk}/"
    assert client.get(url.removeprefix("https://mystore.com")).status_code == 200


@pytest.mark.parametrize(
    ("prefix", "expected"), [("/store", "/store/en/p/1/"), (None, "/en/p/1/"), ("", "/en/p/1/")]
)
def test_law_12_threads_have_the_projects_script_prefix(item, use_feeds, settings, prefix, expected):
    """A worker's thread inherits none from `django.setup()`, and a request leaves its own behind."""
    settings.FORCE_SCRIPT_NAME = prefix
    settings.ROOT_URLCONF = __name__
    settings.NEUROON_LANGUAGE = "en"
    use_feeds((Item, item_feed(url=lambda feed, item: reverse("item", args=[1]))))
    source = registry.products()[0]
    found: list[Any] = []

    def in_a_thread(before: str) -> None:
        set_script_prefix(before)
        found.append((_address(source, item), get_script_prefix()))

    for before in ("/", "/left-by-a-request/"):
        thread = threading.Thread(target=in_a_thread, args=[before])
        thread.start()
        thread.join()
    assert found == [(expected, "/"), (expected, "/left-by-a-request/")]


def _address(source: Any, item: Item) -> str:
    with payload_context(source.shop):
        return str(source.value("url", item))


# NEUROON_CONTEXT

inside = threading.local()


@contextmanager
def scope() -> Iterator[None]:
    """As django-scopes has it: outside of it nothing may be read."""
    inside.depth = getattr(inside, "depth", 0) + 1
    try:
        yield
    finally:
        inside.depth -= 1


def demand_scope(*_: object) -> str:
    if not getattr(inside, "depth", 0):
        raise RuntimeError("A scope on dimension(s) tenant needs to be active")
    return "M"


class Guarded(ProductFeed[Item]):
    """A feed of which everything needs the scope: its queryset when it is made and when it is read."""

    external_id = "code"
    url = Value("https://mystore.com/")
    price = Value(1)

    def get_queryset(self) -> Any:
        demand_scope()
        return Item.objects.all()

    def name(self, item: Item) -> str:
        return demand_scope()


def scan_and_send() -> None:
    scan = Scan.due(current_shop())
    while scan and scan.step():
        pass
    assert not (scan and scan.failed)


def preview() -> None:
    steps = preview_products(current_shop(), scan=True, full=False, retry=False)
    assert [step.verb for step in steps] == ["send"]


def outbox() -> None:
    with neuroon_outbox() as box:
        Item.objects.get().save()
        assert set(box.products) == {"A"}


def trial() -> None:
    assert {step.result for step in try_feeds(conf.shop())} == {"ok"}


WHO_ASKS = {
    "a scan": scan_and_send,
    "a preview": preview,
    "a dry run": lambda: call_command("neuroon_sync", "--dry-run", "--scan", verbosity=0),
    "the outbox of a test": outbox,
    "the query counter": lambda: assert_feed_queries(Guarded, 1),
    "the verification": trial,
    "the system checks": lambda: _no_errors(),
}


def _no_errors() -> None:
    assert [found for found in messages() if found[0].startswith("neuroon.E")] == []


@pytest.mark.parametrize("who", WHO_ASKS)
@override_settings(NEUROON_CONTEXT=f"{__name__}.scope")
def test_law_12_the_hosts_context_is_around_load_and_evaluation(item, neuroon, use_feeds, who):
    use_feeds((Item, Guarded))
    if who == "the query counter":
        Item.objects.create(code="B", title="B")
    WHO_ASKS[who]()
    assert getattr(inside, "depth", 0) == 0
    assert timezone.get_current_timezone_name() == project.TIME_ZONE
