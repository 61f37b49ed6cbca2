"""A second Neuroon, written from the two primary documents alone, so that client and sandbox cannot
share a misunderstanding.

It is `http.server` and `json` only and has nothing in common with the sandbox. It takes what the
documents show and refuses everything else, with the reason in `refusals`. Where both documents are
silent it follows the project's digest of Neuroon's other pages, and where they leave a choice it takes
another one than the sandbox: PROD's bare array at S2S's address, deletes by Neuroon's own id, a 201
without a body for a conversion.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TEXT, NUMBER, TEXTS, FLAG, PAIRS = "string", "number", "string[]", "boolean", "object"
# PROD, "Fields": name, type, required.
FIELDS = {
    "externalId": (TEXT, True),
    "name": (TEXT, True),
    "price": (NUMBER, True),
    "url": (TEXT, True),
    "description": (TEXT, False),
    "salePrice": (NUMBER, False),
    "currency": (TEXT, False),
    "imageUrl": (TEXT, False),
    "categories": (TEXTS, False),
    "brand": (TEXT, False),
    "tags": (TEXTS, False),
    "inStock": (FLAG, False),
    "stockQuantity": (NUMBER, False),
}
# The plugin route's further fields, which only other pages name.
PLUGIN_FIELDS = FIELDS | {
    "brands": (TEXTS, False),
    "sku": (TEXT, False),
    "rating": (NUMBER, False),
    "reviewCount": (NUMBER, False),
    "isActive": (FLAG, False),
    "parentExternalId": (TEXT, False),
    "attributes": (PAIRS, False),
}
ORDER = {
    "orderId": (TEXT, True),
    "orderValue": (NUMBER, True),
    "currency": (TEXT, True),
    "conversions": ("object[]", True),
}
LINE = {
    "productId": (TEXT, True),
    "searchLogId": (TEXT, True),
    "quantity": (NUMBER, True),
    "lineTotal": (NUMBER, True),
}
PLUGIN, SHOPS = "/api/plugin/shops/{shop}", "/api/shops/{shop}"
OF_ALL = [
    ("POST", f"{PLUGIN}/verify", "verify"),
    ("DELETE", f"{PLUGIN}/verify", "unverify"),
    ("GET", f"{PLUGIN}/verification-data", "verification_data"),
    ("POST", f"{PLUGIN}/track/conversion", "conversion"),
    ("GET", "/api/plugin/shops/me", "me"),
]
BY_PLUGIN = [
    ("POST", f"{PLUGIN}/products/sync", "sync"),
    ("DELETE", PLUGIN + "/products/{product}", "delete"),
]
BY_SHOPS = [
    ("POST", f"{SHOPS}/products/sync", "sync"),
    ("DELETE", SHOPS + "/products/{product}", "delete"),
]
TOKEN, LIST = ("POST", f"{SHOPS}/widget-token", "token"), ("GET", f"{SHOPS}/products", "list")
ROUTES = {
    "s2s": [*OF_ALL, *BY_PLUGIN, TOKEN, LIST],
    "products": [*OF_ALL, *BY_SHOPS, TOKEN, LIST],
    "later": [*OF_ALL, *BY_PLUGIN],
}
JSON = "application/json"


class Refused(Exception):
    """Ends a request with a status and the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class StandIn:
    """One shop at one generation; the shop's own data are attributes."""

    def __init__(self, generation: str, shop_url: str = "https://mystore.com") -> None:
        self.generation, self.shop_url = generation, shop_url
        self.shop_id, self.api_key = "shop_123", "sk_live_abc123"
        self.verified = False
        self.products: dict[str, dict[str, Any]] = {}
        self.ids: dict[str, str] = {}
        self.conversions: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, float] = {}
        self.refusals: list[tuple[str, str, int, str]] = []
        self.requests: list[Seen] = []
        self.lock = threading.Lock()

    def __enter__(self) -> StandIn:
        handler = type("Bound", (Handler,), {"neuroon": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def settings(self) -> dict[str, str]:
        return {
            "NEUROON_SHOP_ID": self.shop_id,
            "NEUROON_API_KEY": self.api_key,
            "NEUROON_API_URL": f"http://127.0.0.1:{self.server.server_address[1]}",
            "NEUROON_STOREFRONT_URL": self.shop_url,
        }

    def put(self, product: dict[str, Any]) -> bool:
        """Create or update; return whether it was created."""
        created = product["externalId"] not in self.products
        self.products[product["externalId"]] = product
        self.ids.setdefault(product["externalId"], f"prod_{123 + len(self.ids)}")
        return created

    def requests_to(self, ending: str) -> list[Seen]:
        """Return the requests whose path, without parameters, ends so."""
        return [one for one in self.requests if one.path.partition("?")[0].endswith(ending)]

    def accepts_token(self, token: str) -> bool:
        """Return whether the widget could search with it."""
        if self.generation != "later":
            return time.time() - self.tokens.get(token, 0) < 24 * 60 * 60
        padded = token + "=" * (-len(token) % 4)
        shop_id, seconds, signature = base64.urlsafe_b64decode(padded).decode().split(":")
        text = f"{shop_id}:{seconds}".encode()
        right = hmac.new(self.api_key.encode(), text, hashlib.sha256).hexdigest()
        fresh = 0 <= time.time() - int(seconds) < 24 * 60 * 60
        return "=" not in token and shop_id == self.shop_id and signature == right and fresh

    # Endpoints: each returns a status and a body, None for none

    def verify(self, request: Handler) -> tuple[int, Any]:
        check(request.sent, {"domain": (TEXT, True)}, "")
        if not request.headers.get("Origin"):
            raise Refused(403, "Origin is missing")
        if not self.is_home(request.sent["domain"]):
            raise Refused(403, "the domain is not shop.url")
        self.verified = True
        shown = {"shopId": self.shop_id, "verificationCode": "nrn-1", "name": "My store"}
        return 200, shown | {"domain": request.sent["domain"]}

    def unverify(self, request: Handler) -> tuple[int, Any]:
        self.verified = False
        return 204, None

    def verification_data(self, request: Handler) -> tuple[int, Any]:
        shown = {"verificationCode": "nrn-1", "instructions": "Call verify."}
        return 200, shown | {"verified": self.verified}

    def me(self, request: Handler) -> tuple[int, Any]:
        return 200, {"maxProducts": 10_000}

    def token(self, request: Handler) -> tuple[int, Any]:
        if request.sent is not None:
            raise Refused(400, "no body is documented")
        if not self.verified:
            raise Refused(403, "the domain was never verified")
        token = f"opaque-{len(self.tokens)}"
        self.tokens[token] = time.time()
        return 200, {"token": token}

    def sync(self, request: Handler) -> tuple[int, Any]:
        products, fields = request.sent, FIELDS if self.generation == "products" else PLUGIN_FIELDS
        if self.generation == "later":
            wrapped = {"syncType": (TEXT, True), "products": ("object[]", True)}
            check(products, wrapped, "")
            if products["syncType"] != "INCREMENTAL":
                raise Refused(400, "syncType: INCREMENTAL is the only one known")
            products = products["products"]
        if not isinstance(products, list) or not 1 <= len(products) <= 100:
            raise Refused(400, "an array of 1 to 100 products is documented")
        names = [check(one, fields, f"products[{n}]")["externalId"] for n, one in enumerate(products)]
        if len({*names}) < len(names):
            raise Refused(400, "externalId: the same one twice")
        created = sum(map(self.put, products))
        counts = {"synced": len(products), "created": created, "updated": len(products) - created}
        return 200, counts | {"failed": 0, "errors": []}

    def delete(self, request: Handler) -> tuple[int, Any]:
        named = request.named["product"]
        if self.generation == "products":  # PROD: {productId}, and the list shows `id`
            named = {own: external_id for external_id, own in self.ids.items()}.get(named, "")
        if named not in self.products:
            raise Refused(404, "no such product")
        del self.products[named], self.ids[named]
        return (204, None) if self.generation == "later" else (200, {"deleted": True})

    def list(self, request: Handler) -> tuple[int, Any]:
        query = dict(pair.partition("=")[::2] for pair in filter(None, request.query.split("&")))
        if query.keys() - {"page", "size"} or not all(map(str.isdecimal, query.values())):
            raise Refused(400, f"parameters: {request.query}")
        page, size = int(query.get("page", 0)), int(query.get("size", 20))
        rows = [self.row(external_id) for external_id in self.products]
        shown = {"content": rows[page * size :][:size], "page": page, "size": size}
        pages = {"totalElements": len(rows), "totalPages": -(-len(rows) // size)}
        return 200, shown | pages

    def row(self, external_id: str) -> dict[str, Any]:
        product = self.products[external_id]
        shown = {"id": self.ids[external_id], "externalId": external_id, "name": product["name"]}
        in_stock = product.get("inStock", True)
        return shown | {
            "price": product["price"],
            "inStock": in_stock,
            "createdAt": "2024-01-15T10:00:00Z",
        }

    def conversion(self, request: Handler) -> tuple[int, Any]:
        order = check(request.sent, ORDER, "")
        if not order["conversions"]:
            raise Refused(400, "conversions: no line")
        for n, line in enumerate(order["conversions"]):
            check(line, LINE, f"conversions[{n}]")
        self.conversions.setdefault(order["orderId"], order)  # idempotent by orderId
        return 201, None

    def is_home(self, url: str) -> bool:
        bare = [re.sub(r"^https?://", "", one).removeprefix("www.") for one in (url, self.shop_url)]
        return bare[0].removesuffix("/") == bare[1].removesuffix("/")


TYPES: dict[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str) and value != "",
    NUMBER: lambda value: type(value) in (int, Decimal),
    FLAG: lambda value: isinstance(value, bool),
    TEXTS: lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    PAIRS: lambda value: isinstance(value, dict) and all(isinstance(v, str) for v in value.values()),
    "object[]": lambda value: isinstance(value, list) and all(isinstance(v, dict) for v in value),
}


def check(value: Any, fields: dict[str, tuple[str, bool]], where: str) -> dict[str, Any]:
    """Return the object; raise a 400 unless it has these fields, of these types, and no others."""
    if not isinstance(value, dict):
        raise Refused(400, f"{where}: an object is documented")
    for name, (_, required) in fields.items():
        if required and name not in value:
            raise Refused(400, f"{where}.{name}: required")
    for name, item in value.items():
        if name not in fields:
            raise Refused(400, f"{where}.{name}: no such field")
        if not TYPES[fields[name][0]](item):
            raise Refused(400, f"{where}.{name}: {fields[name][0]}")
    return value


class Handler(BaseHTTPRequestHandler):
    """One connection: it checks what holds for every request, then asks the endpoint."""

    neuroon: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.address, _, self.query = self.path.partition("?")
        with self.neuroon.lock:
            seen = Seen(self.command, self.path, {**self.headers}, body)
            self.neuroon.requests.append(seen)
            try:
                endpoint = self.find()
                self.check_headers(body)
                self.sent = self.parse(body)
                if self.query and endpoint != "list":
                    raise Refused(400, "no parameters are documented here")
                status, shown = getattr(self.neuroon, endpoint)(self)
            except Refused as refused:
                status, shown = refused.status, self.refusal(refused)
        self.answer(status, shown)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def find(self) -> str:
        """Return the endpoint at this address; 404 or 405 where there is none."""
        fitting = {}
        for method, address, endpoint in ROUTES[self.neuroon.generation]:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", address)
            if found := re.fullmatch(pattern, self.address):
                fitting.setdefault(method, (endpoint, found.groupdict()))
        if self.command not in fitting:
            raise Refused(405 if fitting else 404, "no such endpoint")
        endpoint, named = fitting[self.command]
        self.named = {name: unquote(text, errors="strict") for name, text in named.items()}
        return endpoint

    def check_headers(self, body: bytes) -> None:
        """Raise a refusal unless the headers are those of S2S's table."""
        if self.headers.get_all("X-Shop-API-Key") != [self.neuroon.api_key]:
            raise Refused(401, "X-Shop-API-Key: invalid or missing")
        if self.named.get("shop", self.neuroon.shop_id) != self.neuroon.shop_id:
            raise Refused(404, "no such shop of this key")
        if not re.fullmatch(r"\S+/\S+( .*)?", self.headers.get("User-Agent", "")):
            raise Refused(400, "User-Agent: your-app/version")
        if self.headers.get("Accept") != JSON:
            raise Refused(406, "Accept: application/json")
        if (self.headers.get("Content-Type") == JSON) != bool(body):
            raise Refused(415, "Content-Type: application/json where there is a body, else none")
        origin = self.headers.get("Origin")
        if origin is not None and not self.neuroon.is_home(origin):
            raise Refused(403, "Origin: not the storefront's")

    def parse(self, body: bytes) -> Any:
        """Return the body's JSON; only POSTs have one."""
        if not body:
            return None
        if self.command != "POST":
            raise Refused(400, "a body without a POST")
        try:
            return json.loads(
                body.decode("utf-8"),
                parse_float=plain,
                parse_constant=plain,
                object_pairs_hook=unique,
            )
        except (ValueError, ArithmeticError) as error:
            raise Refused(400, f"JSON: {error}") from None

    def refusal(self, refused: Refused) -> dict[str, Any]:
        """Note a refusal and return its body: S2S's for a 400, the standard envelope for others."""
        entry = (self.command, self.path, refused.status, refused.message)
        self.neuroon.refusals.append(entry)
        if refused.status == 400:
            return {"code": "VALIDATION", "message": refused.message, "details": []}
        envelope = {"timestamp": "2024-01-15T10:00:00Z", "status": refused.status, "error": "Error"}
        return envelope | {"message": refused.message, "path": self.address}

    def answer(self, status: int, shown: Any) -> None:
        body = b"" if shown is None else json.dumps(shown, default=float).encode()
        self.send_response(status)
        if body:
            self.send_header("Content-Type", JSON)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def plain(text: str) -> Decimal:
    """Return a decimal in plain notation, with two places at most as PROD's examples have them."""
    if not re.fullmatch(r"-?\d+\.\d{1,2}", text):
        raise ValueError(f"the number {text}")
    return Decimal(text)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)
