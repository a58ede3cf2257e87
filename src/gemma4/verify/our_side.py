"""A checkpoint of any format in this project's model, brought in by the loader that users get."""

from typing import Any

import torch
from torch import Tensor

from ..config import ModelConfig
from ..engine.encode import place_media
from ..model.gemma4 import Gemma4, build_model
from ..model.kv import PassKV
from ..weights.checkpoint import Checkpoint
from ..weights.load import load_weights
from .probe import Probe
from .recorder import Recorder, watch_audio, watch_decoder, watch_vision
from .side import Observation


class OurSide:
    """Satisfies `Side`.

    Raises:
        CheckpointError: the weights do not fit the configuration.
    """

    def __init__(self, checkpoint: Checkpoint, *, device: torch.device, dtype: torch.dtype) -> None:
        assert isinstance(checkpoint.config, ModelConfig)
        self.model: Gemma4 = build_model(checkpoint.config)
        load_weights(self.model, checkpoint, device=device, dtype=dtype)

    @torch.inference_mode()
    def observe(self, probe: Probe, *, inside: bool) -> Observation:
        """See `Side.observe`. All rows pass all layers, as in training; the head sees those compared."""
        decoder = self.model.decoder
        with Recorder() as recorder:
            if inside:
                self._listen(recorder, probe)
            prompt = place_media(self.model, probe.ids, probe.media)
            every_row = torch.arange(len(probe.ids), device=self.model.device)
            kv = PassKV(decoder.specs)
            hidden = decoder(prompt.batch(0, len(probe.ids), kv=kv, logit_rows=every_row))
            states = recorder.states()
        rows = torch.tensor(probe.rows, device=self.model.device)
        return Observation(logits=decoder.logits(hidden[rows]).cpu(), states=states)

    def _listen(self, recorder: Recorder, probe: Probe) -> None:
        body: Any = self.model.model
        if hasattr(body, "vision_tower"):
            watch_vision(recorder, body.vision_tower, lambda _, output: output)
        if hasattr(body, "audio_tower"):
            watch_audio(recorder, body.audio_tower, _subsampled, _heard)
        watch_decoder(
            recorder,
            self.model.decoder,
            self.model.config.text.layer_kinds,
            rows=probe.rows,
            soft_rows=soft_rows(probe, self.model.config),
        )


def soft_rows(probe: Probe, config: ModelConfig) -> tuple[int, ...]:
    """Rows of a probe that soft tokens fill."""
    tokens = config.media_tokens
    placeholders = {tokens.image, tokens.video, tokens.audio}
    filled = bool(probe.media)
    return tuple(row for row, id in enumerate(probe.ids) if filled and id in placeholders)


def _subsampled(_arguments: tuple[Any, ...], output: Any) -> Tensor:
    """Real frames of what the subsampling gives: frames [T, D] and their mask."""
    frames, mask = output
    return frames[mask]


def _heard(arguments: tuple[Any, ...], output: Any) -> Tensor:
    """Real frames of what an audio layer gives; it is called with frames, distances and mask."""
    return output[arguments[2]]
