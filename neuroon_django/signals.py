"""The signals this app sends; receivers of the shop's own signals live in `receivers`."""

from __future__ import annotations

from django.dispatch import Signal

# sender: the ProductFeed's model or None; synced, created, updated, failed: Neuroon's own counts (int)
products_synced = Signal()

# sender: SyncedProduct; row: the SyncedProduct; reason: str
product_rejected = Signal()

# sender: Conversion; row: the Conversion
conversion_sent = Signal()
