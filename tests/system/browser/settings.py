"""The example shop under a strict Content-Security-Policy, with one page that is cached whole."""

from __future__ import annotations

from pathlib import Path

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE, TEMPLATES

MIDDLEWARE = ["tests.system.browser.policy.StrictPolicy", *MIDDLEWARE]
TEMPLATES = [{**TEMPLATES[0], "DIRS": [Path(__file__).parent / "templates"]}]
ROOT_URLCONF = "tests.system.browser.urls"
