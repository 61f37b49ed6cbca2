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
    from neuroon_django.delivery import order_run, product_run
    from neuroon_django.models import ShopState, endpoint

    for name, value in config["pauses"].items():
        setattr(endpoint, name, value)
    parent = os.getppid()
    with Client(**conf.shop().client_options()) as client:
        while os.getppid() == parent:  # the simulation may be killed itself
            shop = ShopState.objects.for_config(conf.shop())
            product_run(shop, client).run()
            order_run(shop, client).run()
            time.sleep(0.02)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
