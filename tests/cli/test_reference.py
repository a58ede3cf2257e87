"""docs/cli.md says what the commands say."""

from pathlib import Path

from gemma4.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_what_the_commands_print() -> None:
    assert PAGE.read_text() == reference(), "run ./scripts/format"


def test_every_command_has_examples() -> None:
    sections = reference().split("\n## ")[1:]
    assert len(sections) >= 9
    for section in sections:
        assert "Examples:" in section, section.split("\n", 1)[0]
