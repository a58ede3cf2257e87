"""An engine for a model in memory."""

from collections.abc import Sequence

import torch

from ..config import PAGE_TOKENS, plan_kv_groups
from ..fit.pages import plan_pages
from ..kernels.cuda import CudaKernels
from ..kernels.native import Native
from ..model.cuda import open_forward
from ..model.gemma4 import Gemma4
from ..model.native import NativeDecoder
from ..model.page_table import blocks_of
from ..model.paged_kv import PageStorage
from .drafting import Drafting
from .engine import Engine, Forward
from .limits import Limits


def open_engine(
    model: Gemma4,
    limits: Limits,
    *,
    kv_dtype: torch.dtype | None = None,
    num_pages: Sequence[int] | None = None,
    drafting: Drafting | None = None,
    kernels: Native | CudaKernels | None = None,
) -> Engine:
    """Get pages and make the engine.

    Args:
        kv_dtype: of keys and values; None: the model's own.
        num_pages: of each group of layers; None: what the limits need, every request as long as may be.
        drafting: guesses tokens ahead.
        kernels: that run the decoder; None: the modules themselves.
    """
    groups = plan_kv_groups(model.decoder.specs)
    if num_pages is None:
        num_pages = plan_pages(
            groups,
            context=limits.max_requests * blocks_of(limits.context) * PAGE_TOKENS,
            max_requests=limits.max_requests,
            prefill_chunk=limits.prefill_chunk,
        )
    storage = PageStorage(
        groups,
        num_pages,
        dtype=model.dtype if kv_dtype is None else kv_dtype,
        device=model.device,
    )
    return Engine(
        _forward(model, storage, limits, kernels),
        storage,
        vocab_size=model.config.text.vocab_size,
        limits=limits,
        drafting=drafting,
        own_threads=isinstance(kernels, Native),
    )


def _forward(
    model: Gemma4, storage: PageStorage, limits: Limits, kernels: Native | CudaKernels | None
) -> Forward:
    match kernels:
        case Native():
            tokens = limits.prefill_chunk + limits.max_requests
            return NativeDecoder(model, storage, kernels, tokens=tokens)
        case CudaKernels():
            return open_forward(model, storage, kernels, context=limits.context)
    return model
