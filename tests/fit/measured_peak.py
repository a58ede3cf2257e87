"""Run by test_fit_measured in a process of its own: load a checkpoint, answer, print what it took."""

import json
import sys
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
from gemma4.model.gemma4 import build_model
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint


def resident(name: str) -> int:
    """Bytes. Not ru_maxrss: a new process inherits its parent's."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[name].split()[0]) * 1024


folder, dtype, context = sys.argv[1], getattr(torch, sys.argv[2]), int(sys.argv[3])
# What libraries take differs by tens of megabytes from processor to processor: measured apart, after
# a first product.
torch.ones(512, 1024, dtype=dtype) @ torch.ones(1024, 1024, dtype=dtype)
libraries = resident("VmRSS")
checkpoint = open_checkpoint(folder)
model = build_model(checkpoint.config)
load_weights(model, checkpoint, dtype=dtype)
ids = torch.arange(context - 2) % checkpoint.config.text.vocab_size
settings = Sampling(temperature=0.0, max_tokens=2)
engine = open_engine(model, Limits(context=context, max_requests=1))
for _ in Streams(engine).run(engine.prepare(Prompt(ids=ids), settings)):
    pass
print(json.dumps({"peak": resident("VmHWM"), "libraries": libraries}))
