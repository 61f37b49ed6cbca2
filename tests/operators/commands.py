"""The commands as the tests run them: by their output, their error and their exit code."""

from __future__ import annotations

import io
import re

import pytest
from django.core.management import CommandError, call_command


def run(name: str, *options: str, **kwargs: object) -> str:
    """Run a command that succeeds; return what it printed."""
    out = io.StringIO()
    call_command(name, *options, stdout=out, stderr=io.StringIO(), **kwargs)
    return printed(out)


def printed(out: io.StringIO) -> str:
    """Return what was printed, as if it had taken no time."""
    return re.sub(r"^Took \d+ s\.", "Took 0 s.", out.getvalue(), flags=re.M)


def failing(name: str, *options: str) -> tuple[str, CommandError]:
    """Run a command that fails; return what it printed, and its error."""
    out = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command(name, *options, stdout=out, stderr=io.StringIO())
    return printed(out), failed.value


def neuroon_sync(*options: str) -> str:
    """Run `neuroon_sync`, which succeeds."""
    return run("neuroon_sync", *options)


def summary(**counts: int) -> str:
    """Return the table that ends `neuroon_sync`, with these counts and zeros."""
    n = {name: f"{counts.get(name, 0):,}" for name in ("sent", "unchanged", "rejected", "deleted")}
    created, updated, failed = (counts.get(k, 0) for k in ("created", "updated", "failed"))
    requests, orders = counts.get("requests", 0), counts.get("orders", 0)
    width = max(len(v) for v in [*n.values(), f"{requests:,}", f"{orders:,}"])
    theirs = f"Neuroon: {created:,} created, {updated:,} updated, {failed:,} failed"
    return (
        f"Products sent         {n['sent']:>{width}}  {theirs}\n"
        f"Products unchanged    {n['unchanged']:>{width}}\n"
        f"Products rejected     {n['rejected']:>{width}}\n"
        f"Products deleted      {n['deleted']:>{width}}\n"
        f"Requests              {requests:>{width}}\n"
        f"Conversions sent      {orders:>{width}}\n"
        f"Conversions rejected  {counts.get('refused', 0):>{width}}\n"
        "Took 0 s. How things stand: manage.py neuroon_status\n"
    )
