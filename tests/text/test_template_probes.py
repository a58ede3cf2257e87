"""What templates have a place for is found by asking them."""

from pathlib import Path

import pytest

from gemma4.text.templates.probes import joins_turns, shows_media_of_tools
from gemma4.text.templates.template import JinjaTemplate

FOLDER = Path(__file__).parents[1] / "data" / "chat_templates"


@pytest.mark.parametrize(
    ("name", "joins", "shows"),
    [
        ("e2b-e4b.2026-07", True, True),
        ("large.2026-07", True, True),
        ("vllm-0.33.0", True, True),
        ("large.2026-04", False, False),
        ("launch-day-in-gguf", False, False),
        ("llama.cpp-interleaved", False, False),
    ],
)
def test_published_templates(name: str, joins: bool, shows: bool) -> None:
    template = JinjaTemplate((FOLDER / f"{name}.jinja").read_text())
    assert (joins_turns(template), shows_media_of_tools(template)) == (joins, shows)


def test_a_template_that_fails_has_no_place_for_anything() -> None:
    template = JinjaTemplate("{{ raise_exception('no') }}")
    assert not joins_turns(template)
    assert not shows_media_of_tools(template)
