"""`gemma4 fit`."""

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from run_cli import Run
from safetensors.torch import save_file

import gemma4.cli.fit as fit_command
import gemma4.cli.fit_candidates as fit_candidates
from gemma4.config.huggingface.writer import write_config
from gemma4.config.model import ModelConfig
from gemma4.config.published import GEMMA3_270M
from gemma4.config.text import TextConfig
from gemma4.fit.machine import Gpu, Machine
from gemma4.kernels.native import Missing, Native
from gemma4.tensors.table import tensor_table

TINY_TEXT = TextConfig(
    **{
        field: getattr(GEMMA3_270M.text, field)
        for field in GEMMA3_270M.text.__dataclass_fields__
        if field not in ("vocab_size", "hidden_size", "intermediate_size", "layer_kinds")
    },
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    layer_kinds=GEMMA3_270M.text.layer_kinds[4:6],
)
TINY = ModelConfig(family="gemma3", text=TINY_TEXT, stored_dtype="bfloat16")


def write_checkpoint(folder: Path) -> int:
    """A tiny Gemma 3 in bfloat16; returns the bytes of its tensors."""
    folder.mkdir()
    tensors = {
        entry.name.replace("model.language_model.", "model."): torch.zeros(
            entry.shape, dtype=torch.bfloat16
        )
        for entry in tensor_table(TINY)
    }
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(write_config(TINY)))
    return sum(tensor.nbytes for tensor in tensors.values())


def test_without_a_model_every_size_stands_in_the_table(run: Run) -> None:
    outcome = run("fit")
    lines = outcome.out.splitlines()
    assert outcome.code == 0
    assert lines[0].split()[:5] == ["MODEL", "QUANT", "RUNS", "IN", "DOWNLOAD"]
    assert len(lines) == 1 + 6 * 3
    assert [line.split()[1] for line in lines[1:4]] == ["bf16", "q8_0", "q4_0"]
    assert "of memory free, of" in outcome.err
    assert "stay on disk" in outcome.err


def test_json_carries_the_published_figures(run: Run) -> None:
    outcome = run("fit", "e2b", "--ctx", "131072", "--kernels", "off", "--json")
    report = json.loads(outcome.out)
    assert outcome.err == ""
    assert round(report["kv_cache_bytes"] / 2**30, 2) == 0.76
    assert report["weights_bytes"] == 2 * (402_653_184 + 1_877_105_955)
    assert report["peak_bytes"] > report["weights_bytes"] + report["kv_cache_bytes"]
    assert isinstance(report["fits"], bool)
    assert (
        report["peak_bytes"] == report["mapped_bytes"] + report["private_bytes"]
    )  # 0.76 GiB of KV
    assert report["kernels"] == "torch"
    assert report["machine"]["available_bytes"] == report["available_bytes"]


def test_users_and_the_precision_of_keys_and_values_count(run: Run) -> None:
    one = json.loads(run("fit", "31b", "--json").out)
    many = json.loads(run("fit", "31b", "--users", "8", "--json").out)
    small = json.loads(run("fit", "31b", "--kv-dtype", "int8", "--json").out)
    assert many["kv_cache_bytes"] == 8 * one["kv_cache_bytes"]
    assert 0.5 < small["kv_cache_bytes"] / one["kv_cache_bytes"] < 0.51  # a byte, and the scales


def test_the_tag_and_the_option_choose_the_quantization(run: Run) -> None:
    off = ("--kernels", "off", "--json")
    assert json.loads(run("fit", "e2b:qat-q4_0", *off).out)["quantization"] == "q4_0"
    assert json.loads(run("fit", "e2b", "--quant", "fp32", *off).out)["run_dtype"] == "float32"


@pytest.mark.parametrize(
    ("gigabytes", "words", "dtype"),
    [
        (24, (), "float32"),  # 2.76 billion values take 11 GB
        (20, (), "bfloat16"),
        (20, ("--text-only",), "float32"),  # 2.28 billion values take 9.1 GB
        (24, ("--quant", "bf16"), "bfloat16"),
    ],
)
def test_quantized_weights_are_counted_in_the_dtype_that_free_memory_allows(
    run: Run, monkeypatch: pytest.MonkeyPatch, gigabytes: int, words: tuple[str, ...], dtype: str
) -> None:
    machine = Machine(total_bytes=32 * 10**9, available_bytes=gigabytes * 10**9)
    monkeypatch.setattr(fit_command, "read_machine", lambda: machine)
    words = (
        "fit",
        "e2b",
        "--kernels",
        "off",
        *(words if "--quant" in words else (*words, "--quant", "q4_0")),
    )
    report = json.loads(run(*words, "--json").out)
    assert report["run_dtype"] == dtype
    assert report["weights_bytes"] == (402_653_184 + 1_877_105_955) * (
        4 if dtype == "float32" else 2
    )
    assert run(*words).out.splitlines()[1].split()[2] == dtype


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Native:
    """As if they had been built."""
    native = Native(module=ModuleType("_native"), kernels="avx2", num_threads=4)
    monkeypatch.setattr(fit_candidates, "usable_kernels", lambda *_: native)
    return native


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(
    ("model", "quant", "gigabytes"),
    [
        ("12b", "q4_0", 7.0),
        ("26b-a4b", "q4_0", 14.4),
        ("31b", "q4_0", 17.7),
        ("12b", "q4_k_m", 7.4),
        ("26b-a4b", "q4_k_m", 15.8),
        ("31b", "q4_k_m", 18.8),
        ("12b", "q8_0", 12.7),
        ("e4b", "bf16", 9.3),
    ],
)
def test_native_kernels_fit_into_24_gigabytes_what_is_stored_in_less(
    run: Run, monkeypatch: pytest.MonkeyPatch, model: str, quant: str, gigabytes: float
) -> None:
    """Of 24 GB the system and other programs have taken one."""
    machine = Machine(total_bytes=24 * 10**9, available_bytes=23 * 10**9)
    monkeypatch.setattr(fit_command, "read_machine", lambda: machine)
    words = ("fit", model, "--quant", quant, "--text-only")
    report = json.loads(run(*words, "--json").out)
    assert (report["fits"], report["kernels"]) == (True, "avx2")
    assert report["weights_bytes"] / 10**9 == pytest.approx(gigabytes, abs=0.07)
    assert report["mapped_bytes"] / 10**9 == pytest.approx(gigabytes + 0.1, abs=0.07)
    assert report["private_bytes"] < 4 * 10**9
    outcome = run(*words)
    assert outcome.out.splitlines()[1].split()[2] == "native"
    assert "native kernels (avx2) read weights where they lie" in outcome.err


@pytest.mark.usefixtures("kernels")
def test_what_is_larger_than_the_memory_does_not_fit(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(total_bytes=24 * 10**9, available_bytes=23 * 10**9)
    monkeypatch.setattr(fit_command, "read_machine", lambda: machine)
    for words in (("31b", "--quant", "q8_0"), ("26b-a4b", "--quant", "q8_0"), ("12b",)):
        report = json.loads(run("fit", *words, "--text-only", "--json").out)
        assert (report["fits"], report["longest_context"]) == (False, 0)


@pytest.mark.usefixtures("kernels")
def test_a_gpu_keeps_matrices_packed_or_says_why_not(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """12B in Q4_0: matrices in tiles, embedding and towers in bfloat16; with `off` all in bfloat16."""
    gpu = Gpu(name="large", total_bytes=48 * 10**9, free_bytes=48 * 10**9)
    machine = Machine(total_bytes=32 * 10**9, available_bytes=24 * 10**9, gpus=(gpu,))
    monkeypatch.setattr(fit_command, "read_machine", lambda: machine)
    monkeypatch.setattr(fit_candidates, "find_spec", lambda _name: object())
    words = ("fit", "12b", "--quant", "q4_0")
    here, off, int8 = (
        json.loads(run(*words, *more, "--json").out)
        for more in ((), ("--kernels", "off"), ("--kv-dtype", "int8"))
    )
    assert here["peak_bytes"] < off["peak_bytes"] / 2
    (packed,), (expanded,), (narrow,) = here["gpus"], off["gpus"], int8["gpus"]
    assert packed["weights_bytes"] / 10**9 == pytest.approx(8.3, abs=0.2)
    assert packed["torch_because"] is None
    assert packed["peak_bytes"] < expanded["peak_bytes"] / 2
    assert expanded["torch_because"] == "kernels off was asked for"
    assert narrow["torch_because"] == (
        "GPU kernels keep keys and values in bfloat16, and kv_dtype is int8"
    )
    assert narrow["weights_bytes"] == expanded["weights_bytes"]
    assert "on a GPU Q4_0, Q8_0 and symmetric W4A16 matrices of the layers stay" in run(*words).err
    monkeypatch.setattr(fit_candidates, "find_spec", lambda _name: None)
    said = "on a GPU torch computes, which expands quantized weights: triton is not installed"
    assert said in run(*words).err


def test_without_kernels_the_reason_is_said_and_weights_are_expanded(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Missing("the native kernels were not built; install a C++ compiler")
    monkeypatch.setattr(fit_candidates, "usable_kernels", lambda *_: missing)
    machine = Machine(total_bytes=32 * 10**9, available_bytes=24 * 10**9)
    monkeypatch.setattr(fit_command, "read_machine", lambda: machine)
    words = ("fit", "31b", "--quant", "q4_0")
    report, off = (
        json.loads(run(*words, *more, "--json").out) for more in ((), ("--kernels", "off"))
    )
    assert report["kernels"] == "torch"
    assert report == off
    said = (
        "computing with torch, which expands quantized weights: the native kernels were not built"
    )
    assert said in run(*words).err
    assert "computing with torch" not in run(*words, "--kernels", "off").err


def test_text_only_leaves_the_towers_out(run: Run) -> None:
    assert json.loads(run("fit", "e2b", "--text-only", "--json").out)["media_bytes"] == 0


def test_a_checkpoint_on_disk_is_counted_by_its_files(run: Run, tmp_path: Path) -> None:
    nbytes = write_checkpoint(tmp_path / "model")
    report = json.loads(run("fit", str(tmp_path / "model"), "--json").out)
    assert report["file_bytes"] == nbytes
    assert report["weights_bytes"] == nbytes
    assert report["quantization"] == "bf16"
    assert report["mapped_bytes"] > nbytes  # the libraries' files on top
    wide = json.loads(run("fit", str(tmp_path / "model"), "--quant", "fp32", "--json").out)
    assert wide["weights_bytes"] == 2 * nbytes


def test_sizes_that_hold_less_than_asked_are_left_out_and_named(run: Run) -> None:
    outcome = run("fit", "--ctx", "200000")
    assert "e2b holds 131072 tokens, fewer than --ctx 200000" in outcome.err
    assert {line.split()[0] for line in outcome.out.splitlines()[1:]} == {"12b", "26b-a4b", "31b"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("nosuch",), "no model is called 'nosuch'"),
        (("e2b", "--quant", "q3"), "quantization 'q3' is unknown; known: fp32"),
        (("e2b", "--kv-dtype", "int3"), "KV precision 'int3' is unknown"),
        (("e2b", "--ctx", "0"), "a context of 0 tokens is not possible"),
        (("e2b", "--users", "0"), "0 users is not possible"),
        (("./nowhere",), "does not exist; check the path"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    run: Run, words: tuple[str, ...], expected: str
) -> None:
    outcome = run("fit", *words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert expected in outcome.err
    assert outcome.err.count("\n") == 1
