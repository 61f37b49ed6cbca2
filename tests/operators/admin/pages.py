"""The addresses of the admin's pages, and what is read from them."""

from __future__ import annotations

import re

from django.test import Client
from django.urls import reverse

PRODUCTS = "admin:neuroon_django_syncedproduct_changelist"
CONVERSIONS = "admin:neuroon_django_conversion_changelist"
OVERVIEW = "admin:neuroon_django_shopstate_changelist"
SHOP_PRODUCTS = "admin:shop_product_changelist"


def act(client: Client, url: str, action: str, rows, **more: object) -> list[str]:
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    answer = client.post(reverse(url), data, follow=True)
    assert answer.redirect_chain
    return [str(message) for message in answer.context["messages"]]


def cells(answer) -> list[list[str]]:
    body = answer.content.decode().partition('id="result_list"')[2]
    body = body.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    tags = [re.findall(r"<t[dh][^>]*class=\"field-[^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in tags]
