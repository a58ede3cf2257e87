"""Settings given as words: typed, checked, with the remedy in the message."""

from dataclasses import fields
from typing import Any

import pytest

from gemma4.cli.run.options import (
    SETTINGS,
    collect_settings,
    find_setting,
    format_setting,
    parse_setting,
)
from gemma4.engine.sampling import Sampling
from gemma4.errors import SamplingError

GOOD: list[tuple[str, str, Any]] = [
    ("temperature", "0.7", 0.7),
    ("top_k", "40", 40),
    ("top_p", "1", 1.0),
    ("min_p", "0.05", 0.05),
    ("repetition_penalty", "1.1", 1.1),
    ("presence_penalty", "-1", -1.0),
    ("frequency_penalty", "2", 2.0),
    ("seed", "7", 7),
    ("seed", "none", None),
    ("logit_bias", "5:-2.5,9:100", {5: -2.5, 9: 100.0}),
    ("suppress_ids", "1,2", (1, 2)),
    ("stop", "END of it", ("END of it",)),
    ("stop", '"\\n\\n"', ("\n\n",)),
    ("stop", '["a", "b"]', ("a", "b")),
    ("stop_ids", "106", (106,)),
    ("max_tokens", "128", 128),
    ("logprobs", "none", None),
    ("loop_guard", "off", False),
    ("loop_guard", "True", True),
]


@pytest.mark.parametrize(("key", "text", "value"), GOOD)
def test_each_setting_has_its_type(key: str, text: str, value: object) -> None:
    found = parse_setting(key, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("key", "text", "value"), GOOD)
def test_what_is_shown_reads_back(key: str, text: str, value: object) -> None:
    del text
    assert parse_setting(key, format_setting(key, value)) == value


def test_every_field_of_sampling_is_a_setting() -> None:
    assert set(SETTINGS) == {field.name for field in fields(Sampling)}
    assert {key for key, _, _ in GOOD} == set(SETTINGS)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("temperature", "hot", "temperature='hot' is no number"),
        ("temperature", "-1", "temperature=-1.0 is out of range; give 0 to 100"),
        ("temperature", "nan", "temperature=nan is out of range; give 0 to 100"),
        ("top_k", "1.5", "top_k='1.5' is no whole number"),
        ("seed", "x", "seed='x' is neither a whole number nor none"),
        ("loop_guard", "maybe", "loop_guard='maybe' is neither on nor off"),
        ("stop", '["a', "stop='[\"a' is no JSON; a stop string that begins with \" or ["),
        ("stop", "[1]", "stop='[1]' is no JSON;"),
        ("stop", "", "stop holds an empty string"),
        ("stop_ids", "1;2", "stop_ids='1;2' is no list of ids; write 1,2"),
        ("logit_bias", "5", "logit_bias='5' is no list of biases; write ID:BIAS,ID:BIAS"),
        ("logit_bias", "5:300", "logit_bias[5]=300.0 is out of range; give -100 to 100"),
    ],
)
def test_a_wrong_value_names_itself_and_the_remedy(key: str, text: str, message: str) -> None:
    with pytest.raises(SamplingError) as caught:
        parse_setting(key, text)
    assert str(caught.value).startswith(message)


def test_hyphens_and_case_do_not_matter_and_typos_are_guessed() -> None:
    assert find_setting("Top-K") == "top_k"
    with pytest.raises(SamplingError, match="no setting 'temprature'; did you mean temperature"):
        find_setting("temprature")


def test_settings_come_from_pairs_and_options_of_their_own() -> None:
    pairs = ["top_p=0.5", "stop=a", "stop=b=c"]
    assert collect_settings(pairs, temperature=0.0, seed=None) == {
        "top_p": 0.5,
        "stop": ("a", "b=c"),
        "temperature": 0.0,
    }


@pytest.mark.parametrize(
    ("pairs", "shortcuts", "message"),
    [
        (["top_p"], {}, "option 'top_p' has no value; write it as KEY=VALUE"),
        (["seed=1", "seed=2"], {}, "seed is given twice; give it once"),
        (["top-p=1"], {"top_p": 0.5}, "top_p is given twice, by -o and by --top-p"),
        ([], {"top_p": 7.0}, "top_p=7.0 is out of range; give 0 to 1"),
    ],
)
def test_settings_that_contradict_are_refused(
    pairs: list[str], shortcuts: dict[str, float], message: str
) -> None:
    with pytest.raises(SamplingError) as caught:
        collect_settings(pairs, **shortcuts)
    assert str(caught.value) == message
