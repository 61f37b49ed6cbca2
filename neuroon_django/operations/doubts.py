"""What of a payload is right by its form and hardly meant, as the trial of feeds tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# What storages add to the addresses that they sign, which are others each time.
SIGNATURES = re.compile(
    r"[?&](X-Amz-Signature|X-Goog-Signature|AWSAccessKeyId|Signature|Expires|sig|se|Key-Pair-Id|"
    r"token|hmac|hdnts)=",
    re.IGNORECASE,
)


class Doubt(NamedTuple):
    """Something about a payload that a person should look at, and what to do about it."""

    text: str
    cure: str


def doubts(payload: Mapping[str, Any]) -> Iterator[Doubt]:
    """Yield what is doubtful about a product's payload, as it is sent."""
    for name in ("url", "imageUrl"):
        if signature := SIGNATURES.search(str(payload.get(name, ""))):
            yield Doubt(
                f"{name} is a signed address ({signature[1]}=), which ends to work and is another "
                "each time: every scan would send it again",
                "Return a public address: querystring_auth = False in the storage, or a method.",
            )
    price, sale = payload["price"], payload.get("salePrice")
    if sale is not None and not 0 < sale < price:
        wrong = "is 0" if sale == 0 else f"is {sale}, and the price {price}"
        cure = "Return None where there is no sale."
        yield Doubt(f"salePrice {wrong}", cure)
