"""The generations of Neuroon's interface that a sandbox can be, as one preset of settings each.

The two primary documents disagree, and later documentation disagrees with both. Where a generation's
own document is silent, API.md's other facts hold: domain, plan and conversions are the same in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALL: Mapping[str, Any] = {
    "routes": ("plugin", "shops"),
    "plugin_bodies": ("object",),
    "lists": True,
    "token_refusal": None,
    "signed_tokens": True,
    "sorts": ("externalId", "name"),
    "unknown_fields": "record",
    "required_headers": (),
}
STRICT: Mapping[str, Any] = {"sorts": (), "unknown_fields": "refuse"}

GENERATIONS: Mapping[str | None, Mapping[str, Any]] = {
    # Everything that any of them names, each at its own address.
    None: ALL,
    # S2S: products by the plugin route; it names no body, so API.md's object, and no list, so PROD's.
    # Its table of headers asks for a User-Agent; its own examples do without Origin, as docs allow.
    "s2s": {
        **ALL,
        **STRICT,
        "routes": ("plugin",),
        "signed_tokens": False,
        "required_headers": ("User-Agent",),
    },
    # PROD: products by the shops route alone, with the fields of its table and no others. It names
    # only the key among the headers; what is no product is S2S's.
    "products": {**ALL, **STRICT, "routes": ("shops",), "signed_tokens": False},
    # Docs: nothing but /api/plugin, so no list, and tokens that are signed by the shop itself.
    "later": {
        **ALL,
        **STRICT,
        "routes": ("plugin",),
        "lists": False,
        "token_refusal": 404,
        "required_headers": ("Accept", "User-Agent"),
    },
}
PRESET: Any = None  # a setting's default: whatever its generation says
