"""Run by test_fit_measured in a process of its own: load a checkpoint, answer, print what it took.

With native kernels in place of a dtype, only anonymous memory counts: the weights' pages are the file's.
"""

import json
import sys
import threading
import time
from pathlib import Path

import av  # noqa: F401  # part of what the runtime's figure counts
import tokenizers  # noqa: F401
import torch
from PIL import Image  # noqa: F401

from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampling import Sampling
from gemma4.engine.streams import Streams
from gemma4.kernels.native import Native, find_native
from gemma4.model.gemma4 import build_model
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint

PAUSE = 0.002
"""Seconds between two looks at anonymous memory, whose peak the system does not keep."""


def resident(name: str) -> int:
    """Bytes. Not ru_maxrss: a new process inherits its parent's."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[name].split()[0]) * 1024


class Watch:
    """The highest anonymous memory since it was made."""

    def __init__(self) -> None:
        self.peak = 0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, resident("RssAnon"))
            time.sleep(PAUSE)


folder, computing, context = sys.argv[1], sys.argv[2], int(sys.argv[3])
native = find_native() if computing == "native" else None
assert native is None or isinstance(native, Native), native
dtype = torch.float32 if native else getattr(torch, computing)
# What libraries take differs by tens of megabytes from processor to processor: measured apart, after
# a first product.
torch.ones(512, 1024, dtype=dtype) @ torch.ones(1024, 1024, dtype=dtype)
libraries = resident("RssAnon" if native else "VmRSS")
watch = Watch() if native else None
checkpoint = open_checkpoint(folder)
model = build_model(checkpoint.config)
load_weights(model, checkpoint, dtype=dtype, keep_blocks=native is not None)
ids = torch.arange(context - 2) % checkpoint.config.text.vocab_size
settings = Sampling(temperature=0.0, max_tokens=2)
limits = Limits(context=context, max_requests=1)
engine = open_engine(
    model, limits, kernels=native, kv_dtype=torch.float16 if native is not None else None
)
for _ in Streams(engine).run(engine.prepare(Prompt(ids=ids), settings)):
    pass
peak = watch.peak if watch else resident("VmHWM")
print(json.dumps({"peak": peak, "libraries": libraries}))
