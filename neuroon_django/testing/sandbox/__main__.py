"""The sandbox as a process: `python -m neuroon_django.testing.sandbox --port 8765`.

Prints its address and the settings to paste once it listens, and serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from .generations import ALL
from .neuroon import Sandbox, serve_shops
from .pasting import settings_to_paste

HELP_TEXTS = {
    "generation": "the interface: s2s, products or later",
    "host": "the address to listen at, one of this machine alone",
    "port": "the port to listen at, 0 for a free one",
    "shop_id": "the only shop",
    "api_key": "the only key that is accepted",
    "shop_url": "the shop's address, shop.url: the domain that can be verified",
    "verified": "begin with the domain verified",
    "rate_limit": "requests per minute and endpoint",
    "routes": "the product routes that are answered",
    "plugin_bodies": "what the plugin route takes: object, array",
    "answer_style": "the shape of a sync's answer",
    "error_style": "how a refused product is shown",
    "error_body": "the shape of an error",
    "firewall": "refuse paths with an encoded / % ; or backslash",
}


def _loopback(text: str) -> str:
    """Return an address of this machine alone; the sandbox asks nobody who he is."""
    if text != "localhost" and not ip_address(text).is_loopback:
        raise argparse.ArgumentTypeError(f"{text} can be reached from other machines: write 127.0.0.1")
    return text


def _shops(text: str) -> dict[str, str]:
    """Return the address of each shop, "" where none is given, by its alias."""
    shops = dict(one.partition("=")[::2] for one in text.split(","))
    if not all(ALIAS.fullmatch(alias) for alias in shops):
        raise argparse.ArgumentTypeError("write aliases: es,uk")
    return shops


TYPES: dict[str, Callable[[str], Any]] = {
    "host": _loopback,
    "port": int,
    "rate_limit": int,
    "routes": lambda text: text.split(","),
    "plugin_bodies": lambda text: text.split(","),
}
ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
INTRODUCTION = """\
Sandbox Neuroon at {url}
It is a stand-in on this machine, not the service. Open that address to see what it receives.
The settings of the shop:
"""


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal comes; return 0 then, exit with 2 if arguments or port are wrong."""
    parser = _parser()
    options = vars(parser.parse_args(argv))
    shops = options.pop("shops")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        neuroon = (serve_shops(shops, **options) if shops else Sandbox(**options)).start()
    except (OSError, ValueError) as error:
        parser.error(f"cannot start: {error}")
    with neuroon:
        shown = INTRODUCTION.format(url=neuroon.url) + settings_to_paste(neuroon.shops)
        print(shown, flush=True)
        stopped.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m neuroon_django.testing.sandbox",
        description="A local Neuroon to develop against. It follows the API strictly, keeps all in "
        "memory, and prints the settings of a shop that talks to it.",
    )
    parser.add_argument(
        "--shops",
        type=_shops,
        metavar="ALIAS[=URL],…",
        help="several shops at this address by their aliases, each with its own or the --shop-url; "
        "their ids and keys are made of the aliases",
    )
    defaults = vars(Sandbox()) | {"port": 8765}
    for name, text in HELP_TEXTS.items():
        default, flag = defaults[name], f"--{name.replace('_', '-')}"
        text = f"{text} (default: {_shown(name, default)})".replace("%", "%%")
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(
                flag, type=TYPES.get(name, str), default=_left_open(name, default), help=text
            )
    return parser


def _left_open(name: str, default: object) -> object:
    """Return an option's default: what a generation decides is left to it."""
    return None if name in ALL else default


def _shown(name: str, default: object) -> object:
    """Return a setting's default as the help shows it."""
    if default is None:
        return "all at once" if name == "generation" else "no limit"
    if default is False:
        return "no"
    return ",".join(default) if isinstance(default, tuple) else default


if __name__ == "__main__":
    sys.exit(main())
