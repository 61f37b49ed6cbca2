"""The Celery app of a contender's worker."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.peers.settings")
app = Celery("benchmark", broker=os.environ["BROKER"])
app.conf.task_acks_late = True
app.autodiscover_tasks()

import django  # noqa: E402

django.setup()

import django_elasticsearch_dsl.signals  # noqa: E402, F401  # it holds the tasks

import tests.benchmarks.peers.elasticsearch  # noqa: E402, F401  # it holds the documents
