"""What a setting is where it is not set."""

from __future__ import annotations

import pytest

from neuroon_django.conf import NAMES, PREFIX, conf

VALUES = {(name, value) for name in NAMES for value in (None, "")} - {("RATE_LIMIT", None)}


@pytest.mark.parametrize(("name", "value"), sorted(VALUES, key=repr))
def test_none_and_an_empty_text_are_not_set(settings, name, value):
    if hasattr(settings, PREFIX + name):
        delattr(settings, PREFIX + name)
    default = getattr(conf, name)
    setattr(settings, PREFIX + name, value)
    assert getattr(conf, name) == default


def test_no_rate_limit_is_unpaced(settings):
    settings.NEUROON_RATE_LIMIT = None
    assert conf.RATE_LIMIT is None
