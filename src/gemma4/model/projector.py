"""From a medium's own width to the decoder's. Letters: D model width."""

from torch import Tensor, nn

from ..ops.norm import rms_norm


class Projector(nn.Module):
    """RMSNorm without weight, then a linear layer: every size's `embed_vision`, `embed_audio`."""

    def __init__(self, input_size: int, output_size: int, eps: float) -> None:
        super().__init__()
        self.embedding_projection = nn.Linear(input_size, output_size, bias=False)
        self.eps = eps

    def forward(self, soft_tokens: Tensor) -> Tensor:
        """Soft tokens [..., input size] of any float dtype → [..., D] in the weight's dtype.

        The norm sees them before the cast: what a tower leaves in float32 may not fit float16.
        """
        normed = rms_norm(soft_tokens, None, self.eps)
        return self.embedding_projection(normed.to(self.embedding_projection.weight.dtype))
