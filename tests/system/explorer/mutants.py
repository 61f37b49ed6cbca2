"""Seeded mistakes: the protocol without one of its rules, and the invariant that this breaks.

The bounds are the smallest in which the mistake shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.system.explorer import invariants
from tests.system.explorer.endpoint import RunBounds, RunGuards
from tests.system.explorer.explore import Result, explore
from tests.system.explorer.mirror import Guards
from tests.system.explorer.protocol import Delivery
from tests.system.explorer.runs import Runs
from tests.system.explorer.world import Bounds

ALONE = Bounds(changes=1, workers=1)
TWO = Bounds(changes=1)
TWICE = Bounds(changes=2)
REQUEUED = Bounds(changes=2, kinds=("edit",), new=False, silent=True, requeues=True)
MOVED = Bounds(changes=3, new=False, kinds=("edit", "delete", "create"))
PUT_BACK = Bounds(changes=2, kinds=("edit", "put back"), new=False, silent=True)
CALM = RunBounds(changes=2, faults=False)

# By the rule that is broken: where it is explored, and the invariant that is found broken.
DELIVERY: Mapping[str, tuple[Bounds, str]] = {
    "change_row_in_the_transaction": (ALONE, invariants.SAME_AT_REST),
    "fold_leaves_a_lease_alone": (ALONE, invariants.NO_OVERLAP),
    "tombstone_for_what_neuroon_may_have": (ALONE, invariants.NOTHING_FORGOTTEN),
    "claim_records_the_revision": (ALONE, invariants.COMES_TO_REST),
    "begin_sending_needs_the_lease": (TWO, invariants.NOTHING_FORGOTTEN),
    "delete_follows_a_fold": (replace(TWICE, slow_folds=True), invariants.NO_OVERTAKING),
    "begin_sending_needs_the_same_lane": (MOVED, invariants.NO_OVERTAKING),
    "begin_sending_blanks_the_digest": (ALONE, invariants.DIGEST_IS_TRUE),
    "begin_sending_sets_in_neuroon": (ALONE, invariants.NOTHING_FORGOTTEN),
    "late_requests_do_not_leave": (ALONE, invariants.NO_OVERLAP),
    "lease_outlives_the_request": (ALONE, invariants.NO_OVERLAP),
    "settle_needs_the_lease": (TWO, invariants.SAME_AT_REST),
    "settle_keeps_newer_rows_due": (TWO, invariants.SAME_AT_REST),
    "unknown_outcome_keeps_the_lease": (ALONE, invariants.NO_OVERLAP),
    "retried_outcome_keeps_the_lease": (replace(TWO, retries=True), invariants.NO_OVERLAP),
    "rejection_restores_in_neuroon": (replace(ALONE, refusals=True), invariants.NOTHING_FORGOTTEN),
    "confirmed_delete_keeps_a_revived_row": (TWICE, invariants.SAME_AT_REST),
    "delete_of_what_neuroon_lacks_is_confirmed": (
        replace(TWO, refusals=True),
        invariants.COMES_TO_REST,
    ),
    "scan_makes_leased_rows_due": (replace(TWO, silent=True), invariants.SAME_AT_REST),
    "page_counts_as_a_fold": (PUT_BACK, invariants.SAME_AT_REST),
    "page_reads_rows_before_products": (TWICE, invariants.NO_OVERTAKING),
    "hand_over_skips_due_rows": (TWICE, invariants.NO_OVERTAKING),
    "hand_over_compares_folds": (TWO, invariants.SAME_AT_REST),
    "hand_over_compares_revisions": (REQUEUED, invariants.NO_OVERTAKING),
}
RUNS: Mapping[str, tuple[RunBounds, str]] = {
    "wake_up_follows_the_commit": (CALM, invariants.NO_BEAT_NEEDED),
    "acquire_needs_a_free_lease": (CALM, invariants.ONE_RUN),
    "acquire_and_request_are_one_statement": (CALM, invariants.NO_BEAT_NEEDED),
    "acquire_clears_resume_at": (CALM, invariants.NO_BEAT_NEEDED),
    "hand_over_passes_resume_at": (CALM, invariants.NO_BEAT_NEEDED),
    "release_needs_the_lease": (RunBounds(changes=1), invariants.ONE_RUN),
    "release_heeds_run_requested": (CALM, invariants.NO_BEAT_NEEDED),
    "run_requested_is_cleared_before_looking": (
        RunBounds(changes=3, faults=False),
        invariants.NO_BEAT_NEEDED,
    ),
}
NAMES = (*DELIVERY, *RUNS)


def expected(name: str) -> str:
    """Return the invariant that this mutant is known to break."""
    return (DELIVERY[name] if name in DELIVERY else RUNS[name])[1]


def explore_mutant(name: str) -> Result:
    """Explore the protocol without the rule of that name."""
    if name in DELIVERY:
        return explore(Delivery(DELIVERY[name][0], replace(Guards(), **{name: False})))
    return explore(Runs(RUNS[name][0], replace(RunGuards(), **{name: False})))
