"""The catalog: names, repositories, licences and capabilities."""

import pytest

from gemma4.catalog import (
    APACHE_2,
    FAMILY,
    GEMMA_TERMS,
    find_by_repository,
    is_known_name,
    known_names,
    parse_name,
)
from gemma4.errors import ModelNotFoundError


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("e2b", "google/gemma-4-E2B-it"),
        ("E2B:IT", "google/gemma-4-E2B-it"),
        ("e2b:base", "google/gemma-4-E2B"),
        ("e4b:qat-q4_0", "google/gemma-4-E4B-it-qat-q4_0-gguf"),
        ("12b", "google/gemma-4-12B-it"),
        ("26b-a4b", "google/gemma-4-26B-A4B-it"),
        ("26b-a4b:base", "google/gemma-4-26B-A4B"),
        (" 31b ", "google/gemma-4-31B-it"),
        ("gemma3:270m", "google/gemma-3-270m"),
    ],
)
def test_a_short_name_leads_to_its_repository(name: str, repository: str) -> None:
    assert parse_name(name).repository == repository


def test_the_short_form_leaves_the_default_tag_out() -> None:
    assert parse_name("e2b:it").text == "e2b"
    assert parse_name("e2b:base").text == "e2b:base"
    assert parse_name("gemma3:270m").text == "gemma3:270m"


@pytest.mark.parametrize("name", known_names())
def test_every_known_name_parses_to_itself(name: str) -> None:
    assert parse_name(name).text == name
    assert is_known_name(name)


@pytest.mark.parametrize(
    ("name", "near"),
    [("e2", "e2b"), ("26b", "26b-a4b"), ("gemma3:270", "gemma3:270m"), ("e2b:bse", "e2b:base")],
)
def test_an_unknown_name_gets_the_nearest_one(name: str, near: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        parse_name(name)
    assert f"no model is called '{name}'; did you mean {near}? known: e2b, e2b:base" in str(
        caught.value
    )
    assert not is_known_name(name)


def test_a_name_like_none_gets_the_list_alone() -> None:
    with pytest.raises(ModelNotFoundError, match="no model is called 'zzzzzz'; known: e2b"):
        parse_name("zzzzzz")


def test_each_size_says_what_it_takes_and_holds() -> None:
    said = {member.name: (member.context, member.modalities) for member in FAMILY}
    everything = ("text", "image", "video", "audio")
    assert said == {
        "e2b": (131_072, everything),
        "e4b": (131_072, everything),
        "12b": (262_144, everything),
        "26b-a4b": (262_144, ("text", "image", "video")),
        "31b": (262_144, ("text", "image", "video")),
        "gemma3:270m": (32_768, ("text",)),
    }


def test_licences_and_drafters() -> None:
    gemma3 = parse_name("gemma3:270m").member
    assert (gemma3.licence, gemma3.drafter_repository) == (GEMMA_TERMS, None)
    e2b = parse_name("e2b").member
    assert e2b.licence == APACHE_2
    assert e2b.drafter_repository == "google/gemma-4-E2B-it-assistant"


def test_a_repository_leads_back_to_its_name() -> None:
    found = find_by_repository("google/gemma-4-e2b-IT")
    assert found is not None
    assert found.text == "e2b"
    assert find_by_repository("someone/else") is None
