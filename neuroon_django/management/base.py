"""What the commands share: when they may run, how they end, and how they print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from django.core import checks
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError
from django.utils.translation import gettext as _

from neuroon_django.conf import conf
from neuroon_django.exceptions import NeuroonError
from neuroon_django.feeds import registry

FAILED, COULD_NOT_RUN = 1, 2


class NeuroonCommand(BaseCommand):
    """Ends with 0 where all is fine, 1 where something failed, 2 where it could not run."""

    requires_system_checks = []

    def add_no_input(self, parser: Any) -> None:
        parser.add_argument(
            "--no-input", "--noinput", action="store_false", dest="interactive", help=_("Ask nothing.")
        )

    def handle(self, *args: Any, **options: Any) -> None:
        reason = ""
        try:
            self.work(**options)
        except DatabaseError as error:
            reason = _("The database: %(error)s. Is it migrated (manage.py migrate)?") % {
                "error": " ".join(str(error).split())
            }
        except NeuroonError as error:
            raise CommandError(str(error), returncode=FAILED) from None
        except KeyboardInterrupt:
            self.stdout.write("")
            raise CommandError(self.interrupted(), returncode=FAILED) from None
        if reason:
            self.refuse(reason)

    def work(self, **options: Any) -> None:
        raise NotImplementedError

    def interrupted(self) -> str:
        """What Ctrl-C is answered with."""
        return _("Interrupted. Nothing is lost: run the same command again to go on.")

    def refuse(self, reason: str) -> NoReturn:
        raise CommandError(reason, returncode=COULD_NOT_RUN)

    def require_settings(self) -> None:
        """Refuse to go on with settings or feeds that cannot work; the checks say which."""
        if told := wrong_settings():
            self.refuse("\n".join(map(str, told)))
        if not conf.ENABLED:
            self.refuse(_("NEUROON_ENABLED is False."))
        for name in ("SHOP_ID", "API_KEY"):
            if not getattr(conf, name):
                self.refuse(_("NEUROON_%(name)s is not set.") % {"name": name})

    def require_feeds(self) -> None:
        """Refuse to go on where nobody has said what a product or an order is."""
        if not registry.feeds:
            told = _("No product feed is registered: nothing reaches Neuroon.")
            todo = _("Write <app>/neuroon.py with a ProductFeed and @register(Product).")
            self.refuse(f"{told} {todo}")

    def confirm(self, question: str, *, interactive: bool) -> None:
        """Ask, unless told not to; anything but a clear yes ends the command."""
        if not interactive:
            return
        try:
            answer = input(f"{question} {_('[y/N]')} ")
        except EOFError:
            self.refuse(_("Nobody is here to answer; use --no-input."))
        if answer.strip().lower() not in ("y", "yes", _("y"), _("yes")):
            self.refuse(_("Nothing was done."))

    def print_json(self, data: Any) -> None:
        self.stdout.write(json.dumps(data, indent=2, cls=DjangoJSONEncoder, ensure_ascii=False))


def wrong_settings() -> list[checks.CheckMessage]:
    """What the checks find that cannot work, in the settings or in a feed."""
    return [m for m in checks.run_checks(tags=["neuroon"]) if m.is_serious() and not m.is_silenced()]


def print_table(out: OutputWrapper, rows: Sequence[tuple[object, ...]]) -> None:
    """A name, a number to its right, and what there is to say of it."""
    first = max(len(str(row[0])) for row in rows)
    second = max((len(f"{row[1]:,}") for row in rows if isinstance(row[1], int)), default=0)
    for name, value, *words in rows:
        shown = f"{value:>{second},}" if isinstance(value, int) else str(value)
        out.write(f"{name!s:<{first}}  {shown}  {' '.join(map(str, words))}".rstrip())
