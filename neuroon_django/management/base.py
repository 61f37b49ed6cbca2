"""What the commands share: when they may run, how they end, and how they print."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    OutputWrapper,
)
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError

from neuroon_django.conf import ShopConfig, conf
from neuroon_django.exceptions import ConfigurationError, NeuroonError, NoProductList
from neuroon_django.operations.problems import obstacles

FAILED, COULD_NOT_RUN = 1, 2
DOCUMENTS = ("json", "prometheus")  # options whose output a program reads: no headings in it


class Interrupted(CommandError):
    """Somebody pressed Ctrl-C: no other shop has its turn."""


class HelpFormatter(DjangoHelpFormatter):
    """Django's, which leaves the lines of the examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class NeuroonCommand(BaseCommand):
    """Ends with 0 where all is fine, 1 where something failed, 2 where it could not run.

    Without `--shop` it works for every shop of the settings, each in a section of its own; what fails
    for one keeps no other from its turn.
    """

    requires_system_checks = []
    keys_documents = False  # whether the document of the only shop stands under its alias, too
    examples: Sequence[tuple[str, str]] = ()  # options, and what they are good for
    exits: Sequence[str] = ("all is well", "something failed", "it could not run")

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser; its help ends with examples and with what the exit codes say."""
        calls = [f"  manage.py {subcommand} {options}".rstrip() for options, _ in self.examples]
        width = max(map(len, calls), default=0)
        lines = [f"{call:<{width}}  {use}" for call, (_, use) in zip(calls, self.examples, strict=True)]
        codes = [f"  {code}  {meaning}" for code, meaning in enumerate(self.exits)]
        return super().create_parser(
            prog_name,
            subcommand,
            formatter_class=HelpFormatter,
            epilog="\n".join(["examples:", *lines, "", "exit codes:", *codes]),
            **kwargs,
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options that all commands share; a command with more calls this first."""
        parser.add_argument(
            "--shop", default="", metavar="ALIAS", help="The shop to work for (default: all of them)."
        )

    def add_no_input(self, parser: CommandParser) -> None:
        """Add the option that answers questions with yes."""
        parser.add_argument(
            "--no-input", "--noinput", action="store_false", dest="interactive", help="Do not ask."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command's own work for each shop, and end with the exit code that fits."""
        shops = self.shops(options.pop("shop"), options)
        self.documents: dict[str, Any] = {}
        failures = self.work_for_each(shops, options)
        if self.documents:
            by_alias = self.keys_documents or len(shops) > 1
            self.write_json(self.documents if by_alias else next(iter(self.documents.values())))
        if len(shops) == 1:
            for error in failures.values():
                raise error
        if failures:
            returncode = max(error.returncode for error in failures.values())
            raise CommandError(f"Failed for: {', '.join(failures)}", returncode=returncode)

    def shops(self, alias: str, options: dict[str, Any]) -> list[ShopConfig]:
        """Return the shop of that alias, or all; refuse an alias that no shop has."""
        try:
            return [conf.shop(alias)] if alias else list(conf.shops().values())
        except ConfigurationError as error:
            self.refuse(str(error))

    def work_for_each(
        self, shops: Sequence[ShopConfig], options: dict[str, Any]
    ) -> dict[str, CommandError]:
        """Work for these shops; return the errors by alias, which several shops' sections show too."""
        failures: dict[str, CommandError] = {}
        for number, config in enumerate(shops):
            if len(shops) > 1 and not any(map(options.get, DOCUMENTS)):
                heading = self.style.MIGRATE_HEADING(f"Shop {config.alias}")
                self.stdout.write(f"\n{heading}" if number else heading)
            try:
                self.work_or_fail(config, options)
            except Interrupted:
                raise
            except CommandError as error:
                failures[config.alias] = error
                if len(shops) > 1:
                    self.stderr.write(self.style.ERROR(str(error)))
        return failures

    def work_or_fail(self, config: ShopConfig, options: dict[str, Any]) -> None:
        """Work for one shop, and raise as `CommandError` whatever ends it."""
        try:
            self.work(config, **options)
        except DatabaseError as error:
            cause = " ".join(str(error).split())
            reason = f"The database reports: {cause}. If it is not migrated, run: manage.py migrate"
            raise CommandError(reason, returncode=COULD_NOT_RUN) from None
        except NoProductList as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from None
        except NeuroonError as error:
            raise CommandError(str(error), returncode=FAILED) from None
        except KeyboardInterrupt:
            self.stdout.write("")
            raise Interrupted(self.interrupted(), returncode=FAILED) from None

    def work(self, config: ShopConfig, **options: Any) -> None:
        """Do what the command is for, for one shop."""
        raise NotImplementedError

    def interrupted(self) -> str:
        """Return the answer to Ctrl-C."""
        return "Interrupted. Nothing is lost: run the same command again to go on."

    def refuse(self, reason: str) -> NoReturn:
        """End the command, which could not run."""
        raise CommandError(reason, returncode=COULD_NOT_RUN)

    def require(self, config: ShopConfig, *, feeds: bool = True) -> None:
        """Refuse to go on where nothing can be sent for this shop."""
        if problems := list(obstacles(config, feeds=feeds)):
            self.refuse("\n".join(map(str, problems)))

    def confirm(self, question: str, *, interactive: bool) -> None:
        """Ask, unless told not to; anything but a clear yes ends the command."""
        if not interactive:
            return
        try:
            answer = input(f"{question} [y/N] ")
        except EOFError:
            self.refuse("Nobody is here to answer; use --no-input.")
        if answer.strip().lower() not in ("y", "yes"):
            self.refuse("Nothing was done.")

    def print_json(self, config: ShopConfig, data: Any) -> None:
        """Print a shop's document at the end: alone, or under its alias where there are several."""
        self.documents[config.alias] = data

    def write_json(self, data: Any) -> None:
        """Print one document."""
        self.stdout.write(json.dumps(data, indent=2, cls=DjangoJSONEncoder, ensure_ascii=False))


def print_table(
    out: OutputWrapper,
    rows: Sequence[tuple[object, ...]],
    styles: Mapping[object, Callable[[str], str]] = MappingProxyType({}),
) -> None:
    """Print rows of a name, a value (numbers stand to the right), and further words.

    `styles` colours the values of some rows, by their name.
    """
    first = max(len(str(row[0])) for row in rows)
    second = max((len(f"{row[1]:,}") for row in rows if isinstance(row[1], int)), default=0)
    for name, value, *words in rows:
        shown = f"{value:>{second},}" if isinstance(value, int) else str(value)
        shown = styles[name](shown) if name in styles else shown
        out.write(f"{name!s:<{first}}  {shown}  {' '.join(map(str, words))}".rstrip())
