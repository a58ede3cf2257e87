"""ECMAScript patterns, as JSON Schema has them, in the dialect that the grammar library reads.

A schema's pattern may match anywhere; the library matches whole texts and knows no anchors. So anchors at
the ends of the outermost alternatives are taken off, and text is let in where they are missing.
"""

import re

_ANY = "(?s:.*)"
_SPACE = r"\t\n\x0b\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASS_PIECE = re.compile(r"\\.|[\[&~]", re.DOTALL)
_LAZY = re.compile(r"[*+?}]\?")


class UnsupportedPattern(Exception):
    """The pattern is beyond the library; the message says why."""


def whole_pattern(pattern: str) -> str:
    """A pattern that matches a whole text wherever `pattern` is found in it.

    Raises:
        UnsupportedPattern: for anchors inside, look-around, and what is no pattern.
    """
    branches = [_unanchored(branch) for branch in _branches(pattern)]
    return branches[0] if len(branches) == 1 else "|".join(f"(?:{one})" for one in branches)


def python_pattern(pattern: str) -> re.Pattern[str]:
    """The same for Python, to look for it in names that are known beforehand.

    Raises:
        UnsupportedPattern: Python does not understand it.
    """
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise UnsupportedPattern(f"{pattern!r} is not understood: {error}") from error


def _branches(pattern: str) -> list[list[str]]:
    """The outermost alternatives, each as its atoms; a group is one atom."""
    branches: list[list[str]] = [[]]
    at = 0
    while at < len(pattern):
        if pattern[at] == "|":
            branches.append([])
            at += 1
            continue
        end = _atom_end(pattern, at)
        branches[-1].append(_translated(pattern[at:end]))
        at = end
        if _LAZY.match(pattern, at - 1):
            at += 1  # how greedy a match is does not matter to what is matched
    return branches


def _unanchored(atoms: list[str]) -> str:
    starts = bool(atoms) and atoms[0] == "^"
    ends = bool(atoms) and atoms[-1] == "$" and (len(atoms) > 1 or not starts)
    inner = atoms[int(starts) : len(atoms) - int(ends)]
    if any(atom in ("^", "$") for atom in inner):
        raise UnsupportedPattern("'^' or '$' stands inside it")
    return ("" if starts else _ANY) + "".join(inner) + ("" if ends else _ANY)


def _atom_end(pattern: str, at: int) -> int:
    """Where the atom that begins at `at` ends."""
    match pattern[at]:
        case "\\":
            return at + 2
        case "[":
            return _class_end(pattern, at)
        case "(":
            return _group_end(pattern, at)
        case _:
            return at + 1


def _class_end(pattern: str, at: int) -> int:
    end = at + 1
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    if end >= len(pattern):
        raise UnsupportedPattern("'[' is not closed")
    return end + 1


def _group_end(pattern: str, at: int) -> int:
    end = at + 1
    while end < len(pattern) and pattern[end] != ")":
        end = _atom_end(pattern, end)
    if end >= len(pattern):
        raise UnsupportedPattern("'(' is not closed")
    return end + 1


def _translated(atom: str) -> str:
    if atom.startswith("["):
        return _translated_class(atom)
    if atom.startswith("("):
        return _translated_group(atom)
    if atom in ("\\b", "\\B", "\\A", "\\Z", "\\z"):
        raise UnsupportedPattern(f"{atom!r} looks around")
    if atom[0] == "\\" and atom[1:].isdigit() and atom != "\\0":
        raise UnsupportedPattern(f"{atom!r} refers back")
    return {"\\0": "\\x00", "\\s": f"[{_SPACE}]", "\\S": f"[^{_SPACE}]"}.get(atom, atom)


def _translated_class(atom: str) -> str:
    """A character class, with what would be an operator of sets escaped."""
    body = atom[2:-1] if atom.startswith("[^") else atom[1:-1]
    if not body or "--" in body:
        raise UnsupportedPattern(f"the class {atom!r}")
    if "\\S" in body.replace("\\\\", ""):
        raise UnsupportedPattern(f"'\\\\S' in the class {atom!r}")
    escaped = _CLASS_PIECE.sub(_escaped_piece, body)
    return f"[{'^' if atom.startswith('[^') else ''}{escaped}]"


def _escaped_piece(piece: re.Match[str]) -> str:
    found = piece.group()
    if found.startswith("\\"):
        return _SPACE if found == "\\s" else found
    return "\\" + found


def _translated_group(atom: str) -> str:
    body = atom[1:-1]
    if body.startswith("?"):
        name = re.match(r"\?:|\?P?<[A-Za-z_]\w*>", body)
        if name is None:
            raise UnsupportedPattern(f"{body[:3]!r} looks around or sets a flag")
        body = body[name.end() :]
    branches = ["".join(branch) for branch in _branches(body)]
    if any(part in ("^", "$") for branch in _branches(body) for part in branch):
        raise UnsupportedPattern("'^' or '$' stands inside a group")
    return f"(?:{'|'.join(branches)})"
