"""The mirror's rows and the transitions that move them: fold, claim, begin_sending, settle, ….

The words are those of the package, so that both can be laid side by side. A version's payload is a
number (its content), and its digest is that number. Every rule that the protocol stands on is a
field of `Guards`: a mutant is the protocol without one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# due_at: never, now (or past), or the end of the present lease.
NEVER, NOW, LEASE_END = "never", "now", "lease end"
NOBODY = 0  # no lease
BLANK = 0  # no digest; a refused payload's digest is the content's negative
NOTHING = 0  # the content of a product that is not there


@dataclass(frozen=True)
class Guards:
    """The rules of the delivery of products; each can be broken alone."""

    # Recording and fold
    change_row_in_the_transaction: bool = True
    fold_leaves_a_lease_alone: bool = True
    tombstone_for_what_neuroon_may_have: bool = True
    # Claim and send
    claim_records_the_revision: bool = True
    begin_sending_needs_the_lease: bool = True
    delete_follows_a_fold: bool = True
    begin_sending_needs_the_same_lane: bool = True
    begin_sending_blanks_the_digest: bool = True
    begin_sending_sets_in_neuroon: bool = True
    late_requests_do_not_leave: bool = True
    lease_outlives_the_request: bool = True
    # What an answer does
    settle_needs_the_lease: bool = True
    settle_keeps_newer_rows_due: bool = True
    unknown_outcome_keeps_the_lease: bool = True
    retried_outcome_keeps_the_lease: bool = True
    rejection_restores_in_neuroon: bool = True
    confirmed_delete_keeps_a_revived_row: bool = True
    delete_of_what_neuroon_lacks_is_confirmed: bool = True
    # Scan
    scan_makes_leased_rows_due: bool = True
    page_counts_as_a_fold: bool = True
    page_reads_rows_before_products: bool = True
    hand_over_skips_due_rows: bool = True
    hand_over_compares_folds: bool = True
    hand_over_compares_revisions: bool = True


class Row(NamedTuple):
    """What the shop knows of one external id at Neuroon."""

    owned: bool = True  # by the product; a row without owner is a tombstone
    due_at: str = NOW
    lease: int = NOBODY
    revision: int = 1
    claimed_revision: int = 0
    digest: int = BLANK
    in_neuroon: bool = False
    # The version that a tombstone was last seen to be right for; no column, it orders the requests.
    gone_at: int = 0

    def __str__(self) -> str:
        parts = [f"due {self.due_at}", f"revision {self.revision}/{self.claimed_revision}"]
        parts += [f"lease {self.lease}"] if self.lease else []
        parts += [f"digest {self.digest}"] if self.digest else []
        parts += ["in Neuroon"] if self.in_neuroon else []
        return f"{'row' if self.owned else 'tombstone'}({', '.join(parts)})"


Rows = tuple[Row | None, ...]  # by external id


class Mirror:
    """The transitions. Each is one atomic statement, or part of one transaction."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards

    def place(self, rows: Rows, owner_of: int, version: int) -> Rows:
        """Fold: the product owns the row of its external id, due; a row left over dies."""
        placed = list(rows)
        for key, row in enumerate(rows):
            if key == owner_of:
                placed[key] = self.fold(row) if row else Row()
            elif row and row.owned:
                keep = row.in_neuroon and self.guards.tombstone_for_what_neuroon_may_have
                placed[key] = self.fold(row, owned=False, gone_at=version) if keep else None
            elif row:
                placed[key] = row._replace(gone_at=version)
        return tuple(placed)

    def fold(self, row: Row, *, owned: bool = True, gone_at: int = 0) -> Row:
        """Fold one more change in: newer than any claim, and due unless somebody has the row."""
        leased = row.lease and self.guards.fold_leaves_a_lease_alone
        due_at = row.due_at if leased else NOW
        revision = row.revision + 1
        return row._replace(owned=owned, gone_at=gone_at, due_at=due_at, revision=revision)

    def requeue(self, row: Row) -> Row:
        """Make a row due, whatever Neuroon is known to hold."""
        return self.fold(row)._replace(digest=BLANK)

    def can_claim(self, row: Row | None) -> bool:
        """Return whether the row is due; that a lease stands on it says nothing once it has ended."""
        if row is None or row.due_at != NOW:
            return False
        confirmed = self.guards.delete_of_what_neuroon_lacks_is_confirmed
        return row.owned or row.in_neuroon or confirmed

    def claim(self, row: Row, lease: int) -> Row:
        """Lease a due row."""
        seen = row.revision if self.guards.claim_records_the_revision else row.claimed_revision
        return row._replace(lease=lease, claimed_revision=seen, due_at=LEASE_END)

    def may_send(self, row: Row, *, delete: bool) -> bool:
        """Return whether the row is still in its request's lane: a tombstone in that of deletes."""
        return row.owned != delete or not self.guards.begin_sending_needs_the_same_lane

    def begin_sending(self, row: Row) -> Row:
        """Lease anew what is held; the last statement before the first byte leaves."""
        digest = BLANK if self.guards.begin_sending_blanks_the_digest else row.digest
        sent = row.in_neuroon or self.guards.begin_sending_sets_in_neuroon
        return row._replace(due_at=LEASE_END, digest=digest, in_neuroon=sent)

    def settle(self, row: Row, *, digest: int | None = None, in_neuroon: bool | None = None) -> Row:
        """Write down what came of a row and let go of it; newer than its claim, it is due now."""
        newer = row.revision > row.claimed_revision and self.guards.settle_keeps_newer_rows_due
        return row._replace(
            lease=NOBODY,
            due_at=NOW if newer else NEVER,
            digest=row.digest if digest is None else digest,
            in_neuroon=row.in_neuroon if in_neuroon is None else in_neuroon,
        )

    def keep_lease(self, row: Row, *, digest: int) -> Row:
        """Write down the answer to a retry; an earlier attempt may still travel, so the lease stays."""
        return row._replace(digest=digest)

    def release(self, row: Row) -> Row:
        """Give a row back unsent: due now."""
        return row._replace(lease=NOBODY, due_at=NOW)

    def delete_confirmed(self, row: Row) -> Row | None:
        """Remove a row without owner; one that was given an owner meanwhile is unlisted."""
        if row.owned and self.guards.confirmed_delete_keeps_a_revived_row:
            return self.settle(row, digest=BLANK, in_neuroon=False)
        return None

    def end_lease(self, row: Row) -> Row:
        """Time passes: the row is due again, its lease still written on it."""
        return row._replace(due_at=NOW)


def owned_by_product(rows: Sequence[Row | None]) -> int:
    """Return the external id whose row the product owns, -1 where it owns none."""
    return next((key for key, row in enumerate(rows) if row and row.owned), -1)
