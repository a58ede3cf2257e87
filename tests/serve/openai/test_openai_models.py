"""The list of models."""

import openai
import pytest
from openai.types import Model
from raw_http import RawHttp


def test_the_list_has_what_clients_look_for(client: openai.OpenAI, http: RawHttp) -> None:
    assert [model.id for model in client.models.list()] == ["scripted", "org/other"]
    for path in ("/v1/models", "/models", "/v1/models?limit=5"):
        found = http.get(path)
        assert found["object"] == "list"
    for model in found["data"]:
        Model.model_validate(model, strict=True)
        assert model["context_length"] == model["max_model_len"] == 8192
        assert model["meta"]["n_vocab"] == 262_144
        assert model["meta"]["n_ctx_train"] == 8192
        assert set(model["capabilities"]) == {
            "completion", "vision", "audio", "video", "tools", "thinking"
        }  # fmt: skip


def test_a_name_may_have_slashes(client: openai.OpenAI) -> None:
    assert client.models.retrieve("org/other").id == "org/other"
    found = client.chat.completions.create(
        model="org/other", messages=[{"role": "user", "content": "hi"}]
    )
    assert found.model == "org/other"


def test_an_unknown_one_is_404_with_the_names_there_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="scripted, org/other") as caught:
        client.models.retrieve("nobody/nothing")
    assert caught.value.code == "model_not_found"
