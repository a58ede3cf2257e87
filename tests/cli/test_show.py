"""`gemma4 show`: cards of models whose headers are real and whose weights are a few bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from run_cli import Run
from safetensors.numpy import save
from stored_models import store_model

DATA = Path(__file__).parents[1] / "data"
TEMPLATE = (DATA / "chat_templates" / "e2b-e4b.2026-07.jinja").read_bytes()
WEIGHTS = save({"model.language_model.norm.weight": np.zeros(1536, np.float16)})


def model_files(config: str) -> dict[str, bytes]:
    """A directory with a published configuration."""
    return {
        "LICENSE": b"Apache License\nVersion 2.0\n",
        "chat_template.jinja": TEMPLATE,
        "config.json": (DATA / "configs" / f"{config}.json").read_bytes(),
        "generation_config.json": b'{"do_sample": true, "temperature": 1.0, "top_k": 64}',
        "model.safetensors": WEIGHTS,
    }


def write_folder(folder: Path, config: str) -> Path:
    folder.mkdir()
    for name, content in model_files(config).items():
        (folder / name).write_bytes(content)
    return folder


def write_gguf(path: Path, extra: dict[str, str]) -> Path:
    """A GGUF with the metadata of Gemma 3 270M and one tensor."""
    writer = GGUFWriter(path, "gemma3")
    metadata = json.loads((DATA / "configs" / "gemma3-270m.gguf.json").read_bytes())
    for key, value in {**metadata, **extra}.items():
        match value:
            case bool():
                writer.add_bool(key, value)
            case int():
                writer.add_uint32(key, value)
            case float():
                writer.add_float32(key, value)
            case str() if key != "general.architecture":
                writer.add_string(key, value)
    writer.add_array("tokenizer.ggml.tokens", ["<pad>", "<eos>"])
    writer.add_tensor("output_norm.weight", np.zeros(640, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        ("e2b-it", (5_104_298_467, 2_279_759_139, 2_279_759_139)),
        ("e4b-it", (7_941_101_802, 4_644_441_130, 4_644_441_130)),
        ("26b-a4b-it", (25_805_936_206, 25_233_141_790, 3_822_530_590)),
        ("31b-it", (31_273_088_876, 30_697_345_340, 30_697_345_340)),
    ],
)
def test_parameters_are_total_effective_and_active(
    run: Run, tmp_path: Path, config: str, parameters: tuple[int, int, int]
) -> None:
    """The figures of the published models; exact."""
    outcome = run("show", str(write_folder(tmp_path / config, config)), "--json")
    assert outcome.code == 0, outcome.err
    counted = json.loads(outcome.out)["parameters"]
    assert (counted["total"], counted["effective"], counted["active"]) == parameters


def test_the_card_of_a_stored_model(run: Run, home: Path) -> None:
    store_model(home, "e2b", model_files("e2b-it"))
    card = json.loads(run("show", "E2B:it", "--json").out)
    assert card["architecture"] == "gemma4"
    assert card["format"] == "huggingface"
    assert card["quantization"] == "BF16"
    assert card["context_length"] == 131_072
    assert card["modalities"] == ["text", "image", "video", "audio"]
    assert card["capabilities"] == [
        "completion",
        "chat",
        "tools",
        "thinking",
        "image",
        "video",
        "audio",
    ]
    assert card["template"]["revision"].startswith("small.2026-07@")
    assert card["sampling"] == {"do_sample": True, "temperature": 1.0, "top_k": 64}
    assert card["licence"] == "apache-2.0"
    assert card["source"]["revision"] == "f" * 40
    assert {"path": "LICENSE", "size": 27} in card["files"]


def test_the_card_for_people(run: Run, home: Path) -> None:
    store_model(home, "e2b", model_files("e2b-it"))
    outcome = run("show", "e2b")
    assert (outcome.code, outcome.err) == (0, "")
    for line in (
        "parameters     5.10 B in all, 2.28 B effective, 476 M for pictures and sound",
        "context        131,072 tokens",
        "sampling       do_sample=True, temperature=1.0, top_k=64",
        "licence        apache-2.0",
        "  config.json",
    ):
        assert line in outcome.out


def test_the_template_is_printed_as_it_came(run: Run, home: Path) -> None:
    store_model(home, "e2b", model_files("e2b-it"))
    assert run("show", "e2b", "--template").out.encode().rstrip() == TEMPLATE.rstrip()
    assert json.loads(run("show", "e2b", "--template", "--json").out)["template"].encode() == (
        TEMPLATE
    )


def test_the_licence_is_printed_web_pages_as_text(run: Run, home: Path) -> None:
    store_model(home, "e2b", model_files("e2b-it"))
    assert run("show", "e2b", "--license").out == "Apache License\nVersion 2.0\n"
    page = (
        b"<html><head><title>x</title></head><nav>menu</nav><article><h1>Terms</h1>"
        b"<script>var x;</script><p>You may\n<b>use</b> it.</p></article><footer>foot</footer></html>"
    )
    files = {**model_files("e2b-it"), "GEMMA_TERMS.html": page}
    del files["LICENSE"]
    store_model(home, "e4b", files)
    assert run("show", "e4b", "--licence").out == "Terms\nYou may use it.\n"


def test_what_did_not_come_is_said(run: Run, home: Path) -> None:
    files = model_files("e2b-it")
    del files["LICENSE"], files["chat_template.jinja"], files["generation_config.json"]
    store_model(home, "e2b:base", files)
    assert run("show", "e2b:base", "--template").err.startswith(
        "error: e2b:base came without a chat template"
    )
    assert run("show", "e2b:base", "--license").code == 2
    card = json.loads(run("show", "e2b:base", "--json").out)
    assert card["template"] is None
    assert card["sampling"] is None
    assert "chat" not in card["capabilities"]


def test_a_gguf_file_shows_what_its_metadata_say(run: Run, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "x-Q4_0.gguf", {"tokenizer.chat_template": "{{ messages }}"})
    outcome = run("show", str(path), "--json")
    assert outcome.code == 0, outcome.err
    card = json.loads(outcome.out)
    assert (card["architecture"], card["format"]) == ("gemma3", "gguf")
    assert card["quantization"] == "Q4_0"
    assert card["context_length"] == 32_768
    assert card["licence"] == "gemma"
    assert card["capabilities"] == ["completion", "chat"]
    assert run("show", str(path), "--template").out == "{{ messages }}\n"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("e2b", "run `gemma4 pull e2b`"),
        ("./nowhere", "nowhere does not exist"),
        ("e9b", "known: e2b"),
    ],
)
def test_what_is_not_there_is_bad_input(run: Run, model: str, message: str) -> None:
    outcome = run("show", model)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_a_folder_that_is_no_model_is_bad_input(run: Run, tmp_path: Path) -> None:
    outcome = run("show", str(tmp_path))
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
