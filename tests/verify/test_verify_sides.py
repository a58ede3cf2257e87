"""Tiny checkpoints against transformers, their copies, their GGUF files, and copies with faults.

Limits are those of `gemma4.verify.tolerance`: for equal float32 weights 5e-4 of the largest logit.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from faulty_checkpoints import faulty_copy
from tiny_gguf import write_gguf
from tiny_loaded import checkpoint_directory
from tiny_models import save_tiny

from gemma4.engine.encode import place_media
from gemma4.errors import (
    CheckpointError,
    EnvironmentFault,
    InputError,
    MediaError,
    VerificationError,
)
from gemma4.verify import our_side, subject, verify
from gemma4.verify.probes import ProbeInput
from gemma4.verify.reference_side import ReferenceSide
from gemma4.verify.report import Report
from gemma4.verify.subject import Subject, in_transformers, ours
from gemma4.verify.tolerance import (
    HALF_PRECISION,
    QUANTIZED,
    SAME_NUMBERS,
    default_tolerance,
    with_limits,
)

TEXT = ProbeInput(only=("text",), quick=True)


def mine(path: Path, dtype: str = "float32") -> Subject:
    return ours(path, device="cpu", dtype=dtype)


def theirs(path: Path, dtype: str = "float32") -> Subject:
    return in_transformers(path, device="cpu", dtype=dtype)


def compare(model: Subject, against: Subject, **options) -> Report:
    return verify.verify(model, against, **options)


@pytest.mark.parametrize("kind", ["e_series", "moe", "dense31", "unified", "gemma3_text"])
def test_every_architecture_agrees_with_transformers(kind: str) -> None:
    path = checkpoint_directory(kind)
    report = compare(mine(path), theirs(path))
    report.check()
    assert report.tolerance is SAME_NUMBERS
    for probe in report.probes:
        assert probe.divergence.relative < 2e-4  # float32, of the largest logit
        assert probe.divergence.kl_max < 1e-7  # float64 of float32 logits, nats
        assert probe.divergence.top1 == 1.0
        assert probe.first_difference is None
        assert probe.layers[-1].name == "final norm"
        # Another medium in a medium's place is seen: thousands of times the tolerance.
        assert (probe.least_change is None) == probe.name.startswith("text")
        assert probe.least_change is None or probe.least_change > 0.1
    expected = {"e_series": 7, "moe": 5, "dense31": 5, "unified": 7, "gemma3_text": 2}
    assert len(report.probes) == expected[kind]


def test_the_table_names_every_place_of_both_towers() -> None:
    path = checkpoint_directory("e_series")
    report = compare(mine(path), mine(path), wanted=ProbeInput(only=("image", "audio")))
    names = [line.name for line in report.probes[-1].layers]
    decoder = [f"layer {i} ({'full' if i % 5 == 4 else 'sliding'})" for i in range(10)]
    assert names == [
        "vision patches", "vision layer 0", "vision layer 1",
        "audio frames", "audio layer 0", "audio layer 1",
        "soft tokens", "embedding", *decoder, "final norm",
    ]  # fmt: skip
    assert report.passed
    assert all(line.largest == 0.0 for probe in report.probes for line in probe.layers)


FAULTS = {
    "a norm weight": ("moe", "layers.2.input_layernorm.weight", "text", "layer 2 (sliding)"),
    "a layer scalar": ("dense31", "layers.3.layer_scalar", "text", "layer 3 (sliding)"),
    "an expert's scale": ("moe", "layers.4.router.per_expert_scale", "text", "layer 4 (sliding)"),
    "the last norm": ("gemma3_text", "model.norm.weight", "text", "final norm"),
    "a vision layer": (
        "moe", "vision_tower.encoder.layers.1.self_attn.q_norm.weight", "image", "vision layer 1",
    ),
    "an audio layer": (
        "e_series", "audio_tower.layers.0.lconv1d.conv_norm.weight", "audio", "audio layer 0",
    ),
    "the projector": (
        "e_series", "embed_vision.embedding_projection.weight", "image", "soft tokens",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_weights_is_traced_to_its_layer(fault: str, tmp_path: Path) -> None:
    kind, tensor, modality, place = FAULTS[fault]
    bad = faulty_copy(kind, tmp_path / "bad", {tensor: lambda values: values.flip(0) * 1.05})
    report = compare(
        mine(bad),
        mine(checkpoint_directory(kind)),
        wanted=ProbeInput(only=(modality,), quick=True),
    )
    assert not report.passed
    first = report.probes[0].first_difference
    assert first is not None
    assert (first.name, first.verdict) == (place, "DIFF")
    with pytest.raises(VerificationError) as failure:
        report.check()
    assert "do not agree: " in str(failure.value)
    assert f"first differing layer: {place} DIFF" in str(failure.value)
    assert "(limit 0.0005)" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_fault_in_the_code_is_traced_to_its_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures seen causally: text agrees, pictures part in the first layer, which is a sliding one."""

    def without_spans(*arguments):
        return replace(place_media(*arguments), spans=None)

    monkeypatch.setattr(our_side, "place_media", without_spans)
    path = checkpoint_directory("moe")
    report = compare(mine(path), theirs(path), wanted=ProbeInput(quick=True))
    failed = {probe.name: probe.first_difference for probe in report.probes if probe.problems}
    assert list(failed) == ["image", "several images", "video"]
    assert {place.name for place in failed.values() if place} == {"layer 0 (sliding)"}


@pytest.mark.parametrize(
    ("kind", "tensor", "only", "medium"),
    [
        ("e_series", "embed_vision.embedding_projection.weight", "image", "image"),
        ("e_series", "embed_audio.embedding_projection.weight", "audio", "audio"),
        (
            "unified",
            "embed_vision.multimodal_embedder.embedding_projection.weight",
            "video",
            "video",
        ),
    ],
)
def test_who_gives_the_same_logits_for_two_media_fails(
    kind: str, tensor: str, only: str, medium: str, tmp_path: Path
) -> None:
    """Both sides agree to the last bit, and both are blind: agreement alone proves nothing."""
    stored = tensor.replace("multimodal_embedder.", "")
    blind = faulty_copy(kind, tmp_path / "blind", {stored: torch.zeros_like})
    report = compare(mine(blind), mine(blind), wanted=ProbeInput(only=(only,)))
    assert all(probe.divergence.relative == 0.0 for probe in report.probes)
    with pytest.raises(VerificationError, match=rf"does not take in {medium}.*by 0 of the largest"):
        report.check()
    changes = {entry.side: entry.change for entry in report.probes[0].sensitivity}
    assert changes == {"model": 0.0, "against": 0.0}


def test_a_gguf_equals_the_directory_it_was_made_from(tmp_path: Path) -> None:
    path = write_gguf("moe", tmp_path / "tiny.gguf")
    report = compare(mine(path), mine(checkpoint_directory("moe")))
    assert report.passed
    assert report.tolerance is SAME_NUMBERS
    assert [probe.name for probe in report.probes] == ["text", "text past the window"]
    assert all(probe.divergence.largest == 0.0 for probe in report.probes)  # float32, exact
    missing = "image, video not compared: gemma4 (tiny.gguf, float32, cpu) takes none"
    assert missing in report.notes


def test_a_quantized_gguf_is_judged_by_its_distribution(tmp_path: Path) -> None:
    """Q8_0; random models magnify what quantization does, and rate all tokens alike."""
    path = write_gguf("dense31", tmp_path / "tiny.gguf", "Q8_0")
    model, against = mine(path), mine(checkpoint_directory("dense31"))
    assert default_tolerance(model, against) is QUANTIZED
    assert not compare(model, against, wanted=TEXT).passed
    relaxed = with_limits(QUANTIZED, top1=0.5)
    report = compare(model, against, wanted=TEXT, tolerance=relaxed)
    assert report.passed
    assert 1e-4 < report.probes[0].divergence.kl_mean < 0.1


@pytest.mark.parametrize("kind", ["unified", "gemma3_text"])
def test_transformers_gets_the_weights_of_a_gguf_as_plain_numbers(
    kind: str, tmp_path: Path
) -> None:
    path = write_gguf(kind, tmp_path / "tiny.gguf", "Q4_0")
    report = compare(mine(path), theirs(path), wanted=TEXT)
    assert report.passed
    assert report.tolerance is SAME_NUMBERS
    assert any("as this program read them" in note for note in report.notes)


def test_a_gguf_that_lacks_a_setting_is_found_and_the_setting_named(tmp_path: Path) -> None:
    """No GGUF key holds Gemma 3's own attention scale: the file's model is another one."""
    path = write_gguf("gemma3_text", tmp_path / "tiny.gguf")
    report = compare(mine(path), mine(checkpoint_directory("gemma3_text")), wanted=TEXT)
    assert not report.passed
    assert any("text.attention_scale: 0.25 and 0.2236" in note for note in report.notes)


def test_half_precision_has_its_own_limits(tmp_path: Path) -> None:
    copy = save_tiny("gemma3_text", tmp_path, dtype=torch.bfloat16)
    original = checkpoint_directory("gemma3_text")
    assert default_tolerance(mine(copy), mine(original)) is HALF_PRECISION
    assert default_tolerance(mine(original, "bfloat16"), mine(original)) is HALF_PRECISION
    report = compare(mine(copy), mine(original))
    assert report.passed
    assert report.probes[0].divergence.relative > 1e-3  # rounding to 8 bits of mantissa shows
    arithmetic = compare(mine(original, "bfloat16"), theirs(original, "bfloat16"))
    assert arithmetic.passed


def test_other_models_are_told_apart_by_what_is_missing() -> None:
    """The same vocabulary, but ten layers against six."""
    model, against = mine(checkpoint_directory("e_series")), mine(checkpoint_directory("moe"))
    report = compare(model, against, wanted=TEXT)
    lines = {line.name: line for line in report.probes[0].layers}
    assert lines["layer 9 (full)"].verdict == "MISSING"
    assert any("4 places" in text or "places cannot" in text for text in report.probes[0].problems)
    assert any("text.num_kv_heads: 1 and 2" in note for note in report.notes)
    assert "audio not compared: gemma4" in " ".join(report.notes)


def test_other_vocabularies_cannot_be_compared() -> None:
    model = mine(checkpoint_directory("moe"))
    text = replace(model.config.text, vocab_size=600)
    config = replace(model.config, text=text)
    other = replace(model, checkpoint=replace(model.checkpoint, config=config))
    with pytest.raises(
        InputError, match=r"a vocabulary of 512 and .* of 600; give two checkpoints"
    ):
        compare(model, other)


class Words:
    """A tokenizer of code points, some read differently."""

    def __init__(self, shift: int) -> None:
        self.shift = shift

    def encode(self, text: str) -> list[int]:
        return [
            3 + (ord(letter) + (index > 9) * self.shift) % 400 for index, letter in enumerate(text)
        ]


@pytest.mark.parametrize("shift", [0, 1])
def test_tokenizers_that_differ_are_a_fault(shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mine(checkpoint_directory("gemma3_text"))
    first, second = (
        replace(model, checkpoint=replace(model.checkpoint, tokenizer=Path(name)))
        for name in ("a.json", "b.json")
    )

    def read(checkpoint, _vocab_size):
        return Words(shift if checkpoint.tokenizer == Path("a.json") else 0), ()

    monkeypatch.setattr(verify, "read_tokenizer", read)
    report = compare(first, second, wanted=TEXT)
    assert report.passed is (shift == 0)
    if shift:
        with pytest.raises(
            VerificationError, match="read the passage differently from token 10 on"
        ):
            report.check()


def test_without_transformers_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    message = r"transformers cannot be imported.*run `pip install transformers==5\.23\.0`"
    with pytest.raises(EnvironmentFault, match=message):
        theirs(checkpoint_directory("moe"))
    report = compare(*(mine(checkpoint_directory("gemma3_text")),) * 2, wanted=TEXT)
    assert report.passed  # two files need no transformers


def test_weights_that_transformers_would_make_up_are_refused(tmp_path: Path) -> None:
    path = faulty_copy("gemma3_text", tmp_path / "bad", {"model.norm.weight": lambda _: None})
    config = mine(checkpoint_directory("gemma3_text")).config
    with pytest.raises(CheckpointError, match=r"no values for 1 tensors.*model\.norm\.weight"):
        ReferenceSide(path, config, device=torch.device("cpu"), dtype=torch.float32)


def test_a_drafter_and_too_little_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"is a drafter .* verify that model"):
        mine(checkpoint_directory("drafter_dense"))

    class Memory:
        available = 1000

    monkeypatch.setattr(subject.psutil, "virtual_memory", Memory)
    path = checkpoint_directory("moe")
    with pytest.raises(EnvironmentFault, match=r"GiB are free; give --dtype bfloat16"):
        compare(mine(path), theirs(path), wanted=TEXT)
    assert compare(mine(path), mine(path), wanted=TEXT).passed  # float32 stays in the file


def test_the_users_picture_is_compared(tmp_path: Path) -> None:
    from PIL import Image

    Image.effect_noise((90, 60), 80).convert("RGB").save(tmp_path / "noise.png")
    path = checkpoint_directory("unified")
    wanted = ProbeInput(images=(tmp_path / "noise.png",), only=("image",))
    report = compare(mine(path), theirs(path), wanted=wanted)
    assert report.passed
    with pytest.raises(MediaError):
        compare(mine(path), theirs(path), wanted=ProbeInput(images=(tmp_path / "absent.png",)))


def test_the_report_is_json(tmp_path: Path) -> None:
    import json

    bad = faulty_copy(
        "gemma3_text", tmp_path / "bad", {"layers.3.mlp.up_proj.weight": lambda v: v * 1e20}
    )
    report = compare(mine(bad), mine(checkpoint_directory("gemma3_text")), wanted=TEXT)
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["passed"] is False
    assert found["probes"][0]["first_differing_layer"].startswith("layer 3 ")
    assert found["probes"][0]["passed"] is False
    assert found["probes"][0]["divergence"]["rows"] == 52
    assert found["tolerance"]["relative"] == 5e-4
