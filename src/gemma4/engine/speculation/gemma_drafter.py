"""Drafts by the drafter that was trained with the target. Letters: B requests, D target width."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...config import DrafterConfig, LayerKind, LayerSpec, ModelConfig
from ...errors import CheckpointError
from ...kernels.native import Native
from ...model.drafter import BorrowedKV, Drafter
from ...model.embedding import embed_tokens
from ...model.gemma4 import Gemma4
from ...model.native import NativeDrafter
from .source import Tip

Score = Callable[[Sequence[int]], Tensor]
"""Scores [B, V] of the tokens behind the last ones of the first B requests; no more than in the call before,
from which each goes on."""


class GemmaDrafter:
    """Guesses one token after the other for all requests together, from the target's keys and values.

    Those that want most come first, so that whoever has enough is left out of the passes that follow.
    """

    def __init__(
        self,
        drafter: Drafter,
        target: Gemma4,
        *,
        name: str = "drafter",
        native: Native | None = None,
    ) -> None:
        """Check that the two belong together.

        Args:
            name: what answers call it.
            native: kernels that run the drafter; None: the modules themselves.

        Raises:
            CheckpointError: the drafter was made for another model.
        """
        check_pair(drafter.config, target.config)
        self.name = name
        self._drafter, self._target, self._native = drafter, target, native
        self._layers = {kind: spec.index for kind, spec in _lenders(target.config).items()}
        self._program: NativeDrafter | None = None

    @torch.inference_mode()
    def propose(self, tips: Sequence[Tip], counts: Sequence[int]) -> list[tuple[int, ...]]:
        """See `DraftSource.propose`."""
        drafts: list[list[int]] = [[] for _ in tips]
        order = sorted(range(len(tips)), key=lambda i: -counts[i])
        asked = [i for i in order if counts[i]]
        if asked:
            self._draft(
                [tips[i] for i in asked], [counts[i] for i in asked], [drafts[i] for i in asked]
            )
        return [tuple(draft) for draft in drafts]

    def check(self) -> None:
        """What was built for kernels runs on them."""
        assert self._program is None or self._native is not None

    def _draft(
        self, tips: Sequence[Tip], counts: Sequence[int], drafts: Sequence[list[int]]
    ) -> None:
        """Fill the drafts, whose counts never rise from one to the next."""
        score = self._on_modules(tips) if self._native is None else self._on_kernels(tips)
        last = [int(tip.ids[-1]) for tip in tips]
        for ahead in range(counts[0]):
            rows = score(last[: sum(count > ahead for count in counts)]).cpu()
            last = [tip.guess(row, ahead) for tip, row in zip(tips, rows, strict=False)]
            for draft, token in zip(drafts, last, strict=False):
                draft.append(token)

    def _on_kernels(self, tips: Sequence[Tip]) -> Score:
        """A round of drafts on the pages where they lie."""
        assert self._native is not None
        storage = tips[0].kv.storage
        if self._program is None or self._program.storage is not storage:
            self._program = NativeDrafter(self._drafter, self._target, storage, self._native)
        tables = [tip.kv.tables[tip.place] for tip in tips]
        self._program.begin(torch.stack([tip.hidden for tip in tips]), tables, _lengths(tips))
        return self._program.step

    def _on_modules(self, tips: Sequence[Tip]) -> Score:
        """A round of drafts on a copy of the keys and values that are seen."""
        dtype = self._drafter.pre_projection.weight.dtype
        keys = [
            {kind: tip.kv.stored(layer, tip.place, dtype) for kind, layer in self._layers.items()}
            for tip in tips
        ]
        lengths = _lengths(tips)
        kv = BorrowedKV(keys, lengths)
        table = self._target.decoder.embed_tokens
        positions = torch.tensor(lengths, device=table.device) - 1
        hidden = torch.stack([tip.hidden for tip in tips]).to(dtype)  # [B, D]

        def score(ids: Sequence[int]) -> Tensor:
            nonlocal hidden, kv, positions
            count = len(ids)
            if count < len(positions):
                kv = BorrowedKV(keys[:count], lengths[:count])
                hidden, positions = hidden[:count], positions[:count]
            last = torch.tensor(ids, device=table.device)
            step = self._drafter(embed_tokens(last, table).to(dtype), hidden, positions, kv)
            hidden = step.hidden
            return step.logits

        return score


def _lengths(tips: Sequence[Tip]) -> list[int]:
    """Tokens that the target has read."""
    return [tip.ids.shape[0] - 1 for tip in tips]


def check_pair(drafter: DrafterConfig, target: ModelConfig) -> None:
    """Refuse a drafter whose shapes are another target's.

    Raises:
        CheckpointError: names what differs.
    """
    lenders = _lenders(target)
    facts = [
        ("a model of width", drafter.backbone_hidden_size, target.text.hidden_size),
        ("a vocabulary of", drafter.text.vocab_size, target.text.vocab_size),
    ]
    for spec in drafter.text.plan_layers():
        lender = lenders[spec.kind]
        kind = spec.kind.name.lower()
        facts += [
            (f"key heads on {kind} layers:", spec.num_kv_heads, lender.num_kv_heads),
            (f"{kind} heads of width", spec.head_dim, lender.head_dim),
        ]
    for what, wanted, has in facts:
        if wanted != has:
            raise CheckpointError(
                f"the drafter was made for {what} {wanted} and this model has {has}; "
                "take the drafter that was published with the model"
            )


def _lenders(target: ModelConfig) -> dict[LayerKind, LayerSpec]:
    """The last layer of each kind that owns keys and values."""
    return {spec.kind: spec for spec in target.text.plan_layers() if spec.owns_kv}
