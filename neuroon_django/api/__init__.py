"""Neuroon's API as `API.md` describes it: the client, its transport, and what travels."""

from neuroon_django.api.client import Client

__all__ = ["Client"]
