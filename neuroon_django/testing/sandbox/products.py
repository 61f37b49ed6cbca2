"""Products and orders: the endpoints that take, keep, list, find and delete them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .rules import LINE_FIELDS, ORDER_FIELDS, PLUGIN_FIELDS, SHOPS_FIELDS, Payload, breaches
from .server import Refusal, Request

if TYPE_CHECKING:
    from .neuroon import Sandbox

MAX_BATCH = MAX_PAGE = MAX_FOUND = 100
FOUND = ("externalId", "name", "price", "currency", "url", "imageUrl", "brand")

# How a refused product is told, by its index, externalId and message.
ERROR_STYLES: Mapping[str, Callable[[int, str | None, str], Any]] = {
    "externalId": lambda n, external_id, why: {"externalId": external_id, "message": why},
    "index": lambda n, external_id, why: {"index": n, "message": why},
    "text": lambda n, external_id, why: f"{external_id}: {why}",
    "none": lambda n, external_id, why: None,
    "reject": lambda n, external_id, why: None,
    "reject-named": lambda n, external_id, why: {"externalId": external_id, "message": why},
}
WHOLE = {"reject", "reject-named"}  # one bad product refuses the batch


def sync(neuroon: Sandbox, request: Request, data: Any) -> Payload:
    batch, kept, failures = _batch(request, data), neuroon.products, []
    size, style = len(kept), neuroon.error_style
    before = dict(kept) if style in WHOLE else {}
    for index, product in enumerate(batch):
        if why := next(_objections(neuroon, request, product), None):
            failures.append((index, next(iter(external_ids([product])), None), why))
            continue
        if not request.plugin:
            product = {name: product[name] for name in SHOPS_FIELDS if name in product}
        kept[product["externalId"]] = product
        neuroon.identify(product["externalId"])
    errors = [told for failure in failures if (told := ERROR_STYLES[style](*failure))]
    if failures and style in WHOLE:
        neuroon.products = before
        raise Refusal(400, failures[0][2], errors)
    synced, created, failed = len(batch) - len(failures), len(kept) - size, len(failures)
    counts = {"synced": synced, "created": created, "updated": synced - created}
    return counts | {"failed": failed, "errors": errors}


def _batch(request: Request, data: Any) -> list[Any]:
    products, want = data, "a list of products"
    if request.plugin:
        right = isinstance(data, dict) and data.keys() == {"syncType", "products"}
        products = data["products"] if right and data["syncType"] == "INCREMENTAL" else None
        want = '{"syncType": "INCREMENTAL", "products": [...]}'
    if not isinstance(products, list):
        raise Refusal(400, f"The body must be {want}")
    if not 1 <= len(products) <= MAX_BATCH:
        raise Refusal(400, f"From 1 to {MAX_BATCH} products per request")
    return products


def _objections(neuroon: Sandbox, request: Request, product: Any) -> Iterator[str]:
    """What keeps a product out; nobody asks for a second one."""
    if not isinstance(product, dict):
        yield "a product must be an object"
    yield from breaches(product, PLUGIN_FIELDS if request.plugin else SHOPS_FIELDS)
    external_id, parent = product["externalId"], product.get("parentExternalId")
    reject, quota, kept = neuroon.reject, neuroon.max_products, neuroon.products
    if why := reject(product) if callable(reject) else (reject or {}).get(external_id):
        yield why
    if quota is not None and len(kept) >= quota and external_id not in kept:
        yield f"the plan allows {quota} products"
    if request.plugin and parent is not None and parent not in kept:
        yield f"parentExternalId {parent} is not known"


def external_ids(data: Any) -> tuple[str, ...]:
    """The products that the body of a sync names, in whichever of the two shapes it is."""
    products = data.get("products") if isinstance(data, dict) else data
    named = products if isinstance(products, list) else []
    ids = (product.get("externalId") for product in named if isinstance(product, dict))
    return tuple(external_id for external_id in ids if isinstance(external_id, str))


def touched(neuroon: Sandbox, request: Request, data: Any) -> tuple[str, ...]:
    """The products that a request is about."""
    if request.endpoint == "delete":
        with neuroon.lock:
            return (deleted_id(neuroon, request) or request.params["product"],)
    return external_ids(data) if request.endpoint == "sync" else ()


def deleted_id(neuroon: Sandbox, request: Request) -> str:
    """The externalId that a delete means: the shops route takes Neuroon's id as well, or only."""
    named = request.params["product"]
    other = "" if neuroon.shops_delete_by == "id" else named
    return named if request.plugin else neuroon.owners.get(named, other)


def delete(neuroon: Sandbox, request: Request, data: Any) -> Payload | None:
    external_id = deleted_id(neuroon, request)
    if external_id not in neuroon.products:
        raise Refusal(404, "Product not found")
    neuroon.owners[neuroon.identify(external_id)[0]] = ""  # no id is given twice
    del neuroon.products[external_id], neuroon.ids[external_id]
    return None if request.plugin else {"deleted": True}


def listing(neuroon: Sandbox, request: Request, data: Any) -> Payload:
    page, size = _whole(request, "page", "0", 0), min(_whole(request, "size", "20", 1), MAX_PAGE)
    kept, sort = neuroon.products, request.query.get("sort")
    if sort not in {None, "externalId", "name"}:
        raise Refusal(400, f"cannot sort by {sort}")
    ids = sorted(kept, key=lambda external_id: kept[external_id][sort]) if sort else list(kept)
    content = [_row(neuroon, external_id) for external_id in ids[page * size :][:size]]
    told = {"totalElements": len(ids), "totalPages": -(-len(ids) // size)}
    return {"content": content, "page": page, "size": size, **told}


def _whole(request: Request, name: str, default: str, least: int) -> int:
    text = request.query.get(name, default)
    if not text.isdecimal() or int(text) < least:
        raise Refusal(400, f"{name} must be an integer of {least} or more")
    return int(text)


def _row(neuroon: Sandbox, external_id: str) -> Payload:
    product, (product_id, created) = neuroon.products[external_id], neuroon.identify(external_id)
    shown = {"id": product_id, "externalId": external_id, "name": product["name"]}
    in_stock = product.get("inStock", True)
    return shown | {"price": product["price"], "inStock": in_stock, "createdAt": created}


def search(neuroon: Sandbox, request: Request, data: Any) -> Payload:
    """The products in which each word of the query occurs."""
    issued = neuroon.issued.get(request.headers.get("X-Widget-Token", ""))
    if issued is None or time.monotonic() - issued >= neuroon.token_lifetime:
        raise Refusal(401, "Invalid or expired widget token")
    query, search_log_id = request.query.get("q", ""), str(uuid4())
    neuroon.searches[search_log_id] = query
    words, found = query.casefold().split(), []
    for product in neuroon.products.values() if words else ():
        texts = [product["name"], product.get("brand", ""), *product.get("categories", [])]
        if all(word in "\n".join(texts).casefold() for word in words):
            found.append({"currency": "USD"} | {n: product[n] for n in FOUND if n in product})
    return {"searchLogId": search_log_id, "results": found[:MAX_FOUND]}


def conversion(neuroon: Sandbox, request: Request, data: Any) -> Payload:
    """The first report of an order counts, the others are duplicates."""
    faults = ["the body must be an object"]
    if isinstance(data, dict) and not (faults := list(breaches(data, ORDER_FIELDS, exact=True))):
        lines = [
            (n, breaches(line, LINE_FIELDS, exact=True)) for n, line in enumerate(data["conversions"])
        ]
        faults = [f"conversions[{n}].{fault}" for n, wrong in lines for fault in wrong]
    if faults:
        raise Refusal(400, faults[0], faults)
    first = data["orderId"] not in neuroon.conversions
    neuroon.conversions.setdefault(data["orderId"], data)
    neuroon.duplicates += not first
    return {"status": "ok"} if first else {"status": "ok", "duplicate": True}
