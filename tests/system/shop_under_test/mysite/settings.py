"""The shop's own settings, live ones: nothing here knows of tests."""

import os

import mysite.guard  # noqa: F401

SECRET_KEY = "shop"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}}
CACHES = {"default": {"BACKEND": "mysite.guard.SharedCache"}}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "neuroon_django", "store"]
MIDDLEWARE = ["neuroon_django.middleware.ClickAttributionMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "mysite.urls"
STATIC_URL = "/static/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = os.environ["BROKER"] or None
CELERY_TASK_ALWAYS_EAGER = os.environ["EAGER"] == "1"

NEUROON_SHOP_ID = "shop_live"
NEUROON_API_KEY = "sk_live_0123456789abcdef"
NEUROON_STOREFRONT_URL = "https://mystore.com"
NEUROON_CURRENCY = "EUR"
NEUROON_DEBOUNCE = 0
if "API_URL" in os.environ:  # a developer's sandbox, which is no business of the tests either
    NEUROON_API_URL = os.environ["API_URL"]
