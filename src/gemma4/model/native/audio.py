"""The audio tower with its layers as one native program.

Letters: T tokens, M mel bins, D width, N heads, H head dim, C chunk, n valid tokens.
"""

import math
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import InputError
from ...kernels.native import Native
from ...ops.conformer_attention import relative_positions
from ..audio import AudioTower
from ..audio_layer import AudioFeedForward, AudioLayer
from .tower_program import Row, TowerProgram, multiply
from .workspace import Workspace

KEY_SCALE = math.log(1 + math.e) / math.log(2)


class NativeAudioTower(nn.Module):
    """`AudioTower.forward`; buffers live as long as a call. Rounds as `NativeVisionTower` does.

    Padding behind the sound is cut off after the subsampling: no later layer looks ahead.
    """

    def __init__(self, tower: AudioTower, native: Native) -> None:
        super().__init__()
        self.tower = tower
        self._native = native

    @cached_property  # not before a sound comes: it reads weights
    def _distances(self) -> list[Tensor]:
        return [self._project(layer) for layer in self.tower.layers]

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Log-mel frames [T, M], and True in mask [T] where one is real → float32 [n, output size].

        Raises:
            InputError: padding in front of real frames.
        """
        subsampling = self.tower.subsample_conv_projection
        flat, mask = subsampling.convolve(features, mask)
        count = int(mask.sum())
        if not bool(mask[:count].all()):
            raise InputError(
                f"{len(mask) - count} of {len(mask)} tokens of the sound are padding, and some of them stand "
                "in front of real ones; put all padding at the end"
            )
        if count == 0:
            return torch.empty(0, self.tower.config.output_size)
        space = Workspace(count)
        x = space.floats("x", self.tower.config.hidden_size)
        projection = subsampling.input_proj_linear
        x.copy_(multiply(self._native, projection, flat[:count]))
        program = TowerProgram(self._native, space)
        for layer, distances in zip(self.tower.layers, self._distances, strict=True):
            assert isinstance(layer, AudioLayer)
            self._add_layer(program, space, layer, distances, x)
        program.run(count)
        projection = self.tower.output_proj
        return multiply(self._native, projection, x) + projection.bias.float()

    def _add_layer(
        self,
        program: TowerProgram,
        space: Workspace,
        layer: AudioLayer,
        distances: Tensor,
        x: Tensor,
    ) -> None:
        self._feed_forward(program, space, layer.feed_forward1, x)
        self._attention(program, space, layer, distances, x)
        self._convolution(program, space, layer, x)
        self._feed_forward(program, space, layer.feed_forward2, x)
        program.store(Row(x=x, limit=layer.limit, norm=layer.norm_out), x)

    def _feed_forward(
        self, program: TowerProgram, space: Workspace, part: AudioFeedForward, x: Tensor
    ) -> None:
        hidden = space.staggered("hidden", 4 * x.shape[1])
        y = space.staggered("branch", x.shape[1])
        row = Row(x=x, limit=part.limit, norm=part.pre_layer_norm)
        program.linears(row, [(part.ffw_layer_1, hidden)])
        program.linears(Row(x=hidden, activates=True), [(part.ffw_layer_2, y)], limit=part.limit)
        program.add_normed(x, y, part.post_layer_norm, part.residual_weight)

    def _attention(
        self,
        program: TowerProgram,
        space: Workspace,
        layer: AudioLayer,
        distances: Tensor,
        x: Tensor,
    ) -> None:
        attention, width = layer.self_attn, x.shape[1]
        query, key, value = (space.staggered(name, width) for name in ("query", "key", "value"))
        out = space.floats("attended", width)
        projections = (attention.q_proj, query), (attention.k_proj, key), (attention.v_proj, value)
        program.linears(Row(x=x, limit=layer.limit, norm=layer.norm_pre_attn), projections)
        scales = F.softplus(attention.per_dim_scale.float())
        scales = scales * (attention.head_dim**-0.5 / math.log(2))
        program.steps.local_attention(
            num_heads=width // attention.head_dim,
            width=attention.head_dim,
            seen=attention.chunk,
            query=query.data_ptr(),
            key=key.data_ptr(),
            value=value.data_ptr(),
            ld=query.stride(0),
            scales=space.vector(scales),
            distances=distances.data_ptr(),
            key_scale=KEY_SCALE,
            cap=attention.logit_cap,
            out=out.data_ptr(),
        )
        y = space.staggered("branch", width)
        program.linears(Row(x=out), [(attention.post, y)], limit=layer.limit)
        program.add_normed(x, y, layer.norm_post_attn)

    def _project(self, layer: nn.Module) -> Tensor:
        """The projected sinusoids of the distances 0 … C − 1, [C, D]: the same for every sound."""
        assert isinstance(layer, AudioLayer)
        attention = layer.self_attn
        width, chunk = self.tower.config.hidden_size, attention.chunk
        sinusoids = relative_positions(width, chunk, torch.device("cpu")).flip(0)[:chunk]
        return multiply(self._native, attention.relative_k_proj, sinusoids)

    def _convolution(
        self, program: TowerProgram, space: Workspace, layer: AudioLayer, x: Tensor
    ) -> None:
        part, width = layer.lconv1d, x.shape[1]
        both, gated = space.staggered("both", 2 * width), space.floats("gated", width)
        program.linears(Row(x=x, norm=part.pre_layer_norm), [(part.linear_start, both)])
        gate = Row(x=both[:, :width], source="SIGMOID", other=both[:, width:])
        program.store(gate, gated)
        weight = space.keep(part.depthwise_conv1d.weight.float()[:, 0].mT.contiguous())  # [taps, D]
        mixed = Row(
            x=gated,
            source="CONVOLUTION",
            other=weight,
            limit=part.limit,
            norm=part.conv_norm,
            activates=True,
        )
        y = space.staggered("branch", width)
        program.linears(mixed, [(part.linear_end, y)])
        program.add(x, y)
