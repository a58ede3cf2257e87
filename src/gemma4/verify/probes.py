"""The probes of a comparison: for each modality the user's own input, or a generated one."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from ..config import ModelConfig
from ..errors import InputError
from ..media.audio import prepare_audio
from ..media.image import prepare_image
from ..media.source import Source
from ..media.types import Medium
from ..media.video import prepare_video
from ..text.tokens.tokenizer import Tokenizer
from .generated_media import BUDGET, hears_raw, make_audio, make_image, make_video, merges
from .probe import Probe, compose

PASSAGE = """The lighthouse keeper counted 1,024 gulls before breakfast; none of them paid rent.
Der Zug nach München fährt um 17:45 Uhr ab — « pas de panique », dit-elle, ¡qué alivio!
今日は朝から雨が降っています。明天会是晴天吗? Завтра будет теплее. مرحبا بالعالم नमस्ते 🙂

def fibonacci(n: int) -> list[int]:
    numbers = [0, 1]
    while len(numbers) < n:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:n]
"""
"""What models read: several scripts, numbers, an emoji and code."""

QUESTION = "Describe what you see and hear, in one short sentence."
_VIDEO_FRAMES = 4
_RANDOM_LENGTH = 64
_RANDOM_QUESTION = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeInput:
    """What the user wants compared in place of generated input.

    Attributes:
        prompt: text in place of the passage, and behind each medium.
        only: modalities to compare; empty: all that both sides have.
        quick: leave out the text that is longer than the sliding window.
    """

    prompt: str | None = None
    images: tuple[Source, ...] = ()
    audio: Source | None = None
    video: Source | None = None
    only: tuple[str, ...] = ()
    quick: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """Text of the probes as ids, without `<bos>`."""

    passage: tuple[int, ...]
    question: tuple[int, ...]


def build_probes(
    configs: tuple[ModelConfig, ModelConfig],
    modalities: Sequence[str],
    tokenizer: Tokenizer | None,
    wanted: ProbeInput,
) -> list[Probe]:
    """Make the probes.

    Args:
        configs: of both sides; media are prepared as the first wants them.
        modalities: that both sides have.
        tokenizer: None where there is none that fits: then ids are random, but always the same.

    Raises:
        InputError: input for a modality that a side lacks, or a prompt without a tokenizer.
        MediaError: the user's media cannot be read.
    """
    _check(wanted, modalities, tokenizer)
    config = configs[0]
    words = choose_words(configs, tokenizer, wanted.prompt)
    chosen = [name for name in modalities if not wanted.only or name in wanted.only]
    probes: list[Probe] = []
    if "text" in chosen:
        probes += _text_probes(config, words, quick=wanted.quick)
    media = _media(config, chosen, wanted)
    probes += [_media_probe(config, words, name, parts) for name, parts in media.items()]
    return probes


def choose_words(
    configs: Sequence[ModelConfig], tokenizer: Tokenizer | None, prompt: str | None
) -> Words:
    """The user's prompt, or ours; random ids of no medium where there is no tokenizer."""
    if tokenizer is not None:
        passage, question = (PASSAGE, QUESTION) if prompt is None else (prompt, prompt)
        return Words(
            passage=tuple(tokenizer.encode(passage)), question=tuple(tokenizer.encode(question))
        )
    media = {id for config in configs for id in astuple(config.media_tokens)}
    plain = [id for id in range(3, configs[0].text.vocab_size) if id not in media]
    random = np.random.default_rng(7)
    drawn = tuple(random.choice(plain, _RANDOM_LENGTH + _RANDOM_QUESTION).tolist())
    return Words(passage=drawn[:_RANDOM_LENGTH], question=drawn[_RANDOM_LENGTH:])


def _text_probes(config: ModelConfig, words: Words, *, quick: bool) -> list[Probe]:
    passage = (config.bos_id, *words.passage)
    probes = [Probe(name="text", ids=passage)]
    long = config.text.sliding_window + _RANDOM_LENGTH
    if not quick and words.passage and len(passage) < long <= config.text.max_positions:
        repeated = words.passage * (long // len(words.passage) + 1)
        ids = (config.bos_id, *repeated)[:long]
        probes.append(Probe(name="text past the window", ids=ids))
    return probes


def _media(
    config: ModelConfig, chosen: Sequence[str], wanted: ProbeInput
) -> dict[str, tuple[Medium, ...]]:
    """Name of each probe with media → its media."""
    media: dict[str, tuple[Medium, ...]] = {}
    if "image" in chosen:
        images = tuple(
            prepare_image(source, budget=BUDGET, merged=merges(config)) for source in wanted.images
        )
        images = images or (make_image(config, 0), make_image(config, 1))
        media["image"] = images[:1]
        media["several images"] = images if len(images) > 1 else (*images, make_image(config, 1))
    if "video" in chosen:
        media["video"] = (_video(config, wanted.video),)
    if "audio" in chosen:
        media["audio"] = (_audio(config, wanted.audio),)
        if "image" in chosen:
            media["image and audio"] = (*media["image"], *media["audio"])
    return media


def _video(config: ModelConfig, source: Source | None) -> Medium:
    if source is None:
        return make_video(config)
    return prepare_video(source, num_frames=_VIDEO_FRAMES, budget=BUDGET, merged=merges(config))


def _audio(config: ModelConfig, source: Source | None) -> Medium:
    return make_audio(config) if source is None else prepare_audio(source, raw=hears_raw(config))


def _media_probe(config: ModelConfig, words: Words, name: str, media: tuple[Medium, ...]) -> Probe:
    """The media, one behind the other as people send them, and the question."""
    ids = compose(config.bos_id, (*media, words.question), config.media_tokens)
    return Probe(name=name, ids=tuple(ids), media=media)


def _check(wanted: ProbeInput, modalities: Sequence[str], tokenizer: Tokenizer | None) -> None:
    given = {"image"} if wanted.images else set()
    given |= {"audio"} if wanted.audio is not None else set()
    given |= {"video"} if wanted.video is not None else set()
    if wanted.only and (idle := sorted(given - set(wanted.only))):
        raise InputError(
            f"{', '.join(idle)} was given, but only {', '.join(wanted.only)} is to be compared; "
            "leave one of the two out"
        )
    if missing := sorted((given | set(wanted.only)) - set(modalities)):
        raise InputError(
            f"{', '.join(missing)} cannot be compared: both sides take {', '.join(modalities)} only; "
            "leave it out, or put the model's projector beside the .gguf"
        )
    if wanted.prompt is not None and tokenizer is None:
        raise InputError(
            "a prompt was given and the checkpoint has no tokenizer to read it with; leave it out, "
            "or put tokenizer.json beside the weights"
        )
    if wanted.prompt == "":
        raise InputError("the prompt is empty; give at least one character, or leave it out")
