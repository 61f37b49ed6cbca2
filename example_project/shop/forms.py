"""The shop's two forms. A quantity of the basket is a field of its own, named after the product."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.http import QueryDict

from shop.basket import MOST_OF_ONE


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=1, max_value=MOST_OF_ONE, initial=1)


class CheckoutForm(forms.Form):
    email = forms.EmailField(
        label="Your e-mail",
        help_text="For the receipt. We write once, when the parcel leaves.",
        widget=forms.EmailInput(attrs={"autocomplete": "email", "placeholder": "you@example.org"}),
    )


def posted_quantities(posted: QueryDict, products: Iterable[int]) -> dict[int, int]:
    """`quantity-12=3` as `{12: 3}` and `remove=12` as `{12: 0}`; the rest changes nothing."""
    fields = {pk: str(posted.get(f"quantity-{pk}", "")) for pk in products}
    quantities = {pk: int(n) for pk, n in fields.items() if _is_number(n)}
    return {**quantities, **{pk: 0 for pk in fields if str(pk) == posted.get("remove")}}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
