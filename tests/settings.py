"""Settings of the test suite; `DATABASE_URL` and `CACHE_URL` point it at other services."""

from __future__ import annotations

import environ

env = environ.Env()

SECRET_KEY = "tests"
USE_TZ = True
TIME_ZONE = "Europe/Madrid"
LANGUAGE_CODE = "en"
DATABASES = {"default": env.db("DATABASE_URL", default="sqlite:///test.sqlite3")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["TEST"] = {"NAME": env("TEST_SQLITE", default="test_neuroon.sqlite3")}
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "neuroon_django",
    "tests.shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "neuroon_django.middleware.ClickAttributionMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
CELERY_BROKER_URL = ""

NEUROON_SHOP_ID = "shop_sandbox"
NEUROON_API_KEY = "sk_0123456789abcdef0123456789abcdef"
NEUROON_API_URL = "http://127.0.0.1:9"  # nobody listens there
NEUROON_STOREFRONT_URL = "https://mystore.com"
NEUROON_CURRENCY = "EUR"
NEUROON_RATE_LIMIT = None
