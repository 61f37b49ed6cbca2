"""`neuroon_verify`: is everything in place, from the settings to the widget token?"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from neuroon_django.conf import conf
from neuroon_django.management.base import COULD_NOT_RUN, FAILED, NeuroonCommand
from neuroon_django.operations.steps import Step
from neuroon_django.operations.verification import Verification


class Command(NeuroonCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Checks the set-up step by step, verifies the domain at Neuroon and ends all pauses."
        )
        either = parser.add_mutually_exclusive_group()
        either.add_argument(
            "--domain",
            action="append",
            default=[],
            metavar="URL",
            help=_("The domain to verify instead of NEUROON_STOREFRONT_URL; may be repeated."),
        )
        either.add_argument("--check", action="store_true", help=_("Look only, change nothing."))
        either.add_argument(
            "--unverify", action="store_true", help=_("Give the verification up; asks first.")
        )
        parser.add_argument("--json", action="store_true", help=_("Print JSON."))
        self.add_no_input(parser)

    def work(self, **options: Any) -> None:
        verification = Verification(options["domain"], check=options["check"])
        ask = partial(self.ask, interactive=options["interactive"], as_json=options["json"])
        for step in verification.give_up(ask) if options["unverify"] else verification.walk():
            if not options["json"]:
                self.print_step(step, verbose=options["verbosity"] > 1)
        if options["json"]:
            self.print_json(verification.as_json())
        if not verification.passed:
            returncode = FAILED if verification.could_run else COULD_NOT_RUN
            failed = ", ".join(_(s.name) for s in verification.taken if s.verdict == "failed")
            raise CommandError(_("Failed: %s") % failed, returncode=returncode)

    def ask(self, *, interactive: bool, as_json: bool) -> None:
        if interactive and as_json:
            self.refuse(_("A question is no JSON: add --no-input to --unverify --json."))
        question = _("Give up the verification of shop %(shop)s at %(address)s?")
        names = {"shop": conf.SHOP_ID, "address": conf.API_URL}
        self.confirm(question % names, interactive=interactive)

    def print_step(self, step: Step, *, verbose: bool) -> None:
        word, style = {
            "ok": (_("ok"), self.style.SUCCESS),
            "warning": (_("warning"), self.style.WARNING),
            "failed": (_("failed"), self.style.ERROR),
        }[step.verdict]
        self.stdout.write(f"{style(word):<8} {_(step.name):<8} {step.text}")
        if step.todo:
            self.stdout.write(f"{'':<17} → {step.todo}")
        if verbose and (payload := step.details.get("payload")):
            self.stdout.write(payload)
