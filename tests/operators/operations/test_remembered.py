"""What takes long is counted once; what does not is counted each time."""

from __future__ import annotations

import pytest
from django.core.cache.backends.locmem import LocMemCache

from neuroon_django.operations import remembered as module
from neuroon_django.operations.remembered import remembered


def count_twice() -> list[int]:
    counted: list[int] = []
    for _ in range(2):
        remembered("key", lambda: counted.append(1) or len(counted))
    return counted


def test_what_is_quick_is_counted_each_time(monkeypatch):
    monkeypatch.setattr(module, "SLOW", 60)
    assert count_twice() == [1, 1]


@pytest.mark.parametrize("found", [0, {}, [], {"old.product": 2}])
def test_what_is_slow_is_counted_once_whatever_it_was(monkeypatch, found):
    monkeypatch.setattr(module, "SLOW", 0)
    counted = iter([found])
    assert [remembered("key", lambda: next(counted)) for _ in range(2)] == [found, found]


def test_a_dead_cache_costs_the_count(monkeypatch):
    def dead(*args: object, **kwargs: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(module, "SLOW", 0)
    monkeypatch.setattr(LocMemCache, "get", dead)
    monkeypatch.setattr(LocMemCache, "set", dead)
    assert count_twice() == [1, 1]
