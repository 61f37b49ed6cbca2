"""What is wrong with a shop's status, cause by cause: each is one problem, whatever it touches.

What only follows from another cause is left out: where Neuroon refuses the key, nobody needs to read
that the queue is old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.core.cache import caches
from django.db import connections
from django.utils import timezone

from neuroon_django.conf import conf
from neuroon_django.delivery.position import Position
from neuroon_django.delivery.pruning import MOST_CHANGES
from neuroon_django.feeds import registry
from neuroon_django.models import Group
from neuroon_django.models.sql import DbNow
from neuroon_django.operations.cures import CURES, pause_cause
from neuroon_django.operations.former_shops import former_shops
from neuroon_django.operations.heartbeats import absent_workers
from neuroon_django.operations.phrases import changed, phrase, plural
from neuroon_django.operations.problems import (
    NO_FEED,
    Level,
    Problem,
    obstacles,
    problem,
    settings_problems,
)
from neuroon_django.operations.status import Pause, Status
from neuroon_django.operations.wording import ago, date_and_time, join, span

CLOCK_SKEW = 60.0  # seconds by which two clocks may differ


def problems_of(
    status: Status, *, max_age: float, max_rejected: int, asks: bool = False
) -> list[Problem]:
    """Return all that is wrong; with `asks` the workers are asked, which takes a second or more."""
    if not status.can_send:
        return [*_switched_off(status)]
    shop, late = status.shop, status.queue_age.total_seconds() > max_age
    settings = settings_problems(shop.config)
    pauses = pause_problems(status.pauses, shop.last_success_at, late=late)
    causes = [*settings, *pauses, *absent_workers(shop, max_age, asks=asks)]
    found = [*causes, *_catalogue(status)]
    if not any(one.level == "red" for one in causes):
        found += [*_consequences(status, max_age, late=late)]
    return [*found, *_rejections(status, max_rejected), *_surroundings(status)]


def pause_problems(
    pauses: Sequence[Pause], success: datetime | None = None, *, late: bool = False
) -> Iterator[Problem]:
    """Yield each cause once, with the groups that it holds up, when it is tried again, and its cure.

    `success` is when something was delivered last. What ends by itself is red once changes are `late`.
    """
    causes: dict[tuple[str, object], list[Pause]] = {}
    for pause in pauses:
        cause = pause_cause(pause.status)
        # What was refused for what it held is a cause of its own; a key or a domain is one for all.
        said = pause.reason if cause == "content" else pause.status
        causes.setdefault((cause, said), []).append(pause)
    for (cause, _), paused in causes.items():
        groups = [one.group for one in paused]
        level: Level = "amber" if cause == "by itself" and not late else "red"
        if level == "red" and Group.PRODUCTS in groups:
            what = _nothing_since(success)
        else:
            named = changed(join([phrase(group) for group in groups]), str.capitalize)
            one = groups == [Group.TOKEN]
            what = phrase("{named} is paused" if one else "{named} are paused", named=named)
        why, again = _words(cause, paused[0]), paused[0].next_try
        text = phrase("{what}: {why}; {again}", what=what, why=why, again=again)
        yield problem(text, cause, level)


def _nothing_since(success: datetime | None) -> str:
    if success is None:
        return "Nothing has been delivered yet"
    return phrase("Nothing has been delivered since {moment}", moment=date_and_time(success))


def _words(cause: str, pause: Pause) -> str:
    """Return what Neuroon said, in an operator's words and in its own."""
    if cause == "key":
        return phrase("Neuroon refused the key ({status})", status=str(pause.status))
    words = {
        "forbidden": "Neuroon refused this shop's requests",
        "content": "Neuroon refused what was sent, and no product's fault is seen",
        "by itself": "Neuroon does not answer as it should",
    }
    return phrase("{words} ({reason})", words=words[cause], reason=pause.reason)


def _switched_off(status: Status) -> Iterator[Problem]:
    """Yield why nothing is sent, and how many changes wait for it."""
    found = list(obstacles(status.shop.config, feeds=False))
    yield from found or [problem("Nothing is sent: tests run here", "tests")]
    if status.changes:
        text = plural(
            status.changes,
            "{n} change is recorded and wait; the newest {most} are kept",
            "{n} changes are recorded and wait; the newest {most} are kept",
            most=MOST_CHANGES,
        )
        yield Problem(text, level="amber")


def _catalogue(status: Status) -> Iterator[Problem]:
    """Yield what is wrong with the domain, the feeds and the scan."""
    shop = status.shop
    if not registry.products(shop.config):
        yield NO_FEED
    if not shop.verified_at and not any(one.status in (401, 403, 404) for one in status.pauses):
        yield problem("The shop's domain was never verified", "verify")
    at = Position.read(shop.scan_cursor) if shop.scan_cursor else Position()
    if at.failures:
        yield problem(
            phrase("The products of {label} cannot be read", label=at.label), "unreadable feed"
        )
    if shop.fold_error:
        text = phrase("Changes do not reach this shop's queue: {reason}", reason=shop.fold_error)
        yield problem(text, "fold")
    if shop.scan_warning:
        yield problem(shop.scan_warning[:1].upper() + shop.scan_warning[1:], "brake")


def _consequences(status: Status, max_age: float, *, late: bool) -> Iterator[Problem]:
    """Yield what is overdue, where nothing explains why."""
    shop, success, every = status.shop, status.shop.last_success_at, conf.SCAN_EVERY
    if not shop.scan_ended_at and not shop.scan_cursor:
        yield problem("The catalogue was never compared with Neuroon", "scan")
    elif not shop.scan_ended_at:
        yield Problem("The catalogue is being compared for the first time", level="amber")
    elif every and ago(shop.scan_ended_at) > 2 * every.total_seconds():
        since = span(ago(shop.scan_ended_at))
        text = phrase("The catalogue was last compared {since} ago", since=since)
        yield problem(text, "scan")
    if late:
        idle = success is None or ago(success) > max_age
        what = _nothing_since(success) if idle else "The queue is long"
        age = span(status.queue_age.total_seconds())
        text = phrase("{what}: the oldest change has waited for {age}", what=what, age=age)
        yield problem(text, "queue", "red" if idle else "amber")
    if shop.verified_at and not status.has_token:
        yield problem("There is no widget token: pages show no search", "verify", "amber")


def _rejections(status: Status, max_rejected: int) -> Iterator[Problem]:
    """Yield what is rejected, where it is more than may be; red where nothing was ever delivered."""
    if sum(rejected.total for rejected in status.rejections) <= max_rejected:
        return
    level: Level = "amber" if status.shop.last_success_at else "red"
    for rejected in status.rejections:
        if rejected.total:
            yield Problem(rejected.text, rejected.cure, level=level, action=rejected.action)


def _surroundings(status: Status) -> Iterator[Problem]:
    """Yield what is wrong around the app, and what is kept that nobody here can use."""
    try:
        caches[conf.CACHE].get("neuroon:status")
    except Exception as error:  # any backend's own
        name, why = repr(conf.CACHE), type(error).__name__
        text = phrase("The cache {name} does not answer: {why}", name=name, why=why)
        yield problem(text, "cache", "amber")
    skew = abs(_clock_skew(status))
    if skew > CLOCK_SKEW:
        text = phrase(
            "The clocks of this machine and of the database differ by {span}", span=span(skew)
        )
        yield problem(text, "clock")
    if status.unknown:
        named = ", ".join(f"{n:,} of {model}" for model, n in status.unknown.items())
        text = phrase("Rows of models without a feed here are left alone: {named}", named=named)
        yield problem(text, "unknown models", "amber")
    for former in former_shops():
        if left := former.in_neuroon:
            cure = phrase(CURES["former shop"].text, shop_id=former.shop_id)
            text = plural(
                left,
                "{n} product of {shop}, no shop here, is at Neuroon",
                "{n} products of {shop}, no shop here, are at Neuroon",
                shop=str(former),
            )
            yield Problem(text, cure, level="amber")


def _clock_skew(status: Status) -> float:
    """Return by how many seconds this machine's clock is ahead of the database's.

    SQLite's clock is this machine's.
    """
    rows = type(status.shop).objects.filter(pk=status.shop.pk)
    if connections[rows.db].vendor == "sqlite":
        return 0.0
    now = rows.values_list(DbNow(), flat=True).first()
    return (timezone.now() - now).total_seconds() if now else 0.0
