"""Forms as a browser has them: read from a page, filled in, and posted with all their fields."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.test import Client


class _Fields(HTMLParser):
    """The fields of each form of a page, with the values that they begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.forms.append({})
        elif not self.forms:
            return
        elif tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area, self.forms[-1][name] = name, ""
        elif tag == "option" and self._select and "selected" in given:
            self.forms[-1].setdefault(self._select, []).append(value)
        elif tag == "input" and name and _is_sent(given):
            self.forms[-1][name] = value or ("on" if given.get("type") == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1][self._area] += data.removeprefix("\n").removeprefix("\r\n")


def _is_sent(given: dict[str, str | None]) -> bool:
    """Return whether a browser sends an input's value, where nobody has touched it."""
    kind = given.get("type")
    return kind not in {"submit", "file", "image"} and (
        kind not in {"checkbox", "radio"} or "checked" in given
    )


def submit(client: Client, address: str, field: str, **changes: Any) -> Any:
    """Post the page's form that has this field, some of its fields changed; it has to be accepted."""
    page = client.get(address)
    assert page.status_code == 200, (address, page.status_code)
    parser = _Fields()
    parser.feed(page.content.decode())
    [form] = [form for form in parser.forms if field in form]
    response = client.post(address, form | changes)
    assert response.status_code == 302, (address, errors_of(response))
    return response


def errors_of(response: Any) -> str:
    """What a page that was shown again says is wrong."""
    lines = [line.strip() for line in response.content.decode().splitlines()]
    return " | ".join(line for line in lines if "error" in line.lower())[:2000]
