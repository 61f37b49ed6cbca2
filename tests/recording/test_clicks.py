"""The cookie as hostile input: what is a clean pair is kept, and nothing else."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroon_django import clicks

PAIRS = {"SKU-1": "search-1", "Café 2": "3f0c1b9e-8a55-4a3e-9f0e-2f3c9d1e7a10"}
TEXT = json.dumps(PAIRS, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        quote(TEXT),
        quote(TEXT, safe=""),
        quote(TEXT, safe="{}/:"),  # as js-cookie writes it
        f"  {TEXT}  ",
        json.dumps(PAIRS),
    ],
)
def test_plain_and_percent_encoded(text):
    assert clicks.parse(text) == PAIRS


@pytest.mark.parametrize("encode", [str, quote])
def test_law_13_complete_pairs_before_a_cut_are_kept(encode):
    pairs = {f"SKU-{n}": f"search-{n}" for n in range(300)}
    whole = encode(json.dumps(pairs))
    kept = [clicks.parse(whole[:length]) for length in range(0, len(whole), 7)]
    assert [len(found) for found in kept] == sorted(len(found) for found in kept)
    assert all(found.items() <= pairs.items() for found in kept)
    assert len(kept[-1]) == 299


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "}", "null", "[]", '["A","s"]', '"A":"s"', "{'A':'s'}", "%", "%7", "%7B", "{" * 10_000,
        "[" * 10_000, '{"A":' * 3000, '{"A":' + "[" * 5000, '{"A":1}', '{"A":null}', '{"A":{"B":"s"}}',
        '{"A":""}', '{"":"s"}', '{"A":"\\ud800"}', '{"\\ud800":"s"}', '{"A":["s"]}', '{"A":true}',
        '{"' + "A" * 256 + '":"s"}', '{"A":' + "9" * 9000 + "}", "\x00", "{\x00}", '{"A" "s"}', "{,}",
    ],
)  # fmt: skip
def test_what_is_no_pair_is_left_out(text):
    assert clicks.parse(text) == {}


def test_what_is_no_pair_does_not_spoil_its_neighbours():
    assert clicks.parse('{"A":1,"B":"s","C":[{}],"D":"t","A":"u"}') == {"B": "s", "D": "t", "A": "u"}


@pytest.mark.parametrize("encode", [str, quote, clicks.storable])
@pytest.mark.parametrize(
    "search",
    [
        " ",
        "a b",
        "jane@example.org",
        "s\0\x1b[31m",
        "\u202e\u200b",
        "🔎" * 75,
        "s" * 300,
        "%41%",
        '"\\',
        "é;,",
    ],
    ids=ascii,
)
def test_law_13_a_search_is_opaque_and_comes_back_as_it_came(search, encode):
    text = encode(json.dumps({"A": search}))
    assert clicks.parse(text) == {"A": search}
    assert clicks.parse(clicks.merge([text])) == {"A": search}


def test_not_more_pairs_than_a_cookie_holds():
    assert len(clicks.parse("{" + '"a":"b",' * 5000)) == 1
    many = json.dumps({f"{n}": "s" for n in range(1000)})
    assert len(clicks.parse(many)) == clicks.MAX_PAIRS


def test_merged_the_newest_search_wins_and_the_newest_pairs_stay():
    assert clicks.merge(['{"A":"1","B":"1"}', "rubbish", '{"A":"2"}']) == '{"B": "1", "A": "2"}'
    texts = [json.dumps({f"{n}-{i}": "s" * 200 for i in range(18)}) for n in range(50)]
    text = clicks.merge(["", *texts])
    assert len(text) <= clicks.MAX_TEXT
    kept = clicks.parse(text)
    assert list(kept)[-1] == "49-17"
    assert len(kept) > 40
    assert clicks.merge([]) == ""


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda b: b.decode("latin-1")))
def test_any_text_is_stored_in_what_every_database_takes(text):
    stored = clicks.storable(text)
    assert stored.isascii()
    assert "\0" not in stored
    assert len(stored) <= clicks.MAX_TEXT
    assert clicks.parse(stored).items() >= clicks.parse(text).items() or text.startswith("%")


ids = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
searches = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(ids, searches, max_size=20), st.booleans(), st.booleans())
def test_every_clean_cookie_comes_back_whole(pairs, encoded, plain):
    text = json.dumps(pairs, ensure_ascii=not plain)
    text = quote(text) if encoded else text
    assert clicks.parse(clicks.storable(text)) == pairs
    assert clicks.parse(clicks.merge([clicks.storable(text)])) == pairs
