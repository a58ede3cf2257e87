"""A loaded model's engine, with the memory that was planned for it."""

from ..engine.drafting import Drafting
from ..engine.limits import Limits
from ..engine.open_engine import open_engine
from ..engine.streams import Streams
from ..errors import EnvironmentFault
from ..kernels.cuda import CudaKernels
from ..kernels.native import Native
from ..model.gemma4 import Gemma4
from .key_value_memory import KV_DTYPES, KeyValueMemory
from .placement import is_out_of_memory


def open_streams(
    model: Gemma4,
    memory: KeyValueMemory,
    drafting: Drafting | None,
    kernels: Native | CudaKernels | None = None,
) -> Streams:
    """Get the pages and make the engine; kernels for a GPU are compiled and recorded here.

    Raises:
        EnvironmentFault: there is no memory for them.
    """
    try:
        engine = open_engine(
            model,
            Limits(context=memory.context, max_requests=memory.max_requests),
            kv_dtype=KV_DTYPES[memory.dtype],
            num_pages=memory.num_pages,
            drafting=drafting,
            kernels=kernels,
        )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise EnvironmentFault(
            f"keys and values of {memory.tokens} tokens, {memory.context} of one request, take "
            f"{memory.num_bytes / 2**30:.1f} GiB in {memory.dtype} and {model.device} has not so much; give "
            "a smaller kv_memory, a shorter context, or kv_dtype int8"
        ) from error
    return Streams(engine)
