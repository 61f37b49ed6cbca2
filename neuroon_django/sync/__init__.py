"""The machine in the middle: fold what changed, claim what is due, send it, settle the answer.

`fold` turns change rows into due rows, `scan` finds what changed without a signal, `parcels` builds
what goes into a request, `run` sends until nothing is due; what came of it is settled by `verdicts`
(products) and `removals` (deletes), on the ground of `troubles`.
"""

from neuroon_django.sync.fold import fold, fold_all
from neuroon_django.sync.run import ProductRun
from neuroon_django.sync.scan import Scan, unseen
from neuroon_django.sync.troubles import Tally

__all__ = ["ProductRun", "Scan", "Tally", "fold", "fold_all", "unseen"]
