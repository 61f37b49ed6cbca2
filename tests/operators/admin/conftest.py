"""Fixtures: browsers of people with permissions and without."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client


@pytest.fixture
def person(django_user_model):
    """A browser of a staff user with these permissions and no others."""

    def make(*codenames: str, csrf: bool = False) -> Client:
        user = django_user_model.objects.create_user(f"staff{len(codenames)}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client(enforce_csrf_checks=csrf)
        client.force_login(user)
        return client

    return make


@pytest.fixture
def operator(person) -> Client:
    names = ("syncedproduct", "conversion", "shopstate", "run", "product")
    return person(*(f"{verb}_{name}" for name in names for verb in ("view", "change")))


@pytest.fixture
def reader(person) -> Client:
    names = ("syncedproduct", "conversion", "shopstate", "run", "product")
    return person(*(f"view_{name}" for name in names))
