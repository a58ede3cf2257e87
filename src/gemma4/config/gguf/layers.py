"""What GGUF metadata says of each layer: one number for all, or an array with one for each."""

from ..huggingface.layers import MAX_LAYERS
from ..layers import LayerKind
from ..section import Section, shown


def read_kinds(section: Section, *, period: int | None = None) -> tuple[LayerKind, ...]:
    """Read which layers slide.

    Args:
        period: every so-manieth layer is full where the file does not say; None: it must say.
    """
    count = section.integer("block_count", high=MAX_LAYERS)
    key = "attention.sliding_window_pattern"
    value = section.raw(key)
    if isinstance(value, list | tuple):
        if len(value) == count and all(isinstance(item, bool) for item in value):
            return tuple(LayerKind.SLIDING if item else LayerKind.FULL for item in value)
        section.report(key, f"= {shown(value)}; give true or false for each of {count} layers")
    elif value is not None or period is not None:
        every = section.integer(key, period, high=MAX_LAYERS)
        kinds = [
            LayerKind.FULL if (i + 1) % every == 0 else LayerKind.SLIDING for i in range(count)
        ]
        return tuple(kinds)
    else:
        section.report(key, f"is missing; give true or false for each of {count} layers")
    return (LayerKind.FULL,) * count


def read_per_layer(section: Section, key: str, count: int) -> tuple[int, ...]:
    """Read a number for each layer, given once for all or as an array. All are 1 if it is wrong."""
    values = section.integers(key)
    if len(values) == 1:
        values *= count
    if len(values) != count or 0 in values:
        found = shown(section.raw(key))
        section.report(
            key, f"= {found}; give one number above 0, or one for each of {count} layers"
        )
        return (1,) * count
    return values


def split_kv_heads(section: Section, kinds: tuple[LayerKind, ...]) -> dict[LayerKind, int]:
    """Read the key-value heads of each kind of layer; layers of one kind must agree."""
    key = "attention.head_count_kv"
    values = read_per_layer(section, key, len(kinds))
    found: dict[LayerKind, int] = {}
    for kind in LayerKind:
        counts = {value for value, its_kind in zip(values, kinds, strict=True) if its_kind is kind}
        if len(counts) > 1:
            section.report(key, f"gives {kind.value} layers different counts: {sorted(counts)[:8]}")
        found[kind] = min(counts, default=values[0])
    return found


def read_widths(section: Section, count: int, num_shared: int) -> tuple[int, bool]:
    """Read the MLP's width, and whether it is doubled in the last `num_shared` layers."""
    key = "feed_forward_length"
    values = read_per_layer(section, key, count)
    own, shared = set(values[: count - num_shared]), set(values[count - num_shared :])
    if num_shared == count:
        own = shared
    width = values[0]
    if own == {width} and shared <= {width}:
        return width, False
    if own == {width} and shared == {2 * width}:
        return width, True
    section.report(
        key,
        f"= {shown(list(values))}; it must be equal, or doubled in the last {num_shared} layers",
    )
    return width, False
