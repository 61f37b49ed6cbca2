"""A shop's figures for Prometheus, in its text format: cheap enough for each minute, nobody is asked.

All samples of a metric stand together, whatever the number of shops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from neuroon_django.models import Group
from neuroon_django.operations.status import Status


class Metric(NamedTuple):
    """A metric: its name after "neuroon_", its type, and what it is."""

    name: str
    type: str
    help: str


Sample = tuple[str, dict[str, str], float]  # metric, labels, value

METRICS = (
    Metric("up", "gauge", "Whether requests may be made for the shop at all."),
    Metric("products", "gauge", "Products by status."),
    Metric("conversions", "gauge", "Orders by status of their conversion."),
    Metric("changes", "gauge", "Changes recorded and not looked at yet."),
    Metric("queued", "gauge", "Products and orders that wait to be sent."),
    Metric("queue_age_seconds", "gauge", "How long the oldest change has been waiting."),
    Metric("blocked", "gauge", "Whether no request leaves to a group of endpoints, since one failed."),
    Metric("token_age_seconds", "gauge", "Age of the widget token; a new one is due at 82800."),
    Metric(
        "index_seconds", "gauge", "Time from a live edit to its acceptance, of the latest thousand."
    ),
    Metric("last_success_timestamp_seconds", "gauge", "When Neuroon last accepted something."),
    Metric("last_run_timestamp_seconds", "gauge", "When a worker was last seen."),
    Metric("last_scan_timestamp_seconds", "gauge", "When the catalogue was last compared."),
)


def prometheus(shops: Mapping[str, Status]) -> str:
    """Return the metrics of these shops, by alias, in the text format (version 0.0.4)."""
    samples = [sample for alias, status in shops.items() for sample in _samples(alias, status)]
    return "".join(line for metric in METRICS for line in _lines(metric, samples))


def _lines(metric: Metric, samples: list[Sample]) -> Iterator[str]:
    own = [(labels, value) for name, labels, value in samples if name == metric.name]
    if own:
        yield f"# HELP neuroon_{metric.name} {metric.help}\n"
        yield f"# TYPE neuroon_{metric.name} {metric.type}\n"
    for labels, value in own:
        written = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"neuroon_{metric.name}{{{written}}} {value!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _samples(alias: str, status: Status) -> Iterator[Sample]:
    shop, label = status.shop, {"shop": alias}
    yield "up", label, float(status.can_send)
    for name, n in status.products.items():
        yield "products", label | {"status": name}, n
    for name, n in status.conversions.items():
        yield "conversions", label | {"status": name}, n
    yield "changes", label, status.changes
    yield "queued", label, status.queued
    yield "queue_age_seconds", label, max(0.0, status.queue_age.total_seconds())
    paused = {pause.group for pause in status.pauses}
    for group in Group.values:
        yield "blocked", label | {"group": group}, float(group in paused)
    if status.token_age is not None:
        yield "token_age_seconds", label, status.token_age.total_seconds()
    for share, seconds in zip(("0.5", "0.95"), status.index_times, strict=True):
        if seconds is not None:
            yield "index_seconds", label | {"quantile": share}, seconds
    moments = {"success": shop.last_success_at, "run": shop.run_at, "scan": shop.scan_ended_at}
    for name, moment in moments.items():
        if moment is not None:
            yield f"last_{name}_timestamp_seconds", label, moment.timestamp()
