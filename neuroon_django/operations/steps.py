"""The steps of `neuroon_verify` that need no Neuroon: settings, feeds, tables, Celery."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from celery import current_app
from django.core import checks
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from django.utils.translation import gettext as _

from neuroon_django.api import messages
from neuroon_django.conf import conf
from neuroon_django.feeds import (
    Invalid,
    OrderSource,
    ProductSource,
    Rendered,
    Report,
    Source,
    Waiting,
    payload_context,
    registry,
)
from neuroon_django.models import SyncedProduct

BATCH = 10  # products built to see whether queries grow with their number
WORKER_ANSWERS = 3  # seconds

S = TypeVar("S", bound=Source[Any])


class Clicked(dict[str, str]):
    """Clicks on every product there is."""

    def get(self, key: str, default: Any = None) -> Any:
        return "search" if key else default


@dataclass
class Step:
    """One line of the verdict. A warning hinders nothing; `todo` says what to do."""

    name: str
    verdict: Literal["ok", "warning", "failed"]
    text: str
    todo: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def settings() -> Step:
    """The system checks of this app."""
    told = [m for m in checks.run_checks(tags=["neuroon"]) if not m.is_silenced()]
    errors = [m for m in told if m.is_serious()] or told
    text = "; ".join(f"{m.msg} ({m.id})" for m in errors)
    todo = "; ".join(dict.fromkeys(m.hint for m in errors if m.hint))
    if not conf.can_send:
        return Step("settings", "failed", text or _("NEUROON_ENABLED is False."), todo)
    if errors:
        return Step("settings", "failed" if errors[0].is_serious() else "warning", text, todo)
    names = {"shop": conf.SHOP_ID, "address": conf.API_URL, "storefront": conf.STOREFRONT_URL}
    return Step("settings", "ok", _("shop %(shop)s at %(address)s for %(storefront)s") % names)


def feeds() -> Iterator[Step]:
    """A real product of each feed, built twice, with the queries it takes; and a real order."""
    for product_feed in registry.products():
        yield _tried(product_feed, _feed)
    for order_feed in registry.orders():
        yield _tried(order_feed, _order_feed)
    if not registry.products():
        todo = _("Write <app>/neuroon.py with a ProductFeed and @register(Product).")
        yield Step("feeds", "warning", _("no product feed is registered"), todo)


def _tried(source: S, attempt: Callable[[S], Step]) -> Step:
    try:
        return attempt(source)
    except DatabaseError as error:
        text = f"{source.name}: {' '.join(str(error).split())}"
        return Step("feeds", "failed", text, _("Run manage.py migrate."))


def _feed(source: ProductSource[Any]) -> Step:
    name = source.name
    pks = list(source.live_queryset().order_by("pk").values_list("pk", flat=True)[:BATCH])
    if not pks:
        return Step("feeds", "warning", _("%s: the shop has no product yet") % name)
    built, few = _built(source, pks[:1])
    again, many = _built(source, pks)
    payload, second = built[str(pks[0])], again[str(pks[0])]
    told = {"feed": name, "pk": pks[0], "queries": few, "size": len(payload)}
    if not isinstance(payload, bytes) or not isinstance(second, bytes):
        todo = _(
            "Look at that method or lookup of %s, or at the product; after the fix run "
            "neuroon_sync --scan."
        )
        return Step("feeds", "warning", f"{name}: {source.label} {pks[0]}: {payload!s}", todo % name)
    text = _("%(feed)s: product %(pk)s built with %(queries)s queries, %(size)s bytes") % told
    details = {"queries": few, "payload": payload.decode()}
    if differing := _differing(payload, second):
        text = _("%(feed)s: %(fields)s differ each time the product is built") % {
            "feed": name,
            "fields": ", ".join(differing),
        }
        todo = _("It would be sent again and again; return the same value each time.")
        return Step("feeds", "warning", text, todo, details)
    if many > few:
        text = _("%(feed)s: %(few)s queries for one product, %(many)s for %(n)s") % {
            "feed": name,
            "few": few,
            "many": many,
            "n": len(pks),
        }
        todo = _("Name the relations that its methods read in depends_on.")
        return Step("feeds", "warning", text, todo, details)
    return Step("feeds", "ok", text, "", details)


def _built(source: ProductSource[Any], pks: list[Any]) -> tuple[dict[str, bytes | str], int]:
    """Payloads, or the reason where there is none, by primary key; and the queries it took."""
    built: dict[str, bytes | str] = {str(pk): _("it is not there any more") for pk in pks}
    with CaptureQueriesContext(connections[source.db_alias]) as captured:
        for pk, result in source.render_many(map(str, pks)).items():
            if isinstance(result, Rendered):
                built[pk] = result.payload
            else:
                built[pk] = result.reason if isinstance(result, Invalid) else _("it is not listed")
    return built, len(captured)


def _order_feed(source: OrderSource[Any]) -> Step:
    """The latest order, a paid one if there is: as if a search had led to each of its lines."""
    name = source.name
    pks = list(source.live_queryset().order_by("-pk").values_list("pk", flat=True)[:BATCH])
    with payload_context(source.shop):
        loaded = source.load(pks)
        results = {pk: source.report(loaded[str(pk)], Clicked()) for pk in pks if str(pk) in loaded}
    if not results:
        return Step("feeds", "ok", _("%s: the shop has no order yet") % name)
    paid = (pk for pk, result in results.items() if not isinstance(result, Waiting))
    pk = next(paid, next(iter(results)))
    result = results[pk]
    if isinstance(result, Invalid):
        todo = _(
            "Look at that method or lookup of %s, or at the order; after the fix run "
            "neuroon_sync --retry."
        )
        text = f"{name}: {source.label} {pk}: {result.reason}"
        return Step("feeds", "warning", text, todo % name)
    body = result.body if isinstance(result, Report) else None
    if body is None:
        text = _("%(feed)s: no line of order %(pk)s is reported") % {"feed": name, "pk": pk}
        todo = _("lines() must yield ConversionLine with a product of a feed and a quantity.")
        return Step("feeds", "warning", text, todo)
    told = {"feed": name, "pk": pk, "size": len(body)}
    text = _("%(feed)s: order %(pk)s built, %(size)s bytes") % told
    return Step("feeds", "ok", text, "", {"payload": body.decode()})


def _differing(one: bytes, other: bytes) -> list[str]:
    first, second = messages.decode(one), messages.decode(other)
    return [name for name in first | second if first.get(name) != second.get(name)]


def tables() -> Step:
    """Whether this app's migrations ran."""
    try:
        executor = MigrationExecutor(connections[SyncedProduct.objects.db])
        ours = executor.loader.graph.leaf_nodes(SyncedProduct._meta.app_label)
        missing = executor.migration_plan(ours)
    except DatabaseError as error:
        return Step("tables", "failed", str(error), _("Is the database of DATABASES there?"))
    if missing:
        return Step("tables", "failed", _("migrations are missing"), _("Run manage.py migrate."))
    return Step("tables", "ok", _("migrated"))


def celery() -> Step:
    """Whether somebody is woken by a change, and lives."""
    otherwise = _("Until then, run neuroon_sync from cron.")
    config = current_app.conf
    if config.task_always_eager or not (config.broker_url or config.broker_write_url):
        text = _("no Celery broker is configured, or tasks are eager: nobody is woken by a change")
        return Step("celery", "warning", text, otherwise)
    workers, trouble = _workers()
    if trouble:
        text = _("the broker does not answer: %s") % trouble
        return Step("celery", "warning", text, _("Look at CELERY_BROKER_URL.") + " " + otherwise)
    if not workers:
        todo = _("Start one: celery -A <project> worker --beat.") + " " + otherwise
        return Step("celery", "warning", _("no worker answers"), todo)
    return Step("celery", "ok", _("%s answers") % ", ".join(workers))


def _workers() -> tuple[list[str], str]:
    """The workers that answer, or why none was asked; in a thread, since a broker may hang."""
    found: list[str] = []
    trouble = [_("no answer in time")]

    def ask() -> None:
        try:
            with current_app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=WORKER_ANSWERS)
                inspect = current_app.control.inspect(timeout=1.0, connection=connection)
                found.extend(inspect.ping() or ())
                trouble[:] = []
        except Exception as error:  # any transport's own
            trouble[:] = [messages.text_of(f"{type(error).__name__}: {error}")]

    thread = threading.Thread(target=ask, daemon=True, name="neuroon-ping")
    thread.start()
    thread.join(2 * WORKER_ANSWERS)
    return sorted(found), "".join(trouble)
