"""Tensors of the audio tower and its projector (specification §4)."""

from collections.abc import Iterator

from ..config import AudioConfig
from .entry import Layout, Role, TensorEntry, TensorKind
from .tower import projector, tower_linear, tower_tensor


def audio_entries(audio: AudioConfig, text_width: int) -> Iterator[TensorEntry]:
    """Every tensor; `text_width` is the decoder's hidden size."""
    tower = "model.audio_tower."
    yield from _subsampling_entries(audio, f"{tower}subsample_conv_projection.")
    for index in range(audio.num_layers):
        yield from _layer_entries(audio, f"{tower}layers.{index}.", f"a.blk.{index}.")
    yield tower_tensor(
        f"{tower}output_proj.weight",
        (audio.output_size, audio.hidden_size),
        "a.pre_encode.out.weight",
        TensorKind.LINEAR,
        Role.AUDIO,
    )
    yield tower_tensor(
        f"{tower}output_proj.bias",
        (audio.output_size,),
        "a.pre_encode.out.bias",
        TensorKind.BIAS,
        Role.AUDIO,
    )
    yield projector(
        "model.embed_audio.embedding_projection.weight",
        (text_width, audio.output_size),
        "mm.a.input_projection.weight",
    )


def _subsampling_entries(audio: AudioConfig, path: str) -> Iterator[TensorEntry]:
    """Two convolutions of stride 2 over time and mel bands, and the projection of the result."""
    channels = (1, *audio.subsampling_channels)
    bands = audio.num_mels
    for index in range(2):
        bands = (bands - 1) // 2 + 1
        yield tower_tensor(
            f"{path}layer{index}.conv.weight",
            (channels[index + 1], channels[index], 3, 3),
            f"a.conv1d.{index}.weight",
            TensorKind.CONVOLUTION,
            Role.AUDIO,
        )
        yield tower_tensor(
            f"{path}layer{index}.norm.weight",
            (channels[index + 1],),
            f"a.conv1d.{index}.norm.weight",
            TensorKind.NORM,
            Role.AUDIO,
        )
    yield tower_tensor(
        f"{path}input_proj_linear.weight",
        (audio.hidden_size, bands * channels[-1]),
        "a.input_projection.weight",
        TensorKind.LINEAR,
        Role.AUDIO,
    )


def _layer_entries(audio: AudioConfig, path: str, block: str) -> Iterator[TensorEntry]:
    """One conformer layer. llama.cpp's `conv_norm` and `norm_conv` name each other's tensor."""
    width = audio.hidden_size
    for name, gguf_name, shape in (
        ("feed_forward1.ffw_layer_1", "ffn_up", (4 * width, width)),
        ("feed_forward1.ffw_layer_2", "ffn_down", (width, 4 * width)),
        ("feed_forward2.ffw_layer_1", "ffn_up_1", (4 * width, width)),
        ("feed_forward2.ffw_layer_2", "ffn_down_1", (width, 4 * width)),
        ("self_attn.q_proj", "attn_q", (width, width)),
        ("self_attn.k_proj", "attn_k", (width, width)),
        ("self_attn.v_proj", "attn_v", (width, width)),
        ("self_attn.post", "attn_out", (width, width)),
        ("lconv1d.linear_start", "conv_pw1", (2 * width, width)),
        ("lconv1d.linear_end", "conv_pw2", (width, width)),
    ):
        yield from tower_linear(
            f"{path}{name}", shape, f"{block}{gguf_name}", Role.AUDIO, clips=audio.clips_linears
        )
    for name, gguf_name in (
        ("feed_forward1.pre_layer_norm", "ffn_norm"),
        ("feed_forward1.post_layer_norm", "ffn_post_norm"),
        ("feed_forward2.pre_layer_norm", "ffn_norm_1"),
        ("feed_forward2.post_layer_norm", "ffn_post_norm_1"),
        ("lconv1d.pre_layer_norm", "conv_norm"),
        ("lconv1d.conv_norm", "norm_conv"),
        ("norm_pre_attn", "attn_pre_norm"),
        ("norm_post_attn", "attn_post_norm"),
        ("norm_out", "ln2"),
    ):
        yield tower_tensor(
            f"{path}{name}.weight",
            (width,),
            f"{block}{gguf_name}.weight",
            TensorKind.NORM,
            Role.AUDIO,
        )
    yield from _plain_layer_entries(audio, path, block)


def _plain_layer_entries(audio: AudioConfig, path: str, block: str) -> Iterator[TensorEntry]:
    """What of a layer neither clips nor normalizes."""
    width = audio.hidden_size
    yield tower_tensor(
        f"{path}self_attn.relative_k_proj.weight",
        (width, width),
        f"{block}attn_k_rel.weight",
        TensorKind.LINEAR,
        Role.AUDIO,
    )
    yield tower_tensor(
        f"{path}self_attn.per_dim_scale",
        (width // audio.num_heads,),
        f"{block}per_dim_scale.weight",
        TensorKind.SCALE,
        Role.AUDIO,
        layout=Layout.SOFTPLUS,
    )
    yield tower_tensor(
        f"{path}lconv1d.depthwise_conv1d.weight",
        (width, 1, audio.conv_kernel_size),
        f"{block}conv_dw.weight",
        TensorKind.CONVOLUTION,
        Role.AUDIO,
        layout=Layout.DEPTHWISE,
    )
