"""The domain that a person gives to the verification, as Neuroon knows domains."""

from __future__ import annotations

from urllib.parse import urlsplit

import idna


def domain_of(text: str) -> str:
    """Return "https://mystore.com" for "MyStore.com/": with scheme, in lower case, as DNS knows it.

    Raise ValueError, which names the text and says why, for what is no domain.
    """
    address = text.strip()
    parts = urlsplit(address if "://" in address else f"https://{address}")
    reason = _mistake(parts.scheme, parts.hostname, parts.path.strip("/") or parts.query)
    try:
        host = idna.encode(parts.hostname or "", uts46=True).decode() if not reason else ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # idna's own errors, and a port that is none
        reason = "that is no name of a host"
    if reason or parts.username or parts.fragment:
        reason = reason or "only scheme and host belong to a domain"
        raise ValueError(f"{text!r} is no domain: {reason}. Give it as https://mystore.com")
    return f"{parts.scheme.lower()}://{host}{port}"


def _mistake(scheme: str, host: str | None, rest: str) -> str:
    """Return what is wrong with the parts of an address, "" where nothing is."""
    if scheme.lower() not in ("http", "https"):
        return f"{scheme} is no scheme of a shop"
    if not host or " " in host:
        return "it names no host"
    return f"{rest!r} is a path, and only scheme and host belong to a domain" if rest else ""
