"""A worker process for the chaos: it drains until somebody kills it."""

from __future__ import annotations

import json
import os
import sys
import time

import django
from django.conf import settings


def main(config: dict) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    settings.DATABASES["default"]["NAME"] = config["name"]
    for name, value in config["options"].items():
        setattr(settings, name, value)
    django.setup()

    from neuroon_django.api import Client
    from neuroon_django.conf import conf
    from neuroon_django.delivery import ConversionRun, ProductRun
    from neuroon_django.models import ShopState, gates

    for name, value in config["pauses"].items():
        setattr(gates, name, value)
    parent = os.getppid()
    with Client(**conf.client_options()) as client:
        while os.getppid() == parent:  # the simulation may be killed itself
            shop = ShopState.current()
            ProductRun(shop, client).run()
            ConversionRun(shop, client).run()
            time.sleep(0.02)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
