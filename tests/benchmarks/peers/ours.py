"""This app, by its public command."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command

from neuroon_django.models import ShopState, SyncedProduct
from tests.benchmarks.peers.contender import Contender


class Neuroon(Contender):
    """neuroon-django: a save records the change, `neuroon_sync` sends what is due."""

    def forget(self) -> None:
        """Empty the mirror."""
        SyncedProduct.objects.all().delete()
        ShopState.objects.all().delete()

    def sync(self) -> None:
        """Scan the catalogue and send what differs from the mirror."""
        call_command("neuroon_sync", scan=True, stdout=StringIO(), stderr=StringIO())

    def deliver(self) -> None:
        """Send what was recorded."""
        call_command("neuroon_sync", stdout=StringIO(), stderr=StringIO())
