"""What a checkpoint recommends becomes the settings of a request."""

import pytest

from gemma4.config.generation import GenerationDefaults
from gemma4.engine.sampling import Sampling
from gemma4.llm.options import recommended


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        (GenerationDefaults(do_sample=False, top_k=5), Sampling(temperature=0.0)),
        (GenerationDefaults(do_sample=True), Sampling()),
        (
            GenerationDefaults(do_sample=True, temperature=0.5, max_new_tokens=9),
            Sampling(temperature=0.5, max_tokens=9),
        ),
        (GenerationDefaults(suppress_ids=(7,), do_sample=True), Sampling(suppress_ids=(7,))),
    ],
)
def test_what_is_recommended_is_taken(defaults: GenerationDefaults, expected: Sampling) -> None:
    assert recommended(defaults) == (expected, ())


def test_silence_on_sampling_is_not_the_whole_vocabulary() -> None:
    """Most GGUF files say nothing; at temperature 1 over 262,144 words a small model babbles."""
    sampling, notes = recommended(GenerationDefaults(suppress_ids=(7,)))
    assert sampling == Sampling(temperature=1.0, top_k=64, top_p=0.95, suppress_ids=(7,))
    assert "the checkpoint recommends no sampling" in notes[0]
