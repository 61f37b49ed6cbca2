"""The sandbox's page at `/`: the whole of it as HTML, and its files.

It is rendered here; its script only replaces sections by what a poll brings, and orders faults.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

from .markup import Markup, element, join
from .messages import MASK, Answer, Request
from .rules import Payload
from .sections import body_text, render
from .state import State

FOLDER = Path(__file__).parent / "assets"
TYPES = {".css": "text/css", ".js": "text/javascript", ".html": "text/html"}
# The page shows what came from outside: no script but its own, pictures from wherever the shop's are.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src http: https: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def show_page(state: State, request: Request, data: Payload) -> Answer:
    """Return the page, its list of products narrowed by the parameter `q`."""
    query = request.query.get("q", "")
    values = {name: str(section) for name, section in render(state, query).items()}
    values |= {"name": join(state.name), "query": join(query), "settings": _settings(state)}
    html = Template(_read("page.html").decode()).substitute(values)
    return _file(".html", html.encode(), {"Content-Security-Policy": POLICY})


def show_sections(state: State, request: Request, data: Payload) -> Payload:
    """Return the page's sections as they are now."""
    return render(state, request.query.get("q", ""))


def show_body(state: State, request: Request, data: Payload) -> Answer:
    """Return the body of one request, by its `number`."""
    number = int(request.query.get("number", ""))
    if not 0 <= number < len(state.requests):
        raise ValueError(f"no request {number}")
    text = body_text(state.requests[number])
    return Answer(200, text.encode(errors="replace"), {"Content-Type": "text/plain; charset=utf-8"})


def show_file(state: State, request: Request, data: Payload) -> Answer:
    """Return the widget's stand-in, or a file of the page; scripts of other addresses may load it."""
    name = request.params["action"]
    return _file(Path(name).suffix, _read(name), {"Access-Control-Allow-Origin": "*"})


def pasted_settings(state: State) -> dict[str, str]:
    """Return the settings of a shop that talks to this sandbox, the key included."""
    return {
        "NEUROON_API_URL": state.url,
        "NEUROON_SHOP_ID": state.shop_id,
        "NEUROON_API_KEY": state.api_key,
        "NEUROON_STOREFRONT_URL": state.shop_url,
        "NEUROON_WIDGET_URL": f"{state.url}/widget.js",
    }


def _settings(state: State) -> Markup:
    shown = pasted_settings(state) | {"NEUROON_API_KEY": MASK}
    lines = (f'{name} = "{value}"' for name, value in shown.items())
    return element("pre", "\n".join(lines))


def _file(suffix: str, body: bytes, headers: dict[str, str]) -> Answer:
    own = {"Content-Type": f"{TYPES[suffix]}; charset=utf-8", "Cache-Control": "no-cache"}
    return Answer(200, body, own | headers)


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
