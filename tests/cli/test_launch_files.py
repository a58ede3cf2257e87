"""Files of agents: merged, kept beside, put back, never lost."""

import json
from pathlib import Path

import pytest

from gemma4.cli.launch.ledger import Ledger
from gemma4.cli.launch.merge import merged_text
from gemma4.cli.launch.plan import JSONEdit
from gemma4.errors import EnvironmentFault, InputError


def edit(settings: object, path: str = "settings.json") -> JSONEdit:
    return JSONEdit(path=Path(path), settings=settings)  # type: ignore[arg-type]


def test_other_settings_stay_in_their_order() -> None:
    before = '{"z": 1, "provider": {"mine": {"key": "ü"}, "gemma4": {"old": 1}}, "a": [1, 2]}'
    text = merged_text(edit({"provider": {"gemma4": {"new": 2}}}), before)
    assert json.loads(text) == {
        "z": 1,
        "provider": {"mine": {"key": "ü"}, "gemma4": {"old": 1, "new": 2}},
        "a": [1, 2],
    }
    assert list(json.loads(text)) == ["z", "provider", "a"]
    assert "ü" in text


def test_items_of_a_list_are_known_by_their_id() -> None:
    before = '{"models": [{"id": "x", "n": 1}, {"id": "ours", "n": 2}, "odd"]}'
    text = merged_text(edit({"models": [{"id": "ours", "n": 3}, {"id": "new"}]}), before)
    assert json.loads(text)["models"] == [
        {"id": "x", "n": 1}, {"id": "ours", "n": 3}, "odd", {"id": "new"},
    ]  # fmt: skip


def test_other_lists_are_replaced() -> None:
    wanted = {"input": ["text", "image"]}
    before = merged_text(edit(wanted), None)
    assert merged_text(edit(wanted), before) == before
    assert json.loads(merged_text(edit({"input": ["text"]}), before)) == {"input": ["text"]}


def test_a_new_or_empty_file_has_the_settings_alone() -> None:
    for before in (None, "", " \n"):
        assert json.loads(merged_text(edit({"a": {"b": 1}}), before)) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ('{"a": 1, // mine\n}', "comments in it would be lost"),
        ("[1]", "holds no JSON object"),
        ('{"a": 5}', "something else than an object at a"),
        ('{"a": {"l": 5}}', "something else than a list at a.l"),
    ],
)
def test_what_cannot_be_merged_is_left_alone_and_said(before: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        merged_text(edit({"a": {"l": [{"id": "x"}]}}), before)
    assert words in str(caught.value)
    assert 'put this into it by hand: {"a": {"l"' in str(caught.value)


def test_a_file_is_put_back_as_it_was(tmp_path: Path) -> None:
    record, old, new = tmp_path / "record.json", tmp_path / "old.json", tmp_path / "a" / "new.json"
    old.write_text("mine")
    old.chmod(0o640)
    backup = Ledger(record).write(old, "ours")
    assert backup is not None
    assert backup.read_text() == "mine"
    assert old.stat().st_mode & 0o777 == 0o640
    assert Ledger(record).write(old, "ours again") is None  # the backup stays what it is
    assert Ledger(record).write(new, "ours") is None
    said = Ledger(record).restore()
    assert len(said) == 2
    assert old.read_text() == "mine"
    assert not new.exists()
    assert not backup.exists()
    assert Ledger(record).restore() == []


def test_what_the_user_changed_meanwhile_is_kept(tmp_path: Path) -> None:
    record, path = tmp_path / "record.json", tmp_path / "c.json"
    path.write_text("mine")
    Ledger(record).write(path, "ours")
    path.write_text("ours and mine")
    Ledger(record).write(path, "ours, merged")
    (said,) = Ledger(record).restore()
    assert path.read_text() == "mine"
    kept = tmp_path / "c.json.changed-since"
    assert kept.read_text() == "ours, merged"
    assert str(kept) in said


def test_an_older_backup_is_not_overwritten(tmp_path: Path) -> None:
    path, older = tmp_path / "c.json", tmp_path / "c.json.before-gemma4"
    older.write_text("precious")
    path.write_text("mine")
    backup = Ledger(tmp_path / "record.json").write(path, "ours")
    assert older.read_text() == "precious"
    assert backup == tmp_path / "c.json.before-gemma4-2"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real, link = tmp_path / "dotfiles" / "c.json", tmp_path / "c.json"
    real.write_text("mine")
    link.symlink_to(real)
    ledger = Ledger(tmp_path / "record.json")
    ledger.write(link, "ours")
    assert real.read_text() == "ours"
    ledger.restore()
    assert link.read_text() == "mine"


def test_a_damaged_record_is_said(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_text("[{}]")
    with pytest.raises(EnvironmentFault, match="is damaged"):
        Ledger(record)
