"""The project: its Celery app, as Celery's documentation has it."""

from celery import Celery

app = Celery("mysite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
