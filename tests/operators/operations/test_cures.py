"""What to do about an answer of Neuroon."""

from __future__ import annotations

import pytest

from neuroon_django.operations.cures import cure_for


@pytest.mark.parametrize("status", [None, 400, 429, 500, 503])
def test_what_ends_by_itself_has_no_cure(status):
    assert cure_for(status) == ""
