"""Layer kinds, head widths and rotation from a text section of config.json, in every spelling."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..layers import LayerKind, RopeConfig
from ..section import Section, shown

MAX_LAYERS: Final = 1024
"""No decoder is read with more layers; the published ones have up to 60."""

_INDEX = re.compile("[0-9]{1,6}")
_KINDS = {kind.value: kind for kind in LayerKind}
_PATTERN_KEYS = ("sliding_window_pattern", "_sliding_window_pattern")


@dataclass(frozen=True, kw_only=True, slots=True)
class FullHeads:
    """What full layers have of their own."""

    head_dim: int
    num_kv_heads: int


def read_layer_kinds(section: Section, *, last_is_full: bool) -> tuple[LayerKind, ...]:
    """Read `layer_types`, or the older `sliding_window_pattern`: every so-manieth layer is full.

    Args:
        last_is_full: the last layer must be full, as in Gemma 4.
    """
    count = section.integer("num_hidden_layers", high=MAX_LAYERS)
    patterns = [section.integer(key) for key in _PATTERN_KEYS if section.has(key)]
    expected = _kinds_of_pattern(count, (patterns or [6])[0], last_is_full=last_is_full)
    if not section.has("layer_types"):
        return expected
    kinds = _listed_kinds(section)
    if len(kinds) != count:
        section.report("layer_types", f"has {len(kinds)} entries for num_hidden_layers = {count}")
        return expected
    if patterns and kinds != expected:
        section.report(
            "layer_types", f"contradicts sliding_window_pattern = {patterns[0]}; give one"
        )
    if last_is_full and kinds[-1] is not LayerKind.FULL:
        section.report("layer_types", "ends with sliding_attention; the last layer must be full")
    return kinds


def _kinds_of_pattern(count: int, pattern: int, *, last_is_full: bool) -> tuple[LayerKind, ...]:
    kinds = [LayerKind.FULL if (i + 1) % pattern == 0 else LayerKind.SLIDING for i in range(count)]
    if last_is_full:
        kinds[-1] = LayerKind.FULL
    return tuple(kinds)


def _listed_kinds(section: Section) -> tuple[LayerKind, ...]:
    value = section.raw("layer_types")
    if not isinstance(value, list | tuple):
        section.report("layer_types", f"= {shown(value)} is no list")
        return ()
    if len(value) > MAX_LAYERS:
        return (LayerKind.FULL,) * len(value)  # the length is reported by the caller
    strange = [item for item in value if not isinstance(item, str) or item not in _KINDS]
    if strange:
        section.report(
            "layer_types", f"holds {shown(strange[0])}; supported: {', '.join(sorted(_KINDS))}"
        )
    return tuple(
        _KINDS.get(item, LayerKind.FULL) if isinstance(item, str) else LayerKind.FULL
        for item in value
    )


def read_full_heads(
    section: Section,
    kinds: tuple[LayerKind, ...],
    sliding: FullHeads,
    *,
    keys_are_values: bool,
) -> FullHeads:
    """Read the full layers' head width and key-value heads, in the old or the new spelling.

    The old one is `global_head_dim` and `num_global_key_value_heads`; the latter counts only
    together with `attention_k_eq_v`. The new one is `per_layer_config`: layer index → what
    differs there.
    """
    old = _read_old_heads(section, sliding, keys_are_values=keys_are_values)
    if not section.has("per_layer_config"):
        return old
    new = _read_per_layer(section, kinds, sliding)
    for key, before, after in (
        ("global_head_dim", old.head_dim, new.head_dim),
        ("num_global_key_value_heads", old.num_kv_heads, new.num_kv_heads),
    ):
        if section.has(key) and before != after:
            section.report(key, f"= {before} contradicts per_layer_config, which says {after}")
    return new


def _read_old_heads(section: Section, sliding: FullHeads, *, keys_are_values: bool) -> FullHeads:
    head_dim = section.integer("global_head_dim", 512)
    num_kv_heads = section.integer("num_global_key_value_heads", sliding.num_kv_heads)
    if not keys_are_values and num_kv_heads != sliding.num_kv_heads:
        section.report(
            "num_global_key_value_heads",
            f"= {num_kv_heads} has no effect without attention_k_eq_v, and num_key_value_heads = "
            f"{sliding.num_kv_heads}; remove it or set attention_k_eq_v",
        )
    return FullHeads(head_dim=head_dim, num_kv_heads=num_kv_heads)


def _read_per_layer(
    section: Section, kinds: tuple[LayerKind, ...], sliding: FullHeads
) -> FullHeads:
    table = section.raw("per_layer_config")
    layers = section.section("per_layer_config")
    if layers is None or not isinstance(table, Mapping):
        return sliding
    names: dict[int, str] = {}
    for name in table:
        if isinstance(name, str) and _INDEX.fullmatch(name):  # transformers pads with zeros: "05"
            if int(name) in names:
                section.report("per_layer_config", f"names layer {int(name)} twice; name it once")
            names[int(name)] = name
    found: dict[LayerKind, set[FullHeads]] = {kind: set() for kind in LayerKind}
    for index, kind in enumerate(kinds):
        entry = layers.section(names[index]) if index in names else None
        if entry is None:
            found[kind].add(sliding)
            continue
        found[kind].add(
            FullHeads(
                head_dim=entry.integer("head_dim", sliding.head_dim),
                num_kv_heads=entry.integer("num_key_value_heads", sliding.num_kv_heads),
            )
        )
        entry.close()
    layers.close()
    if found[LayerKind.SLIDING] - {sliding} or len(found[LayerKind.FULL]) > 1:
        section.report(
            "per_layer_config",
            "gives layers of one kind different heads; all sliding layers must have head_dim and "
            "num_key_value_heads, and all full layers the same",
        )
    return next(iter(found[LayerKind.FULL]), sliding)


def read_rope(section: Section | None, default: RopeConfig, *, proportional: bool) -> RopeConfig:
    """Read the rotation of one layer kind from its object in `rope_parameters`.

    Args:
        default: where there is no such object.
        proportional: the type `proportional` (a fraction of the pairs rotates) may stand there.
    """
    if section is None:
        return default
    types = ("default", "proportional") if proportional else ("default",)
    rope_type = section.choice("rope_type", "default", types)
    theta = section.number("rope_theta", default.theta, low=1.0, high=1e12)
    fraction = section.number("partial_rotary_factor", 1.0, low=0.0, high=1.0)
    factor = section.number("factor", 1.0, low=1e-3, high=1e6)
    if rope_type == "default" and (fraction, factor) != (1.0, 1.0):
        section.report("rope_type", "= 'default' takes no partial_rotary_factor and no factor")
    section.close()
    return RopeConfig(theta=theta, rotary_fraction=fraction, factor=factor)
