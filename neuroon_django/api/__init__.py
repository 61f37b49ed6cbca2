"""Neuroon's API as `API.md` describes it: the client, its transport, and what travels.

Neuroon has two primary documents, which disagree in places: S2S is its page on server-to-server
calls, PROD its page on products. "docs" is all else that it publishes, which counts where both are
silent. Comments here name the one that says so.
"""

from neuroon_django.api.client import Client

__all__ = ["Client"]
