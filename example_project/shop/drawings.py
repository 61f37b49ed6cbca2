"""A product without a photograph gets a drawing: its shelf's motif, or its initials.

Colours and composition follow from the SKU, so a product always looks the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from shop.models import Product

PALETTES = (  # ground, shapes, ink
    ("#e3e8d9", "#c9d4b8", "#3f5135"),
    ("#f3e1d3", "#e6c6ac", "#7d4429"),
    ("#dbe7ea", "#b9d0d7", "#2b4e5b"),
    ("#f3e8c9", "#e5d093", "#6b5114"),
    ("#e9dee6", "#d2bdcd", "#583853"),
    ("#e1e4ea", "#c1c8d5", "#384157"),
    ("#f4dfdb", "#e6bdb7", "#7e3b37"),
    ("#eee8dc", "#dacfba", "#574b3b"),
    ("#d6e4de", "#afcbbf", "#234a3e"),
)

# One line drawing per shelf of the sample catalogue, by the category's slug, on 120 × 120.
MOTIFS: dict[str, str] = json.loads(Path(__file__).with_name("motifs.json").read_text())


@dataclass(frozen=True)
class Drawing:
    ground: str
    shape: str
    ink: str
    motif: str
    initials: str
    sun: tuple[int, int, int]
    hill: tuple[int, int]


def draw(product: Product) -> Drawing:
    """Compose the drawing; reads `categories`, prefetched on pages that show many."""
    seed = crc32(product.sku.encode())
    ground, shape, ink = PALETTES[seed % len(PALETTES)]
    shelves = [MOTIFS[c.slug] for c in product.categories.all() if c.slug in MOTIFS]
    return Drawing(
        ground=ground,
        shape=shape,
        ink=ink,
        motif=shelves[-1] if shelves else "",
        initials=_initials(product.title),
        sun=(14 + (seed >> 8) % 92, 18 + (seed >> 16) % 26, 20 + (seed >> 12) % 14),
        hill=(78 + (seed >> 5) % 22, 78 + (seed >> 20) % 22),
    )


def _initials(title: str) -> str:
    words = re.findall(r"[^\W_]+", title)
    return "".join(word[0] for word in words[:2]).upper()
