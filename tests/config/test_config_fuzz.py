"""Whatever stands in a config.json, reading gives a configuration or a ConfigError, at once."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma4.config.generation import read_generation_config
from gemma4.config.gguf.reader import read_gguf_config
from gemma4.config.huggingface.reader import read_config
from gemma4.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "data" / "configs"
FILES = {path.stem: json.loads(path.read_text()) for path in sorted(CONFIGS.glob("*.json"))}
HUGGINGFACE = sorted(name for name in FILES if not name.endswith(".gguf"))

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**18), max_value=10**18),
    st.integers(min_value=10**300, max_value=10**301),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["full_attention", "proportional", "gemma4", "vision", "bfloat16"]),
)
GARBAGE = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


def paths(value: object, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    found = [prefix] if prefix else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:2])
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found += paths(inner, (*prefix, key))
    return found


def mutate(data: st.DataObject, source: dict[str, object]) -> dict[str, object]:
    """Replace or remove one to four values anywhere."""
    result = copy.deepcopy(source)
    for _ in range(data.draw(st.integers(1, 4))):
        places = paths(result)
        if not places:
            break
        *parents, last = data.draw(st.sampled_from(places))
        place: object = result
        for key in parents:
            place = place[key]  # type: ignore[index]  # paths() names what is there
        if data.draw(st.booleans()):
            place[last] = data.draw(GARBAGE)  # type: ignore[index]
        else:
            del place[last]  # type: ignore[attr-defined]
    return result


def check(read: Callable[[], int]) -> None:
    """Reading gives a count from 1 to 1024, or a ConfigError of one line that is not too long."""
    try:
        count = read()
    except ConfigError as error:
        message = str(error)
    else:
        message, inside = "", 1 <= count <= 1024
        assert inside
    assert "\n" not in message
    assert len(message) < 20_000


@settings(max_examples=300, deadline=2000)
@given(st.data())
def test_a_damaged_config_json_gives_only_a_config_error(data: st.DataObject) -> None:
    source = FILES[data.draw(st.sampled_from(HUGGINGFACE))]
    damaged = mutate(data, source)
    check(lambda: read_config(damaged, "config.json").text.num_layers)


@settings(max_examples=100, deadline=2000)
@given(st.dictionaries(st.text(max_size=8), GARBAGE, max_size=6), st.sampled_from(HUGGINGFACE))
def test_garbage_beside_the_model_type_gives_only_a_config_error(
    garbage: dict[str, object], name: str
) -> None:
    with pytest.raises(ConfigError):
        read_config({**garbage, "model_type": FILES[name]["model_type"]}, "config.json")


@settings(max_examples=200, deadline=2000)
@given(st.data())
def test_damaged_gguf_metadata_gives_only_a_config_error(data: st.DataObject) -> None:
    damaged = mutate(data, {**FILES["gemma3-270m.gguf"], "gemma3.vocab_size": 262144})
    check(lambda: read_gguf_config(damaged, "model.gguf").text.num_layers)


@settings(max_examples=200, deadline=2000)
@given(st.data())
def test_a_damaged_generation_config_gives_only_a_config_error(data: st.DataObject) -> None:
    source = {
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 64,
        "top_p": 0.95,
        "eos_token_id": [1, 106, 50],
        "suppress_tokens": [258883],
    }
    damaged = mutate(data, source)
    check(lambda: len(read_generation_config(damaged, "generation_config.json").notes) + 1)
