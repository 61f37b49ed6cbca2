"""Domains as people type them."""

from __future__ import annotations

import pytest

from neuroon_django.operations.domains import domain_of


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("https://mystore.com", "https://mystore.com"),
        ("mystore.com", "https://mystore.com"),
        (" MyStore.COM/ ", "https://mystore.com"),
        ("HTTPS://www.mystore.com//", "https://www.mystore.com"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("https://Müller.de", "https://xn--mller-kva.de"),
        ("müller.de:8443", "https://xn--mller-kva.de:8443"),
        ("127.0.0.1:8000", "https://127.0.0.1:8000"),
    ],
)
def test_it_is_brought_into_one_form(typed, meant):
    assert domain_of(typed) == meant
    assert domain_of(meant) == meant


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("https://mystore.com/es", "'es' is a path, and only scheme and host belong to a domain"),
        ("https://mystore.com/?a=1", "'a=1' is a path"),
        ("https://mystore.com#top", "only scheme and host belong to a domain"),
        ("https://me:secret@mystore.com", "only scheme and host belong to a domain"),
        ("ftp://mystore.com", "ftp is no scheme of a shop"),
        ("https://", "it names no host"),
        ("", "it names no host"),
        ("my store.com", "it names no host"),
        ("https://mystore.com:port", "that is no name of a host"),
        ("https://-bad-.com", "that is no name of a host"),
        (f"https://{'a' * 64}.com", "that is no name of a host"),
    ],
)
def test_what_is_none_is_refused_by_name(typed, why):
    with pytest.raises(ValueError, match="is no domain: ") as refused:
        domain_of(typed)
    assert str(refused.value).startswith(f"{typed!r} is no domain: {why}")
    assert str(refused.value).endswith("Give it as https://mystore.com")
