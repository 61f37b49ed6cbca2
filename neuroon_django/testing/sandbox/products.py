"""The catalogue's endpoints: they take, list and delete products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .answers import ANSWER_STYLES, SILENT_STYLES, Outcome
from .errors import Refusal
from .messages import Answer, Request
from .refused import REJECTING_STYLES, Failure, show_errors, show_message
from .rules import PLUGIN_FIELDS, SHOPS_FIELDS, Payload, Rule, breaches
from .state import State

MAX_BATCH = MAX_PAGE = 100


def sync(state: State, request: Request, data: Any) -> Answer:
    """Create or update each product of a batch, and count and show those that are refused."""
    batch, size, before = _batch(state, request, data), len(state.products), dict(state.products)
    failures, style = list(_store(state, request, batch)), state.error_style
    if failures and (style in REJECTING_STYLES or state.answer_style in SILENT_STYLES):
        state.products = before
        details = [] if style == "reject-field" else show_errors(style, failures)
        raise Refusal(400, show_message(style, failures), details)
    created, failed = len(state.products) - size, len(failures)
    updated = len(batch) - failed - created
    errors = show_errors(style, [*failures, *_warnings(state, batch, failures)])
    return ANSWER_STYLES[state.answer_style](Outcome(created, updated, failed, errors))


def _batch(state: State, request: Request, data: Any) -> list[Any]:
    """Return the products in a sync's body; raise a 400 unless it has the shape of its route."""
    bodies = state.plugin_bodies if request.plugin else ["array"]
    shape = "array" if isinstance(data, list) else "object"
    products = BODIES[shape][1](data) if shape in bodies else None
    if not isinstance(products, list):
        raise Refusal(400, f"The body must be {' or '.join(BODIES[name][0] for name in bodies)}")
    if not 1 <= len(products) <= MAX_BATCH:
        raise Refusal(400, f"From 1 to {MAX_BATCH} products per request")
    return products


def _wrapped(data: Any) -> Any:
    """Return the products of docs' object, None where it is not that."""
    right = isinstance(data, dict) and data.keys() == {"syncType", "products"}
    return data["products"] if right and data["syncType"] == "INCREMENTAL" else None


BODIES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "object": ('{"syncType": "INCREMENTAL", "products": [...]}', _wrapped),
    "array": ("a list of products", lambda data: data),
}


def _store(state: State, request: Request, batch: list[Any]) -> Iterator[Failure]:
    """Keep the products that are accepted; yield the others with what is wrong."""
    for index, product in enumerate(batch):
        objection = next(_objections(state, request, product), None)
        if objection:
            yield Failure(index, next(iter(_external_ids([product])), None), objection)
            continue
        external_id, rules = product["externalId"], _fields(request)
        state.ignore(external_id, product.keys() - rules.keys())
        if not request.plugin:
            product = {name: product[name] for name in rules if name in product}
        state.products[external_id] = product
        state.identify(external_id)
        state.stamp("product", external_id)


def _warnings(state: State, batch: list[Any], failures: list[Failure]) -> Iterator[Failure]:
    """Yield the products that were taken and about which something is said all the same."""
    failed = {failure.index for failure in failures}
    for index, product in enumerate(batch):
        if index not in failed and (text := state.warn.get(product["externalId"])):
            yield Failure(index, product["externalId"], text)


def _fields(request: Request) -> Mapping[str, Rule]:
    return PLUGIN_FIELDS if request.plugin else SHOPS_FIELDS


def _objections(state: State, request: Request, product: Any) -> Iterator[str]:
    """Yield what keeps a product out; only the first objection is asked for."""
    if not isinstance(product, dict):
        yield "a product must be an object"
    rules = _fields(request)
    yield from breaches(product, rules)
    if state.unknown_fields == "refuse":
        yield from (f"{name} is not known" for name in product if name not in rules)
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
    if sort is not None and sort not in state.sorts:
        raise Refusal(400, f"cannot sort by {sort}")
    state.ignore("list", request.query.keys() - {"page", "size", "sort"})
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
