"""A whole shop for a browser: sandbox, database, worker, web server, and Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from neuroon_django.testing import Sandbox
from tests import services

ROOT = Path(__file__).parent.parent.parent.parent
EXAMPLE = ROOT / "example_project"
KEY = "sk_" + "b4d5e8c0" * 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.fixturenames.insert(0, "browser")  # no Chromium: nothing else is started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = services.chromium()
    services.need(chromium, "Chromium (Debian's `chromium`, or one named in CHROMIUM)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Shop:
    url: str
    neuroon: Sandbox
    environment: dict[str, str]
    logs: Path

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=EXAMPLE, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def running(self, name: str, *command: str) -> Iterator[None]:
        with (self.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=EXAMPLE,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                yield
            finally:
                process.terminate()
                process.wait(20)

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()


def wait_for(ready: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"nothing within {seconds} s"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=10) as response:
            return response.status == 200
    except (URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def shop(browser, tmp_path_factory) -> Iterator[Shop]:
    """The example shop on SQLite and the file broker, its catalogue at Neuroon, a worker at work."""
    state = tmp_path_factory.mktemp("shop")
    address = f"127.0.0.1:{free_port()}"
    url = f"http://{address}"
    with ExitStack() as stack:
        neuroon = stack.enter_context(Sandbox(api_key=KEY, shop_url=url, verified=True))
        own = {
            **neuroon.pasted_settings(),
            "NEUROON_API_KEY": KEY,
            "NEUROON_RATE_LIMIT": "0",
            "EXAMPLE_STATE_DIR": str(state),
            "DJANGO_SETTINGS_MODULE": "tests.system.browser.settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(EXAMPLE)]),
        }
        foreign = ("DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL")
        inherited = {name: value for name, value in os.environ.items() if name not in foreign}
        shop = Shop(url, neuroon, inherited | own, state)
        shop.manage("migrate")
        shop.manage("load_catalogue", "data/catalogue.jsonl")
        shop.manage("neuroon_sync")
        worker = ("-m", "celery", "-A", "config", "worker", "--pool", "solo", "--loglevel", "INFO")
        stack.enter_context(shop.running("worker", *worker))
        stack.enter_context(shop.running("web", "manage.py", "runserver", "--noreload", address))
        wait_for(lambda: " ready." in shop.log("worker"))
        wait_for(lambda: answers(f"{url}/favicon.ico") or answers(f"{url}/"))
        yield shop


@dataclass
class Shopper:
    """A browser of one shopper, and all that it was sent or complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    received: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("response", self._answered)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _answered(self, response: Any) -> None:
        self.received.append((response.url, str(response.headers)))
        if 300 <= response.status < 400:
            return
        body = response.request.response().body() if response.status == 200 else b""
        self.received.append((response.url, body.decode(errors="replace")))

    def stored(self) -> str:
        """Everything that a script of the page could read."""
        return self.page.evaluate(
            """() => JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage},
                 document.documentElement.outerHTML,
                 [...document.scripts].map((script) => [script.text, {...script.dataset}])])"""
        )


@pytest.fixture
def shopper(browser, shop) -> Iterator[Callable[..., Shopper]]:
    contexts = []

    def visit(path: str = "/", *, scheme: str = "light", width: int = 1280) -> Shopper:
        size = {"width": width, "height": 800 if width > 700 else 780}
        context = browser.new_context(color_scheme=scheme, viewport=size, locale="en-GB")
        contexts.append(context)
        made = Shopper(context.new_page())
        made.page.goto(shop.url + path)
        return made

    yield visit
    for context in contexts:
        context.close()
