"""Three ways to send products (`API.md`, "Products"): found with the first one, and remembered."""

from __future__ import annotations

import time

import pytest

from neuroon_django.delivery.engine import Engine
from neuroon_django.models import Endpoint, SyncedProduct
from neuroon_django.operations.status import status_of
from neuroon_django.testing.sandbox import Fault
from tests.factories import current_shop, make_product, pauses
from tests.naming import case

pytestmark = pytest.mark.django_db(transaction=True)

OBJECT, ARRAY, SHOPS = ("plugin", "object"), ("plugin", "array"), ("shops", "array")
ACCEPTED = Fault("shape", body={"synced": 1, "failed": 0})
HTML = Fault("html")


def way_of(call) -> tuple[str, str]:
    return "plugin" if call.plugin else "shops", "object" if isinstance(call.json, dict) else "array"


def answering(neuroon, **answers: Fault) -> list[tuple[str, str]]:
    """Answer by the way: `object`, `array` and `shops`; returns the ways asked for, as they come."""
    names = {OBJECT: "object", ARRAY: "array", SHOPS: "shops"}
    asked: list[tuple[str, str]] = []

    def plan(call):
        if call.endpoint != "sync":
            return None
        asked.append(way_of(call))
        return answers.get(names[asked[-1]], Fault("status", status=404))

    neuroon.plan = plan
    return asked


def refusal(status: int) -> Fault:
    return Fault("status", status=status)


@pytest.mark.parametrize(
    "refused",
    [
        *map(refusal, (400, 404, 405, 415, 422)),
        HTML,
        Fault("shape", body=[1]),
        Fault("shape", body="OK"),
    ],
    ids=case,
)
@pytest.mark.parametrize("way", [OBJECT, ARRAY, SHOPS], ids=case)
def test_the_way_that_is_accepted_is_remembered_and_told(neuroon, flush, refused, way):
    for n in range(3):
        make_product(f"P-{n}")
    order = [OBJECT, ARRAY, SHOPS]
    answers = dict.fromkeys(["object", "array", "shops"], refused)
    answers[{OBJECT: "object", ARRAY: "array", SHOPS: "shops"}[way]] = ACCEPTED
    asked = answering(neuroon, **answers)
    flush()
    tries = order[: order.index(way) + 1]
    assert asked == [*tries, way]
    assert [len(call.external_ids) for call in neuroon.sync_requests] == [1] * len(tries) + [2]
    shop = current_shop()
    assert ((shop.route, shop.body), shop.refused_ways) == (way, [])
    told = status_of(shop).as_json()
    assert (told["route"], told["body"]) == way
    assert set(SyncedProduct.objects.values_list("status", flat=True)) == {"synced"}
    assert pauses() == {}


def test_the_array_has_the_fields_of_its_document(neuroon, flush):
    make_product("A")
    asked = answering(neuroon, array=ACCEPTED)
    flush()
    whole, bare = neuroon.sync_requests[0].json["products"][0], neuroon.sync_requests[1].json[0]
    assert asked == [OBJECT, ARRAY]
    assert bare == {name: value for name, value in whole.items() if name != "brands"}


@pytest.mark.parametrize(
    ("setting", "ways"), [("plugin", [OBJECT, ARRAY]), ("shops", [SHOPS])], ids=["plugin", "shops"]
)
def test_a_setting_fixes_the_path(neuroon, flush, settings, setting, ways):
    settings.NEUROON_PRODUCTS_API = setting
    make_product("A")
    asked = answering(neuroon, array=ACCEPTED, shops=ACCEPTED)
    flush()
    assert asked == ways
    assert SyncedProduct.objects.get().status == "synced"


@pytest.mark.parametrize("slow_way", [1, 2, 3])
def test_what_was_found_out_survives_a_run_whose_time_is_up(neuroon, flush, slow_way):
    """Each answer is slower than a task's budget: a run makes one request, and none twice."""
    for n in range(5):
        make_product(f"P-{n}")
    ways = ["object", "array", "shops"]
    asked = answering(
        neuroon, **dict.fromkeys(ways[: slow_way - 1], refusal(400)), **{ways[slow_way - 1]: ACCEPTED}
    )
    for _ in range(slow_way):
        flush_once(flush)
    assert asked == [OBJECT, ARRAY, SHOPS][:slow_way]
    first = {call.external_ids for call in neuroon.sync_requests}
    assert len(first) == 1  # of one product: a refusal of its content says nothing of another's
    assert current_shop().route == ("shops" if slow_way == 3 else "plugin")


def flush_once(flush) -> None:
    """Run with a budget that one request uses up, as a slow answer does."""
    collect = Engine._collect
    Endpoint.objects.update(resume_at=None)  # the message that goes on with the run before

    def slow(self):
        collect(self)
        self.until = time.monotonic()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_collect", slow)
        flush(foreground=False)


@pytest.mark.parametrize(
    ("answers", "status", "reason"),
    [
        ({}, "pending", "404"),
        ({"object": HTML}, "sending", "an HTML page"),
        ({"shops": HTML}, "sending", "an HTML page"),
        ({"object": refusal(400), "array": refusal(400)}, "rejected", ""),
        ({"object": refusal(415), "array": refusal(422)}, "rejected", ""),
        ({"object": refusal(404), "array": refusal(404), "shops": refusal(400)}, "rejected", ""),
        ({"object": refusal(503)}, "pending", "503"),
        ({"object": refusal(400), "array": refusal(503)}, "pending", "503"),
    ],
    ids=case,
)
def test_what_comes_of_it_where_no_way_is_accepted(neuroon, flush, answers, status, reason):
    flush()  # and with it the first scan, which would find the product as well
    make_product("A")
    answering(neuroon, **answers)
    flush(foreground=False)
    row = SyncedProduct.objects.get()
    assert row.status == status
    assert reason in pauses().get("products", "")
    assert bool(pauses()) == bool(reason)


def test_a_temporary_error_in_between_forgets_nothing(neuroon, flush):
    make_product("A")
    answering(neuroon, object=refusal(400), array=refusal(503))
    flush(foreground=False)
    asked = answering(neuroon, array=ACCEPTED)
    flush()
    assert asked == [ARRAY]


def test_a_cut_off_answer_is_no_reason_to_go_another_way(neuroon, flush, settings):
    settings.NEUROON_TIMEOUT = 0.3
    make_product("A")
    asked = answering(neuroon, object=Fault("truncated"), array=ACCEPTED)
    flush(foreground=False)
    assert asked == [OBJECT]
    assert SyncedProduct.objects.get().lease


def test_a_warning_is_kept_and_a_later_delete_is_sent(neuroon, flush, caplog):
    caplog.set_level("WARNING")
    product = make_product("A")
    answer = {
        "synced": 1,
        "created": 1,
        "failed": 0,
        "errors": [{"externalId": "A", "message": "low\x1b[1m"}],
    }
    with neuroon.faulty("shape", body=answer, endpoint="sync", apply=True):
        done = flush()
    row = SyncedProduct.objects.get()
    assert (row.status, row.in_neuroon, row.last_error) == ("synced", True, "warning: low")
    assert bool(row.digest)
    assert done.warnings == {"low": 1}
    assert "product_warning external_id='A' reason=low" in caplog.text
    product.delete()
    flush()
    assert [call.endpoint for call in neuroon.requests][-1] == "delete"
    assert neuroon.products == {}


def test_one_outage_is_one_reason(neuroon, flush, settings):
    settings.NEUROON_PRODUCTS_API = "plugin"
    make_product("first")
    flush()
    for n in range(6):
        make_product(f"P-{n}")
    neuroon.error_style = "text"
    neuroon.reject = lambda product: f"products[0].price: {product['externalId']} has no price"
    flush()
    assert set(
        SyncedProduct.objects.filter(status="rejected").values_list("last_error", flat=True)
    ) == {"price: … has no price"}
