"""Paid orders become conversions: fold order changes, ask the feed, report what a search led to.

`orders` finds what is to be looked at, `report` builds what is said, `run` sends it, `rehearsal`
only tells.
"""

from neuroon_django.conversions.orders import find_paid, fold
from neuroon_django.conversions.rehearsal import rehearse
from neuroon_django.conversions.report import build, lines_of
from neuroon_django.conversions.run import ConversionRun

__all__ = ["ConversionRun", "build", "find_paid", "fold", "lines_of", "rehearse"]
