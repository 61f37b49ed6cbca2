"""Settings of a shop without Celery: messages wait in the database, for workers of `db_worker`."""

from __future__ import annotations

import json
import os

import django

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS += ["django_tasks_db", *([] if django.VERSION >= (6, 0) else ["django_tasks"])]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["neuroon"]}}
DATABASES["default"].pop("TEST", None)

NEUROON_TASKS = "django"
NEUROON_QUEUE = "neuroon"
NEUROON_DEBOUNCE = 0.1
globals().update(json.loads(os.environ.get("SHOP_SETTINGS", "{}")))
