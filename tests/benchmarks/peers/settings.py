"""The settings of a contender's process: the tests' shop, and the app that is measured."""

from __future__ import annotations

import os

import environ

env = environ.Env()
CONTENDER = os.environ["CONTENDER"]
SINK = os.environ.get("SINK", "http://127.0.0.1:9")
APPS = {
    "neuroon": ["neuroon_django", "tests.benchmarks.peers.feeds"],
    "algolia": ["algoliasearch_django"],
    "elasticsearch": ["django_elasticsearch_dsl"],
}

SECRET_KEY = "benchmark"
USE_TZ = True
DATABASES = {"default": env.db("DATABASE_URL")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    *APPS.get(CONTENDER.partition("-")[0], []),
    "tests.shop",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = os.environ.get("BROKER", "")

NEUROON_SHOP_ID = "shop_benchmark"
NEUROON_API_KEY = "sk_0123456789abcdef0123456789abcdef"
NEUROON_API_URL = SINK
NEUROON_STOREFRONT_URL = "https://mystore.com"
NEUROON_PRODUCTS_API = "plugin"
NEUROON_RATE_LIMIT = None
NEUROON_IN_FLIGHT = int(os.environ.get("IN_FLIGHT", "1"))

ALGOLIA = {"APPLICATION_ID": "BENCHMARK", "API_KEY": "key", "RAISE_EXCEPTIONS": True}

ELASTICSEARCH_DSL = {"default": {"hosts": SINK}}
if CONTENDER == "elasticsearch-celery":
    ELASTICSEARCH_DSL_SIGNAL_PROCESSOR = "django_elasticsearch_dsl.signals.CelerySignalProcessor"
