"""The example project's configuration.

Imported first by `manage.py`, the web servers and the Celery worker alike, so this is the place
where a checkout that was never installed finds the package beside it.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("neuroon_django") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from config.celery import app as celery_app

__all__ = ["celery_app"]
