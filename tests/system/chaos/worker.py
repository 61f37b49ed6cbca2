"""A worker process for the chaos: it drains until somebody kills it."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack

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
    if len(conf.shops()) > 1:
        from tests.system.chaos.market import use_market

        use_market()
    parent = os.getppid()
    with ExitStack() as stack:
        clients = [
            (one, stack.enter_context(Client(**one.client_options()))) for one in conf.shops().values()
        ]
        while os.getppid() == parent:  # the simulation may be killed itself
            for one, client in clients:
                shop = ShopState.objects.for_config(one)
                product_run(shop, client).run()
                order_run(shop, client).run()
            time.sleep(0.02)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
