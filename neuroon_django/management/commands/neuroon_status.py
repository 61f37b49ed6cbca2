"""`neuroon_status`: how things stand; ends with 1 when something needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from neuroon_django.api import Client
from neuroon_django.conf import conf
from neuroon_django.exceptions import ApiError
from neuroon_django.management.base import (
    FAILED,
    NeuroonCommand,
    print_table,
    wrong_settings,
)
from neuroon_django.models import Conversion, ShopState, SyncedProduct
from neuroon_django.operations.status import Pause, Status, remedy, status_of, token_age, waits_until
from neuroon_django.widget.token import SERVE_UNTIL

QUOTA_TIMEOUT = 5  # seconds


class Command(NeuroonCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Tells how things stand, and exits 1 when something needs a person: a health check."
        )
        parser.add_argument("--json", action="store_true", help=_("Print JSON."))
        parser.add_argument(
            "--max-age",
            type=float,
            default=3600,
            metavar="SECONDS",
            help=_("How long a change may wait (default: 3600)."),
        )
        parser.add_argument(
            "--max-rejected",
            type=int,
            default=0,
            metavar="N",
            help=_("How many products and orders may be rejected (default: 0)."),
        )

    def work(self, **options: Any) -> None:
        status = status_of(ShopState.objects.for_config(conf.shop()))
        wrong = [f"{m.msg} {m.hint} ({m.id})" for m in wrong_settings()]
        quota = self.quota() if not wrong else {}
        problems = [*wrong, *_problems(status, options["max_age"], options["max_rejected"])]
        if options["json"]:
            self.print_json(_as_json(status, quota) | {"problems": problems})
        else:
            self.print_status(status, quota)
        if problems:
            raise CommandError("\n".join(problems), returncode=FAILED)

    def quota(self) -> dict[str, Any]:
        """What the plan allows, where Neuroon tells it."""
        if not conf.can_send:
            return {}
        try:
            with Client(**conf.client_options(timeout=QUOTA_TIMEOUT)) as client:
                return client.me()
        except ApiError:
            return {}

    def print_status(self, status: Status, quota: dict[str, Any]) -> None:
        shop = status.shop
        self.stdout.write(_("Shop %(id)s at %(url)s") % {"id": shop.shop_id, "url": shop.api_url})
        rows: list[tuple[Any, ...]] = [
            (_("Products, %s") % SyncedProduct.Status(s).label, n) for s, n in status.products.items()
        ]
        rows += [
            (_("Orders, %s") % Conversion.Status(s).label, n) for s, n in status.conversions.items()
        ]
        rows += [
            (_("Changes not looked at yet"), status.changes),
            (_("To be sent"), status.waiting),
        ]
        age = token_age(shop)
        rows += [
            (_("The oldest waits for"), _span(status.age) if status.oldest else "—"),
            (_("Last success"), _moment(shop.last_success_at)),
            (_("Last scan"), _moment(shop.scanned_at)),
            (_("Verified domain"), shop.verified_domain or "—"),
            (_("Route"), shop.route or "—"),
            (_("Widget token"), _("%s old") % _span(age) if age is not None else "—"),
        ]
        if "maxProducts" in quota:
            rows.append((_("Products allowed"), quota["maxProducts"]))
        print_table(self.stdout, rows)
        for text in [*_paused(status.pauses), *map(waits_until, status.waits)]:
            self.stdout.write(text)
        for error, n in status.errors:
            self.stdout.write(f"{n:,} × {error}")


def _problems(status: Status, max_age: float, max_rejected: int) -> Iterator[str]:
    """What needs a person, one line each."""
    if not conf.can_send:
        yield _("Nothing is sent: NEUROON_ENABLED is False, or shop id or key is not set.")
        return
    yield from _paused(status.pauses)
    if status.age.total_seconds() > max_age:
        yield _("The oldest change has been waiting for %s.") % _span(status.age)
    rejected = status.products["rejected"] + status.conversions["rejected"]
    if rejected > max_rejected:
        yield _("Rejected: %s") % f"{rejected:,}"
    age = token_age(status.shop)
    if status.shop.verified_at and (age is None or age.total_seconds() >= SERVE_UNTIL):
        yield _("There is no widget token that can be served.")


def _paused(pauses: list[Pause]) -> Iterator[str]:
    """Each reason once, with the groups that it holds up and what ends it."""
    for reason in dict.fromkeys(pause.reason for pause in pauses):
        groups = ", ".join(_(pause.group) for pause in pauses if pause.reason == reason)
        told = _("%(group)s paused: %(reason)s") % {"group": groups, "reason": reason}
        todo = remedy(reason)
        yield f"{told} → {todo}" if todo else told


def _as_json(status: Status, quota: dict[str, Any]) -> dict[str, Any]:
    shop, age = status.shop, token_age(status.shop)
    return {
        "shop_id": shop.shop_id,
        "api_url": shop.api_url,
        "route": shop.route,
        "verified_domain": shop.verified_domain,
        "products": status.products,
        "conversions": status.conversions,
        "changes": status.changes,
        "waiting": status.waiting,
        "oldest_seconds": round(status.age.total_seconds()) if status.oldest else None,
        "last_success_at": shop.last_success_at,
        "scanned_at": shop.scanned_at,
        "token_seconds": round(age.total_seconds()) if age is not None else None,
        "quota": quota,
        "pauses": [asdict(pause) for pause in status.pauses],
        "waits": [asdict(wait) for wait in status.waits],
        "errors": [{"text": text, "count": n} for text, n in status.errors],
    }


def _span(span: timedelta) -> str:
    return str(timedelta(seconds=round(span.total_seconds())))


def _moment(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".strip() if moment else "—"
