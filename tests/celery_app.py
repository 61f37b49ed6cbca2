"""A Celery app for real workers: `celery -A tests.celery_app worker`, configured by one variable."""

from __future__ import annotations

import json
import os
import time

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
config = json.loads(os.environ["NEUROON_TEST_WORKER"])
settings.DATABASES["default"]["NAME"] = config["name"]
for name, value in config["options"].items():
    setattr(settings, name, value)

app = Celery("tests", broker=config["broker"])
app.conf.broker_connection_retry_on_startup = True
app.autodiscover_tasks(["neuroon_django"])


@app.task(name="tests.pay")
def pay(number: str) -> None:
    """As a shop settles invoices: far from the shopper, days after the checkout."""
    from tests.shop.models import Order

    order = Order.objects.get(number=number)
    order.status = "paid"
    order.save()


@app.task(name="tests.shop_task", ignore_result=True)
def shop_task(sent_at: float) -> None:
    """As a shop sends its e-mails: keep in the broker's Redis how many seconds the message waited."""
    from redis import Redis

    waited = time.time() - sent_at
    with Redis.from_url(config["broker"]) as client:
        client.rpush("waits", json.dumps([sent_at, waited]))
