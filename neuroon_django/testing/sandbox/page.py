"""The sandbox's page at `/`: the whole of it as HTML, and its files.

It is rendered here; its script only replaces sections by what a poll brings, and orders faults.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template
from urllib.parse import urlencode

from .markup import Markup, element, join
from .messages import Answer, Request
from .pasting import settings_to_paste
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
    values |= {"shop": join(state.shop_id), "switch": str(_switch(state))}
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


def _settings(state: State) -> Markup:
    return element("pre", settings_to_paste(state.shops, masked=True))


def _switch(state: State) -> Markup:
    """Return the links from one shop's page to another's, nothing where there is one shop."""
    links = (
        element(
            "a",
            shop.name,
            href=f"/?{urlencode({'shop': shop.shop_id})}",
            aria_current="page" if shop is state else None,
        )
        for shop in state.shops
    )
    several = len(state.shops) > 1
    return element("nav", *links, class_="shops", aria_label="Shops") if several else Markup()


def _file(suffix: str, body: bytes, headers: dict[str, str]) -> Answer:
    own = {"Content-Type": f"{TYPES[suffix]}; charset=utf-8", "Cache-Control": "no-cache"}
    return Answer(200, body, own | headers)


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
