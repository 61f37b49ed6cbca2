"""The catalogue's endpoints: they take, list and delete products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .errors import ERROR_STYLES, REJECTING_STYLES, Refusal
from .messages import Request
from .rules import PLUGIN_FIELDS, SHOPS_FIELDS, Payload, breaches
from .state import State

MAX_BATCH = MAX_PAGE = 100


def sync(state: State, request: Request, data: Any) -> Payload:
    """Create or update each product of a batch, and count and show those that are refused."""
    batch, size, before = _batch(request, data), len(state.products), dict(state.products)
    failures = list(_store(state, request, batch))
    errors = [shown for failure in failures if (shown := ERROR_STYLES[state.error_style](*failure))]
    if failures and state.error_style in REJECTING_STYLES:
        state.products = before
        raise Refusal(400, failures[0][2], errors)
    synced, created, failed = len(batch) - len(failures), len(state.products) - size, len(failures)
    counts = {"synced": synced, "created": created, "updated": synced - created}
    return counts | {"failed": failed, "errors": errors}


def _batch(request: Request, data: Any) -> list[Any]:
    """Return the products in a sync's body; raise a 400 unless it has the shape of its route."""
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


def _store(state: State, request: Request, batch: list[Any]) -> Iterator[tuple[int, str | None, str]]:
    """Keep the products that are accepted; yield index, externalId and message of the others."""
    for index, product in enumerate(batch):
        objection = next(_objections(state, request, product), None)
        if objection:
            yield index, next(iter(_external_ids([product])), None), objection
            continue
        if not request.plugin:
            product = {name: product[name] for name in SHOPS_FIELDS if name in product}
        state.products[product["externalId"]] = product
        state.identify(product["externalId"])


def _objections(state: State, request: Request, product: Any) -> Iterator[str]:
    """Yield what keeps a product out; only the first objection is asked for."""
    if not isinstance(product, dict):
        yield "a product must be an object"
    yield from breaches(product, PLUGIN_FIELDS if request.plugin else SHOPS_FIELDS)
    external_id, parent = product["externalId"], product.get("parentExternalId")
    reject, quota, products = state.reject, state.max_products, state.products
    refusal = reject(product) if callable(reject) else (reject or {}).get(external_id)
    if refusal:
        yield refusal
    if quota is not None and len(products) >= quota and external_id not in products:
        yield f"the plan allows {quota} products"
    if request.plugin and parent is not None and parent not in products:
        yield f"parentExternalId {parent} is not known"


def _external_ids(data: Any) -> tuple[str, ...]:
    """Return the products that a sync's body names, in whichever of the two shapes it is."""
    products = data.get("products") if isinstance(data, dict) else data
    named = products if isinstance(products, list) else []
    ids = (product.get("externalId") for product in named if isinstance(product, dict))
    return tuple(external_id for external_id in ids if isinstance(external_id, str))


def named_products(state: State, request: Request, data: Any) -> tuple[str, ...]:
    """Return the externalIds that a sync or a delete is about; of other requests none."""
    if request.endpoint == "delete":
        with state.lock:
            return (_deleted_id(state, request) or request.params["product"],)
    return _external_ids(data) if request.endpoint == "sync" else ()


def _deleted_id(state: State, request: Request) -> str:
    """Return the externalId that a delete means, "" for none.

    The shops route takes Neuroon's id as well, or with `shops_delete_by="id"` nothing else.
    """
    named = request.params["product"]
    other = "" if state.shops_delete_by == "id" else named
    return named if request.plugin else state.owners.get(named, other)


def delete(state: State, request: Request, data: Any) -> Payload | None:
    """Delete one product; 204 by the plugin route, an object by the shops route."""
    external_id = _deleted_id(state, request)
    if external_id not in state.products:
        raise Refusal(404, "Product not found")
    state.remove(external_id)
    return None if request.plugin else {"deleted": True}


def listing(state: State, request: Request, data: Any) -> Payload:
    """Return one page of the catalogue, in the order of arrival unless `sort` is given."""
    page = _integer(request, "page", "0", 0)
    size = min(_integer(request, "size", "20", 1), MAX_PAGE)
    products, sort = state.products, request.query.get("sort")
    if sort not in {None, "externalId", "name"}:
        raise Refusal(400, f"cannot sort by {sort}")
    ids = sorted(products, key=lambda external_id: products[external_id][sort]) if sort else [*products]
    content = [_row(state, external_id) for external_id in ids[page * size :][:size]]
    totals = {"totalElements": len(ids), "totalPages": -(-len(ids) // size)}
    return {"content": content, "page": page, "size": size, **totals}


def _integer(request: Request, name: str, default: str, least: int) -> int:
    text = request.query.get(name, default)
    if not text.isdecimal() or int(text) < least:
        raise Refusal(400, f"{name} must be an integer of {least} or more")
    return int(text)


def _row(state: State, external_id: str) -> Payload:
    """Return what the list shows of a product."""
    product, (product_id, created) = state.products[external_id], state.identify(external_id)
    shown = {"id": product_id, "externalId": external_id, "name": product["name"]}
    in_stock = product.get("inStock", True)
    return shown | {"price": product["price"], "inStock": in_stock, "createdAt": created}
