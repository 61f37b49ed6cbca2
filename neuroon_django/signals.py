"""The signals that this app sends; receivers of the shop's own signals are in `recording`.

The sender of most is the model that the feed is registered for, and `shop` the shop's alias (str).
Receivers run in the worker or command that sends, and what they raise is logged.
"""

from __future__ import annotations

from django.dispatch import Signal

# Neuroon accepted a request. synced, created, updated and failed: Neuroon's own counts (int) of the
# whole request; where that held products of several models, the signal is sent for each of them.
products_synced = Signal()

# A product was rejected. row: the SyncedProduct; reason: str.
product_rejected = Signal()

# An order was reported. row: the Conversion.
conversion_sent = Signal()

# Requests stop until a person does something, and go on again; told once in the whole system. The
# sender of both is `ShopState`. groups: "products", "deletes", "conversions", "token" (list of str);
# status: what Neuroon answered (int). reason of the pause: Neuroon's own words (str).
delivery_paused = Signal()
delivery_resumed = Signal()
