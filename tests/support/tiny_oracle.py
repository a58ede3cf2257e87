"""What transformers makes of a prompt: logits, hidden states, soft tokens, drafts.

All in float32, one request at a time.
"""

from collections.abc import Sequence

import numpy as np
import torch
from tiny_media import Prompt
from tiny_models import DRAFTERS, build, reload

from gemma4.media.types import AudioInput, ImageInput, Medium, VideoInput


def oracle_logits(kind: str, prompt: Prompt, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Logits [T, V] of every row, from the model loaded in `dtype`."""
    return _run(kind, prompt, dtype=dtype).logits[0]


def oracle_hidden_states(kind: str, prompt: Prompt) -> list[torch.Tensor]:
    """[T, D] of the embedding and after each layer; the last one after the final norm."""
    return [state[0] for state in _run(kind, prompt, output_hidden_states=True).hidden_states]


def oracle_soft_tokens(kind: str, medium: Medium) -> torch.Tensor:
    """Soft tokens [n, D] of one medium, as they enter the decoder."""
    model = build(kind).model
    with torch.no_grad():
        match medium:
            case ImageInput():
                found = model.get_image_features(*stack_images([medium]), return_dict=True)
                return torch.cat(found.pooler_output)
            case VideoInput():
                found = model.get_image_features(*stack_images(medium.frames), return_dict=True)
                return torch.cat(found.pooler_output)
            case AudioInput():
                found = model.get_audio_features(*stack_audio([medium]), return_dict=True)
                return found.pooler_output[found.attention_mask]


def oracle_drafts(kind: str, prompt: Prompt, steps: int) -> tuple[list[int], torch.Tensor]:
    """Greedy drafts after a prompt and the target's first token: ids and logits [steps, V].

    The drafter starts from the target's argmax and last hidden state; its position stays the last.
    """
    target, drafter = build(DRAFTERS[kind]), build(kind)
    with torch.no_grad():
        seen = _run(DRAFTERS[kind], prompt, output_hidden_states=True, return_shared_kv_states=True)
        token, hidden = seen.logits[:, -1:].argmax(-1), seen.hidden_states[-1][:, -1:]
        position = torch.tensor([[prompt.ids.numel() - 1]])
        drafted, rows = [], []
        for _ in range(steps):
            step = drafter(
                inputs_embeds=torch.cat([target.get_input_embeddings()(token), hidden], -1),
                position_ids=position,
                shared_kv_states=dict(seen.shared_kv_states),
            )
            token, hidden = step.logits.argmax(-1), step.last_hidden_state
            drafted.append(int(token))
            rows.append(step.logits[0, 0])
    return drafted, torch.stack(rows)


def stack_images(images: Sequence[ImageInput]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad beyond the largest: values [I, P, …] with 0, positions [I, P, 2] with −1."""
    length = max(image.patches.shape[0] for image in images) + 9
    values = np.zeros((len(images), length, images[0].patches.shape[1]), dtype=np.float32)
    positions = np.full((len(images), length, 2), -1, dtype=np.int64)
    for row, image in enumerate(images):
        values[row, : len(image.patches)] = image.patches
        positions[row, : len(image.positions)] = image.positions
    return torch.from_numpy(values), torch.from_numpy(positions)


def stack_audio(sounds: Sequence[AudioInput]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad to the longest: features [n, T, …] and mask [n, T]."""
    length = max(sound.features.shape[0] for sound in sounds)
    features = np.zeros((len(sounds), length, sounds[0].features.shape[1]), dtype=np.float32)
    mask = np.zeros((len(sounds), length), dtype=bool)
    for row, sound in enumerate(sounds):
        features[row, : len(sound.features)] = sound.features
        mask[row, : len(sound.mask)] = sound.mask
    return torch.from_numpy(features), torch.from_numpy(mask)


def _run(kind: str, prompt: Prompt, *, dtype: torch.dtype = torch.float32, **options: bool):
    model = build(kind) if dtype is torch.float32 else reload(kind, dtype)
    inputs = {"input_ids": prompt.ids[None], **_media_inputs(prompt.media), **options}
    if kind != "gemma3_text":
        inputs["mm_token_type_ids"] = prompt.types[None]
    if kind == "unified":
        # Its forward has an old mask of its own making; its `generate` passes this one.
        inputs["attention_mask"] = model.create_masks_for_generate(
            config=model.config,
            inputs_embeds=torch.zeros(1, prompt.ids.numel(), model.config.text_config.hidden_size),
            attention_mask=None,
            past_key_values=None,
            position_ids=None,
            mm_token_type_ids=prompt.types[None],
        )
    with torch.no_grad():
        return model(**inputs, use_cache=False)


def _media_inputs(media: Sequence[Medium]) -> dict[str, torch.Tensor]:
    images = [medium for medium in media if isinstance(medium, ImageInput)]
    videos = [medium for medium in media if isinstance(medium, VideoInput)]
    sounds = [medium for medium in media if isinstance(medium, AudioInput)]
    inputs = {}
    if images:
        inputs["pixel_values"], inputs["image_position_ids"] = stack_images(images)
    if videos:
        frames = [frame for video in videos for frame in video.frames]
        inputs["pixel_values_videos"], inputs["video_position_ids"] = stack_images(frames)
        inputs["num_frames_per_video"] = torch.tensor([len(video.frames) for video in videos])
    if sounds:
        inputs["input_features"], inputs["input_features_mask"] = stack_audio(sounds)
    return inputs
