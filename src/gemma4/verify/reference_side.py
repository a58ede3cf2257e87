"""The same checkpoint in transformers, the reference implementation, which is imported only here.

Loading is strict: transformers would fill what is missing with random numbers and only log it.

One bug of transformers 5.23.0 matters here: `Gemma4UnifiedForConditionalGeneration.forward` (12B) makes
an image mask by an old rule, so it is given the one that `generate` makes. Two others (a model whose
layers all borrow keys, and shared keys handed to a drafter) are never met: drafters are not compared.
"""

import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..config import ModelConfig
from ..config.huggingface.reader import load_json_object
from ..errors import CheckpointError, EnvironmentFault
from ..media.types import AudioInput, ImageInput, VideoInput
from .our_side import soft_rows
from .probe import Probe
from .recorder import Recorder, watch_audio, watch_decoder, watch_vision
from .side import Observation

VERSION = "5.23.0"
"""The version that the comparison was made with."""

_CLASSES = {
    "gemma4": "Gemma4ForConditionalGeneration",
    "gemma4_text": "Gemma4ForCausalLM",
    "gemma4_unified": "Gemma4UnifiedForConditionalGeneration",
    "gemma4_unified_text": "Gemma4UnifiedForCausalLM",
    "gemma3_text": "Gemma3ForCausalLM",
}
_TEXT, _IMAGE, _VIDEO, _AUDIO = range(4)  # `mm_token_type_ids`


def import_transformers() -> Any:
    """The library.

    Raises:
        EnvironmentFault: it is not installed, or does not import.
    """
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise EnvironmentFault(
            f"transformers cannot be imported ({error}); run `pip install transformers=={VERSION}`"
        ) from error


class ReferenceSide:
    """Satisfies `Side`.

    Args:
        directory: a plain Hugging Face checkpoint.
        config: ours, read from it.

    Raises:
        EnvironmentFault: transformers is missing or does not know the architecture.
        CheckpointError: transformers did not find all weights.
    """

    def __init__(
        self, directory: Path, config: ModelConfig, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.config = config
        self.model = _load(directory, dtype).to(device)

    @torch.inference_mode()
    def observe(self, probe: Probe, *, inside: bool) -> Observation:
        """See `Side.observe`."""
        inputs = {
            name: tensor.to(self.model.device) for name, tensor in self._inputs(probe).items()
        }
        with Recorder() as recorder:
            if inside:
                self._listen(recorder, probe, inputs)
            logits = self.model(**inputs, **self._mask(inputs), use_cache=False).logits[0]
            states = recorder.states()
        rows = torch.tensor(probe.rows, device=logits.device)
        return Observation(logits=logits[rows].float().cpu(), states=states)

    def _inputs(self, probe: Probe) -> dict[str, Tensor]:
        ids = torch.tensor(probe.ids)[None]  # [1, T]
        inputs = {"input_ids": ids}
        if len(self.config.modalities) > 1:
            tokens = self.config.media_tokens
            types = torch.full_like(ids, _TEXT)
            for token, kind in (
                (tokens.image, _IMAGE),
                (tokens.video, _VIDEO),
                (tokens.audio, _AUDIO),
            ):
                types[ids == token] = kind
            inputs["mm_token_type_ids"] = types
        images = [medium for medium in probe.media if isinstance(medium, ImageInput)]
        videos = [medium for medium in probe.media if isinstance(medium, VideoInput)]
        sounds = [medium for medium in probe.media if isinstance(medium, AudioInput)]
        if images:
            inputs["pixel_values"], inputs["image_position_ids"] = stack_images(images)
        if videos:
            frames = [frame for video in videos for frame in video.frames]
            inputs["pixel_values_videos"], inputs["video_position_ids"] = stack_images(frames)
            inputs["num_frames_per_video"] = torch.tensor([len(video.frames) for video in videos])
        if sounds:
            inputs["input_features"], inputs["input_features_mask"] = stack_audio(sounds)
        return inputs

    def _mask(self, inputs: dict[str, Tensor]) -> dict[str, Any]:
        """For the 12B, the mask that `generate` uses; nothing for others."""
        if self.config.family != "gemma4_unified" or "mm_token_type_ids" not in inputs:
            return {}
        width = self.config.text.hidden_size
        shape = (*inputs["input_ids"].shape, width)
        mask = self.model.create_masks_for_generate(
            config=self.model.config,
            inputs_embeds=torch.zeros(shape, device=self.model.device, dtype=self.model.dtype),
            attention_mask=None,
            past_key_values=None,
            position_ids=None,
            mm_token_type_ids=inputs["mm_token_type_ids"],
        )
        return {"attention_mask": mask}

    def _listen(self, recorder: Recorder, probe: Probe, inputs: dict[str, Tensor]) -> None:
        body = self.model.model
        if getattr(body, "vision_tower", None) is not None:
            watch_vision(recorder, body.vision_tower, _unpadded(inputs))
        if getattr(body, "audio_tower", None) is not None and "input_features_mask" in inputs:
            mask = inputs["input_features_mask"][:, ::2][:, ::2]  # subsampled twice
            watch_audio(
                recorder,
                body.audio_tower,
                lambda _, output: output[0][output[1]],
                lambda _, output: output[mask],
            )
        watch_decoder(
            recorder,
            getattr(body, "language_model", body),
            self.config.text.layer_kinds,
            rows=probe.rows,
            soft_rows=soft_rows(probe, self.config),
        )


def _unpadded(inputs: dict[str, Tensor]) -> Any:
    """Keeps the real patches of [I, P, D]; pictures and frames pass the tower in separate calls."""
    positions = [
        inputs[name] for name in ("image_position_ids", "video_position_ids") if name in inputs
    ]
    masks = [(found >= 0).all(-1) for found in positions]  # [I, P] each

    def select(_arguments: tuple[Any, ...], output: Any) -> Tensor:
        values: Tensor = output[0] if isinstance(output, tuple) else output
        mask = next(mask for mask in masks if mask.shape == values.shape[:2])
        return values[mask]

    return select


def stack_images(images: Sequence[ImageInput]) -> tuple[Tensor, Tensor]:
    """Pad to the largest: values [I, P, …] with 0, positions [I, P, 2] with −1."""
    length = max(len(image.patches) for image in images)
    values = np.zeros((len(images), length, images[0].patches.shape[1]), dtype=np.float32)
    positions = np.full((len(images), length, 2), -1, dtype=np.int64)
    for row, image in enumerate(images):
        values[row, : len(image.patches)] = image.patches
        positions[row, : len(image.positions)] = image.positions
    return torch.from_numpy(values), torch.from_numpy(positions)


def stack_audio(sounds: Sequence[AudioInput]) -> tuple[Tensor, Tensor]:
    """Pad to the longest: features [n, T, …] and mask [n, T]."""
    length = max(len(sound.features) for sound in sounds)
    features = np.zeros((len(sounds), length, sounds[0].features.shape[1]), dtype=np.float32)
    mask = np.zeros((len(sounds), length), dtype=np.bool_)
    for row, sound in enumerate(sounds):
        features[row, : len(sound.features)] = sound.features
        mask[row, : len(sound.mask)] = sound.mask
    return torch.from_numpy(features), torch.from_numpy(mask)


def _load(directory: Path, dtype: torch.dtype) -> Any:
    transformers = import_transformers()
    model_type = load_json_object(directory / "config.json").get("model_type")
    name = _CLASSES.get(str(model_type))
    model_class = None if name is None else getattr(transformers, name, None)
    if model_class is None:
        raise EnvironmentFault(
            f"transformers {transformers.__version__} has no model of type {model_type!r}; "
            f"run `pip install transformers=={VERSION}`"
        )
    with _quiet(transformers):
        model, facts = model_class.from_pretrained(
            directory,
            dtype=dtype,
            attn_implementation="eager",
            local_files_only=True,
            output_loading_info=True,
        )
    lost = sorted([*facts["missing_keys"], *map(str, facts["mismatched_keys"])])
    if lost:
        raise CheckpointError(
            f"transformers found no values for {len(lost)} tensors of {directory}, such as {lost[0]}; "
            "it would run with random ones, so nothing can be compared"
        )
    return model.eval()


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No bar and no log lines of a library that logs in place of raising; we check what it loaded."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.ERROR)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
