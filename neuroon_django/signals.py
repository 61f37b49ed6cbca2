"""The signals that this app sends; receivers of the shop's own signals are in `recording`."""

from __future__ import annotations

from django.dispatch import Signal

# Neuroon accepted a batch. sender: SyncedProduct; synced, created, updated and failed: Neuroon's own
# counts (int).
products_synced = Signal()

# A product was rejected. sender: SyncedProduct; row: the SyncedProduct; reason: str.
product_rejected = Signal()

# An order was reported. sender: Conversion; row: the Conversion.
conversion_sent = Signal()
