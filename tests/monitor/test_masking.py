"""What is masked can be recognised as a fault, and nobody in it."""

import json

import pytest

from monitor.masking import masked


def test_names_of_fields_and_codes_stay() -> None:
    """Structure, field names and codes show what was wrong; digits, Chinese and sentences are blanked."""
    delivered = {
        "id": "YL-2009-004711",
        "type": "applied",
        "time": "2009-03-02T09:00:00+08:00",
        "办件编号": "12",
        "data": {"text": "he paid Mr Li 500", "to": ["land", "张三"], "amount": 500.5, "confirmed": True, "due": None},
    }
    assert json.loads(masked(json.dumps(delivered).encode())) == {
        "id": "YL-####-######",
        "type": "applied",
        "time": "####-##-##T##:##:##+##:##",
        "办件编号": "##",
        "data": {
            "text": "** **** ** ** ###",
            "to": ["land", "**"],
            "amount": "###.#",
            "confirmed": True,
            "due": None,
        },
    }


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ('{"source": "hall", "applicant": "张三 450922", }', '{"source": "****", "applicant": "** ######", }'),
        (r'{"\u5f20": "x", "type"', r'{"\*#*##": "*", "****"'),
        ("申请人 Zhang", "*** *****"),
        ('{"申请人张三住在城西区里": 1, ', '{"***********": #, '),
        ("", ""),
    ],
)
def test_what_is_no_json_is_blanked_whole(raw: str, shown: str) -> None:
    """Only what stands where the name of a field stands, and looks like one, is left."""
    assert masked(raw.encode()) == shown


def test_a_sentence_for_a_name_is_blanked() -> None:
    """Nobody escapes by writing it in the place of a field's name."""
    assert json.loads(masked('{"申请人张三住在城西区向我反映了情况": true}'.encode())) == {"*" * 17: True}


def test_bytes_that_are_no_text_are_masked_too() -> None:
    """Nothing fails, whatever was delivered."""
    assert masked(b"\xff\xfe{" + "张".encode()) == "��{*"
