"""`neuroon_verify`: is everything in place, from the settings to the widget token?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from neuroon_django.conf import ShopConfig
from neuroon_django.management.base import COULD_NOT_RUN, FAILED, NeuroonCommand
from neuroon_django.operations.steps import Step
from neuroon_django.operations.verification import Verification


class Command(NeuroonCommand):
    """Prints the steps of the verification while they are taken."""

    examples = (
        ("", "after the set-up, and after every pause that needs a person"),
        ("--check", "look only, change nothing"),
        ("--domain https://mystore.com", "verify another domain than NEUROON_STOREFRONT_URL"),
        ("--json", "for a program"),
    )
    exits = ("no step has failed", "a step has failed", "settings or tables are not ready")

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        super().add_arguments(parser)
        parser.description = (
            "Checks the set-up step by step, verifies the domain at Neuroon and ends all pauses."
        )
        either = parser.add_mutually_exclusive_group()
        either.add_argument(
            "--domain",
            action="append",
            default=[],
            metavar="URL",
            help="The domain to verify instead of NEUROON_STOREFRONT_URL; may be repeated.",
        )
        either.add_argument("--check", action="store_true", help="Look only, change nothing.")
        either.add_argument(
            "--unverify", action="store_true", help="Give the verification up; asks first."
        )
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        self.add_no_input(parser)

    def work_for_each(
        self, shops: Sequence[ShopConfig], options: dict[str, Any]
    ) -> dict[str, CommandError]:
        """Verify these shops one after the other; a domain is one shop's."""
        if options["domain"] and len(shops) > 1:
            aliases = ", ".join(shop.alias for shop in shops)
            self.refuse(f"A domain is one shop's: add --shop ALIAS. There are: {aliases}.")
        return super().work_for_each(shops, options)

    def work(self, config: ShopConfig, **options: Any) -> None:
        """Take the steps, print them, and fail where one failed."""
        try:
            verification = Verification(config, options["domain"], check=options["check"])
        except ValueError as error:
            self.refuse(f"--domain {error}")
        for step in verification.unverify() if options["unverify"] else verification.run():
            if not options["json"]:
                self.print_step(step, verbose=options["verbosity"] > 1)
            if options["unverify"] and step.name == "tables" and not step.failed:
                self.ask(config, interactive=options["interactive"], as_json=options["json"])
        if options["json"]:
            self.print_json(config, verification.as_json())
        elif verification.passed and not options["unverify"]:
            self.stdout.write(f"next: {verification.next_command}")
        if not verification.passed:
            returncode = FAILED if verification.could_run else COULD_NOT_RUN
            raise CommandError(f"Failed: {', '.join(verification.failed)}", returncode=returncode)

    def ask(self, config: ShopConfig, *, interactive: bool, as_json: bool) -> None:
        """Ask whether to give the verification up."""
        if interactive and as_json:
            self.refuse("A question cannot be asked in JSON: add --no-input to --unverify --json.")
        question = f"Give up the verification of shop {config.SHOP_ID} at {config.API_URL}?"
        self.confirm(question, interactive=interactive)

    def print_step(self, step: Step, *, verbose: bool) -> None:
        """Print the result, the name and what was found; what to do stands in the next line."""
        styles = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "failed": self.style.ERROR}
        result = styles[step.result](f"{step.result:<8}")
        self.stdout.write(f"{result} {step.name:<8} {step.text}")
        if step.cure:
            self.stdout.write(f"{'':<17} → {step.cure}")
        if verbose and (payload := step.details.get("payload")):
            self.stdout.write(payload)
