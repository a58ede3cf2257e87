"""Every class of the engine that changes has a `check` of its invariants, and it can fail."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from gemma4.engine import engine
from gemma4.engine.faults import Faults
from gemma4.engine.loop_guard import LoopGuard
from gemma4.engine.one_torch_thread import OneTorchThread
from gemma4.engine.page_keys import PageKeys
from gemma4.engine.sampler import Sampler
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.chances import Chances
from gemma4.engine.speculation.costs import Costs
from gemma4.engine.speculation.history import History
from gemma4.engine.speculation.speculation import Speculation
from gemma4.engine.token_tally import TokenTally

FOLDER = Path(engine.__file__).parent
CHANGES = {
    "append", "appendleft", "add", "pop", "popleft", "popitem", "remove", "discard", "extend",
    "move_to_end", "update", "clear",
}  # fmt: skip


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for path in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield path.name, node


def is_own(node: ast.AST) -> bool:
    """`self.something`."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def changes(node: ast.AST) -> bool:
    """Whether it assigns to, deletes of, or grows an attribute of its object."""
    match node:
        case ast.Attribute(ctx=ast.Store()):
            return is_own(node)
        case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
            return is_own(value)
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            return name in CHANGES and is_own(value)
    return False


def test_every_stateful_class_has_a_check() -> None:
    stateful, without = 0, []
    for name, node in classes():
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        made = [method for method in methods if method.name not in ("__init__", "__post_init__")]
        if any(changes(part) for method in made for part in ast.walk(method)):
            stateful += 1
            if not any(method.name == "check" for method in methods):
                without.append(f"{name}: {node.name}")
    assert stateful >= 15
    assert not without


def grown_tally() -> TokenTally:
    tally = TokenTally(torch.tensor([1, 2]))
    for token in (5, 1, 5):
        tally.add(token)
    return tally


def used_sampler() -> Sampler:
    sampler = Sampler(
        Sampling(temperature=0.0, presence_penalty=1.0),
        prompt_ids=torch.tensor([0]),
        vocab_size=4,
    )
    sampler.choose(torch.arange(4.0))
    return sampler


def grown_keys() -> PageKeys:
    keys = PageKeys([], [])
    keys.first(2, list(range(64)))
    return keys


def used_history() -> History:
    history = History()
    history.follow(list(range(9)))
    return history


def used_costs() -> Costs:
    costs = Costs()
    costs.record_pass(1, 1.0, plain=True)
    costs.record_pass(4, 1.5, plain=False)
    costs.record_draft(3, 3, 0.1)
    return costs


def used_guard() -> LoopGuard:
    guard = LoopGuard()
    for _ in range(5000):
        guard.push(3)
    return guard


def used_speculation() -> Speculation:
    state = Speculation(torch.zeros(1), longest=4)
    state.record((5, 6), (5, 7), torch.zeros(1))
    return state


def noted_faults() -> Faults:
    faults = Faults()
    faults.note_pass(ValueError("no"), repeats=True)
    return faults


BROKEN = [
    (noted_faults, "repeated", 2, ()),
    (noted_faults, "last", None, ()),
    (OneTorchThread, "_inside", -1, ()),
    (grown_tally, "counts", torch.tensor([2.0, 0.0]), ()),
    (grown_tally, "seen", torch.tensor([1, 2]), ()),
    (used_sampler, "_chosen", 7, ()),
    (grown_keys, "_keys", [b"same", b"same"], (list(range(64)),)),
    (grown_keys, "_keys", [b"one", b"two", b"three"], (list(range(64)),)),
    (used_history, "_ids", np.zeros(3, dtype=np.int32), ()),
    (used_costs, "_seconds", ([1, 4], [2.0, 1.0]), ()),
    (used_guard, "_last", -1, ()),
    (used_guard, "_pushed", 10, ()),
    (used_speculation, "accepted", 3, ()),
    (used_speculation, "_idle", 10_000, ()),
    (lambda: Chances(3), "_chances", [1.5], ()),
]


@pytest.mark.parametrize(("make", "name", "value", "arguments"), BROKEN)
def test_a_check_passes_and_fails_where_it_should(make, name: str, value, arguments) -> None:
    sound = make()
    sound.check(*arguments)
    setattr(sound, name, value)
    with pytest.raises(AssertionError):
        sound.check(*arguments)
