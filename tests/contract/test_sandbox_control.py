"""The sandbox from outside: its control side, and as a process of its own."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from neuroon_django.testing.sandbox import Sandbox
from neuroon_django.testing.sandbox.__main__ import main
from neuroon_django.testing.sandbox.answers import ANSWER_STYLES
from neuroon_django.testing.sandbox.errors import ERROR_BODIES
from neuroon_django.testing.sandbox.faults import KINDS
from neuroon_django.testing.sandbox.generations import GENERATIONS
from neuroon_django.testing.sandbox.refused import ERROR_STYLES
from tests.contract.shop import CONVERSION, Shop, Whatever, check, conversion, product

ROOT = Path(__file__).parent.parent.parent
SECONDS = Whatever(lambda seconds: isinstance(seconds, Decimal | int) and seconds >= 0)
SETTINGS = {
    "generation": None,
    "name": "Sandbox shop",
    "shop_id": "shop_sandbox",
    "shop_url": "http://localhost:8000",
    "verified": False,
    "routes": ["plugin", "shops"],
    "plugin_bodies": ["object"],
    "lists": True,
    "token_refusal": None,
    "signed_tokens": True,
    "sorts": ["externalId", "name"],
    "unknown_fields": "record",
    "required_headers": [],
    "firewall": False,
    "rate_limit": None,
    "rate_window": Decimal("60.0"),
    "sliding": False,
    "max_products": 1_000_000,
    "reject": None,
    "warn": {},
    "answer_style": "counts",
    "error_style": "externalId",
    "error_body": "by-status",
    "shops_delete_by": "any",
    "conflict": False,
    "staging": False,
    "token_lifetime": Decimal("86400.0"),
}


def test_the_control_side_shows_what_there_is(neuroon: Sandbox, shop: Shop) -> None:
    shop.sync(product(price=19.9))
    shop("POST", CONVERSION, conversion())
    shop("GET", f"/{neuroon.api_key}")
    state = {"url": neuroon.url, "settings": SETTINGS, "products": 1, "conversions": 1}
    state |= {"duplicates": 0, "tokens": 0, "searches": 0, "domains": [], "overlaps": [], "ignored": []}
    state |= {"requests": {"sync": 1, "conversion": 1, "unknown": 1}}
    check(shop("GET", "/_sandbox/state"), 200, state)
    check(shop("GET", "/_sandbox/products"), 200, [product(price=Decimal("19.9"))])
    assert '"price": 19.9,' in shop("GET", "/_sandbox/products").text
    check(shop("GET", "/_sandbox/conversions"), 200, [neuroon.conversions["1001"]])
    entry = {
        "method": "GET",
        "path": "/sk_…",
        "endpoint": "unknown",
        "status": 404,
        "fault": None,
    }
    entry |= {"headers": dict(neuroon.requests[-1].headers), "body": "", "external_ids": []}
    entry |= {"key_ok": True, "seconds": SECONDS}
    check(shop("GET", "/_sandbox/requests?limit=1"), 200, [entry])
    shown = shop("GET", "/_sandbox/requests").json()
    assert [one["external_ids"] for one in shown] == [["SKU-1"], [], []]
    check(shop("GET", "/_sandbox/requests?limit=0"), 200, [])
    assert len(neuroon.requests) == 3


def test_faults_by_the_control_side(neuroon: Sandbox, shop: Shop) -> None:
    order = {"kind": "status", "endpoint": "me", "status": 500, "times": None}
    check(shop("POST", "/_sandbox/faults", order), 204, None)
    assert shop.statuses(1) == [500]
    check(shop("DELETE", "/_sandbox/faults"), 204, None)
    check(shop("POST", "/_sandbox/faults", {"kind": "delay", "seconds": 0.01}), 204, None)
    assert shop.statuses(1) == [200]


def test_settings_and_reset_by_the_control_side(neuroon: Sandbox, shop: Shop) -> None:
    change = {"verified": True, "routes": ["shops"], "rate_limit": 7, "rate_window": 0.5}
    answer = shop("POST", "/_sandbox/settings", change | {"api_key": "sk_other"})
    check(answer, 200, SETTINGS | change | {"rate_window": Decimal("0.5")})
    assert neuroon.api_key == "sk_other"
    assert shop.statuses(1) == [200]
    neuroon.reject = lambda payload: None
    assert shop("GET", "/_sandbox/state").json()["settings"]["reject"] == "a function"
    check(shop("POST", "/_sandbox/reset"), 204, None)
    assert (neuroon.requests, neuroon.verified, neuroon.rate_limit) == ([], False, 7)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"kind": "flood"}),
        ("faults", {"kind": "status", "state": 1}),
        ("faults", {}),
        ("faults", [1]),
        ("faults", b"{"),
        ("settings", {"verified": True, "colour": 1}),
        ("settings", {"port": 80}),
        ("settings", {"error_style": "other"}),
        ("settings", {"generation": "next"}),
    ],
)
def test_an_order_that_makes_no_sense(neuroon: Sandbox, shop: Shop, path: str, body: Any) -> None:
    answer = shop("POST", f"/_sandbox/{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert (neuroon.verified, shop.statuses(1)) == (False, [200])


# A process of its own


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process(number: signal.Signals) -> None:
    options = ["--shop-id", "s1", "--api-key", "sk_1", "--shop-url", "https://mystore.com"]
    options += ["--verified", "--rate-limit", "9", "--generation", "products"]
    options += ["--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "neuroon_django.testing.sandbox", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            pasted = [process.stdout.readline() for _ in range(7)]
            url = line.removeprefix("Sandbox Neuroon at ").strip()
            state = requests.get(f"{url}/_sandbox/state", timeout=10).json()["settings"]
            process.send_signal(number)
            rest = process.communicate(timeout=10)
        finally:
            process.kill()
    assert line == f"Sandbox Neuroon at {url}\n"
    assert url.startswith("http://127.0.0.1:")
    assert pasted == [
        "It is a stand-in on this machine, not the service. "
        "Open that address to see what it receives.\n",
        "The settings of the shop:\n",
        f'NEUROON_API_URL = "{url}"\n',
        'NEUROON_SHOP_ID = "s1"\n',
        'NEUROON_API_KEY = "sk_1"\n',
        'NEUROON_STOREFRONT_URL = "https://mystore.com"\n',
        f'NEUROON_WIDGET_URL = "{url}/widget.js"\n',
    ]
    shown = [state[name] for name in ("shop_id", "shop_url", "verified", "rate_limit", "routes")]
    assert shown == ["s1", "https://mystore.com", True, 9, ["shops"]]
    assert (process.returncode, *rest) == (0, "", "")


def test_several_shops_at_one_address() -> None:
    command = [sys.executable, "-m", "neuroon_django.testing.sandbox", "--port", "0", "--verified"]
    shops = ["--shops", "es=http://127.0.0.1:8000,uk"]
    with subprocess.Popen([*command, *shops], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().split()[-1]
            text = "".join(process.stdout.readline() for _ in range(8)).partition("shop:\n")[2]
            pasted: dict[str, Any] = {}
            exec(text, pasted)
            state = {
                alias: requests.get(
                    f"{url}/_sandbox/state", {"shop": f"shop_{alias}"}, timeout=5
                ).json()
                for alias in ("es", "uk")
            }
        finally:
            process.terminate()
    entries = pasted["NEUROON_SHOPS"]
    assert (pasted["NEUROON_API_URL"], pasted["NEUROON_WIDGET_URL"]) == (url, f"{url}/widget.js")
    assert list(entries) == ["es", "uk"]
    assert len({entry["API_KEY"] for entry in entries.values()}) == 2
    urls = ["http://127.0.0.1:8000", "http://localhost:8000"]
    assert [entry["STOREFRONT_URL"] for entry in entries.values()] == urls
    for alias, entry in entries.items():
        shown = state[alias]["settings"]
        assert (shown["shop_id"], shown["name"]) == (entry["SHOP_ID"], alias)
        assert (shown["shop_url"], shown["verified"]) == (entry["STOREFRONT_URL"], True)


def test_the_help_shows_each_option_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "A local Neuroon to develop against." in text
    for default in ("127.0.0.1", "8765", "shop_sandbox", Sandbox.api_key, "no", "no limit"):
        assert f"(default: {default})" in text
    assert text.count("(default: ") == 14
    assert "(default: plugin,shops)" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "{port}"], "cannot start: "),
        (["--routes", "plugin,other"], "no routes 'other'"),
        (["--host", "0.0.0.0"], "0.0.0.0 can be reached from other machines: write 127.0.0.1"),
        (["--shops", "es,u k"], "argument --shops: write aliases: es,uk"),
        (["--host", "mystore.com"], "argument --host: invalid"),
    ],
)
def test_a_process_that_cannot_start(
    neuroon: Sandbox, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with pytest.raises(SystemExit, match="2"):
            main([option.format(port=neuroon.port) for option in options])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert message in capsys.readouterr().err


NAMES = {each.name for each in fields(Sandbox)} - {"host", "port"}
STYLES = {*ANSWER_STYLES, *ERROR_STYLES, *ERROR_BODIES, *KINDS, *filter(None, GENERATIONS)}


@pytest.mark.parametrize("name", sorted(NAMES | {f'"{style}"' for style in STYLES}))
def test_the_handbook_names_every_option(name: str) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", "\n".join(page.read_text() for page in pages))


def test_nothing_but_the_standard_library() -> None:
    folder = ROOT / "neuroon_django" / "testing" / "sandbox"
    nodes = [n for file in folder.glob("*.py") for n in ast.walk(ast.parse(file.read_text()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}
    names -= {"neuroon_django.environment"}  # which is of the standard library alone as well
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
    assert {node.level for node in nodes if isinstance(node, ast.ImportFrom)} == {0, 1}
