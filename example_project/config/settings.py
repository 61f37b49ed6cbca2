"""Settings of the example shop: everything runs on one machine with nothing to install.

Whatever is kept between runs lives in one state directory. `DATABASE_URL`, `CACHE_URL` and
`CELERY_BROKER_URL` replace the embedded database, cache and broker.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import environ

from neuroon_django.schedules import beat_schedule

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(env.str("EXAMPLE_STATE_DIR", default=str(BASE_DIR / ".state"))).resolve()
CACHE_DIR, BROKER_DIR, CONTROL_DIR = (STATE_DIR / n for n in ("cache", "broker", "control"))
for directory in (CACHE_DIR, BROKER_DIR, CONTROL_DIR):
    directory.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="for-development-only-never-in-a-real-shop")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "neuroon_django",
    "shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "neuroon_django.middleware.ClickAttributionMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context_processors.shop",
            ],
        },
    },
]

# The database: web and worker write at the same time, so SQLite keeps a write-ahead log and takes
# its write lock when a transaction begins; one that waits then waits, instead of failing half-way.
SQLITE: dict[str, Any] = {
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}
DATABASE: dict[str, Any] = (
    dict(env.db("DATABASE_URL"))
    if "DATABASE_URL" in env
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": STATE_DIR / "shop.sqlite3"}
)
if DATABASE["ENGINE"].endswith("sqlite3"):
    DATABASE["OPTIONS"] = {**SQLITE, **DATABASE.get("OPTIONS", {})}
elif DATABASE["ENGINE"].endswith("mysql"):
    DATABASE["OPTIONS"] = {"charset": "utf8mb4", **DATABASE.get("OPTIONS", {})}
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A cache that the web process and the worker share.
CACHES: dict[str, Any] = {
    "default": (
        dict(env.cache("CACHE_URL"))
        if "CACHE_URL" in env
        else {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": CACHE_DIR,
        }
    )
}

# A broker of plain files; the same folder is both ends of the queue.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="filesystem://")
if CELERY_BROKER_URL.startswith("filesystem"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR),
        "data_folder_out": str(BROKER_DIR),
        "control_folder": str(CONTROL_DIR),
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ALWAYS_EAGER = env.bool("CELERY_TASK_ALWAYS_EAGER", default=False)
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "celerybeat-schedule")

# Several shops at Neuroon, as `demo --shops es,uk` has them: one for each language of the pages.
NEUROON_SHOPS: dict[str, dict[str, str]] = env.json("NEUROON_SHOPS", default={})
LANGUAGE_CODE = "en"
if NEUROON_SHOPS:
    LANGUAGES = [(own["LANGUAGE"], alias) for alias, own in NEUROON_SHOPS.items()]
    LANGUAGE_CODE = LANGUAGES[0][0]
    MIDDLEWARE.insert(2, "django.middleware.locale.LocaleMiddleware")
TIME_ZONE = CELERY_TIMEZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "neuroon_django": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}

# Neuroon. By default the sandbox, with what it prints: `python -m neuroon_django.testing.sandbox`
NEUROON_API_URL = env.str("NEUROON_API_URL", default="http://127.0.0.1:8765")
NEUROON_SHOP_ID = env.str("NEUROON_SHOP_ID", default="" if NEUROON_SHOPS else "shop_sandbox")
NEUROON_API_KEY = env.str("NEUROON_API_KEY", default="sk_" + "5a4db0c5" * 4)
NEUROON_STOREFRONT_URL = env.str("NEUROON_STOREFRONT_URL", default="http://localhost:8000")
NEUROON_WIDGET_URL = env.str("NEUROON_WIDGET_URL", default=f"{NEUROON_API_URL}/widget.js")
NEUROON_CURRENCY = env.str("NEUROON_CURRENCY", default="EUR")
NEUROON_PRODUCTS_API = env.str("NEUROON_PRODUCTS_API", default="auto")
NEUROON_RATE_LIMIT = env.int("NEUROON_RATE_LIMIT", default=100) or None  # 0: unpaced
NEUROON_IN_FLIGHT = env.int("NEUROON_IN_FLIGHT", default=1)
NEUROON_QUEUE = env.str("NEUROON_QUEUE", default="") or None
NEUROON_ENABLED = env.bool("NEUROON_ENABLED", default=True)
NEUROON_AUTO_SYNC = env.bool("NEUROON_AUTO_SYNC", default=True)

CELERY_BEAT_SCHEDULE = beat_schedule(queue=NEUROON_QUEUE)

# The shop's own.
SHOP_CURRENCY = NEUROON_CURRENCY  # every price of the catalogue
SHOP_CURRENCIES = {"en-gb": "GBP"}  # of the languages whose pages have another one
SHOP_RATES = {"GBP": Decimal("0.85")}  # what one of the catalogue's is there
SHOP_PAYMENT_SECRET = env.str("SHOP_PAYMENT_SECRET", default="shared-with-the-payment-provider")
# The sandbox's page, which the shop links to; "" where there is none.
SHOP_SANDBOX_URL = env.str("SHOP_SANDBOX_URL", default=f"{NEUROON_API_URL}/")
