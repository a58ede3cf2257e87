"""llama.cpp's side of the comparison; runs in an environment of its own, with xllamacpp and numpy.

    python bench/llamacpp_peer.py < request.json       its answer is one JSON line

A request is `{"model": path, "threads": n, "kv": "f32", "flash": false, "repack": true, ...}` and one of
`"text": …` (gives the ids), `"ids": […], "logits": path` (float32 [T, V] of one pass as a .npy file), or
`"ids": […], "generate": n, "logits": path` (greedy, a token at a time; logits [n, V] each was taken from).

xllamacpp carries llama.cpp whole, with its C functions visible. Their structures differ from version to
version; the layouts below are those of `llama.h` of VERSION, and known defaults are checked before use.
"""

import ctypes
import json
import sys
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int, c_int8, c_int32, c_size_t, c_uint32
from ctypes import c_void_p as Pointer
from typing import Any

import numpy as np
import xllamacpp

VERSION = "2026.10.11549"
KV_TYPES = {"f32": 0, "f16": 1}


class ModelParams(ctypes.Structure):
    """`llama_model_params`."""

    _fields_ = (
        ("devices", Pointer),
        ("tensor_buft_overrides", Pointer),
        ("n_gpu_layers", c_int32),
        ("split_mode", c_int),
        ("load_mode", c_int),
        ("lazy_mode", c_int),
        ("main_gpu", c_int32),
        ("tensor_split", Pointer),
        ("progress_callback", Pointer),
        ("progress_callback_user_data", Pointer),
        ("kv_overrides", Pointer),
        ("vocab_only", c_bool),
        ("check_tensors", c_bool),
        ("use_extra_bufts", c_bool),
        ("no_host", c_bool),
        ("no_alloc", c_bool),
        ("load_mtp", c_bool),
    )


class ContextParams(ctypes.Structure):
    """`llama_context_params`."""

    _fields_ = (
        ("n_ctx", c_uint32),
        ("n_batch", c_uint32),
        ("n_ubatch", c_uint32),
        ("n_seq_max", c_uint32),
        ("n_rs_seq", c_uint32),
        ("n_outputs_max", c_uint32),
        ("n_outputs_max_per_seq", c_uint32),
        ("n_threads", c_int32),
        ("n_threads_batch", c_int32),
        ("ctx_type", c_int),
        ("rope_scaling_type", c_int),
        ("pooling_type", c_int),
        ("attention_type", c_int),
        ("flash_attn_type", c_int),
        ("rope_freq_base", c_float),
        ("rope_freq_scale", c_float),
        ("yarn_ext_factor", c_float),
        ("yarn_attn_factor", c_float),
        ("yarn_beta_fast", c_float),
        ("yarn_beta_slow", c_float),
        ("yarn_orig_ctx", c_uint32),
        ("defrag_thold", c_float),
        ("cb_eval", Pointer),
        ("cb_eval_user_data", Pointer),
        ("type_k", c_int),
        ("type_v", c_int),
        ("moe_cache_size", c_size_t),
        ("abort_callback", Pointer),
        ("abort_callback_data", Pointer),
        ("embeddings", c_bool),
        ("offload_kqv", c_bool),
        ("no_perf", c_bool),
        ("op_offload", c_bool),
        ("swa_full", c_bool),
        ("kv_unified", c_bool),
        ("samplers", Pointer),
        ("n_samplers", c_size_t),
        ("ctx_other", Pointer),
    )


class MediaParams(ctypes.Structure):
    """`mtmd_context_params`."""

    _fields_ = (
        ("use_gpu", c_bool),
        ("device", Pointer),
        ("print_timings", c_bool),
        ("n_threads", c_int),
        ("image_marker", c_char_p),
        ("media_marker", c_char_p),
        ("flash_attn_type", c_int),
        ("warmup", c_bool),
        ("image_min_tokens", c_int),
        ("image_max_tokens", c_int),
        ("cb_eval", Pointer),
        ("cb_eval_user_data", Pointer),
        ("batch_max_tokens", c_int32),
        ("progress_callback", Pointer),
        ("progress_callback_user_data", Pointer),
    )


class MediaText(ctypes.Structure):
    """`mtmd_input_text`."""

    _fields_ = (
        ("text", c_char_p),
        ("text_len", c_size_t),
        ("add_special", c_bool),
        ("parse_special", c_bool),
    )


class Batch(ctypes.Structure):
    """`llama_batch`."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    )


SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "llama_backend_init": (None, []),
    "llama_model_default_params": (ModelParams, []),
    "llama_context_default_params": (ContextParams, []),
    "llama_model_load_from_file": (Pointer, [c_char_p, ModelParams]),
    "llama_init_from_model": (Pointer, [Pointer, ContextParams]),
    "llama_model_get_vocab": (Pointer, [Pointer]),
    "llama_vocab_n_tokens": (c_int32, [Pointer]),
    "llama_tokenize": (
        c_int32,
        [Pointer, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool],
    ),
    "llama_decode": (c_int32, [Pointer, Batch]),
    "llama_get_logits_ith": (POINTER(c_float), [Pointer, c_int32]),
    "llama_model_n_embd_inp": (c_int32, [Pointer]),
    "mtmd_context_params_default": (MediaParams, []),
    "mtmd_default_marker": (c_char_p, []),
    "mtmd_init_from_file": (Pointer, [c_char_p, Pointer, MediaParams]),
    "mtmd_bitmap_init": (Pointer, [c_uint32, c_uint32, c_char_p]),
    "mtmd_bitmap_init_from_audio": (Pointer, [c_size_t, c_char_p]),
    "mtmd_input_chunks_init": (Pointer, []),
    "mtmd_input_chunks_size": (c_size_t, [Pointer]),
    "mtmd_input_chunks_get": (Pointer, [Pointer, c_size_t]),
    "mtmd_input_chunk_get_type": (c_int, [Pointer]),
    "mtmd_input_chunk_get_n_tokens": (c_size_t, [Pointer]),
    "mtmd_tokenize": (c_int32, [Pointer, Pointer, POINTER(MediaText), POINTER(Pointer), c_size_t]),
    "mtmd_encode_chunk": (c_int32, [Pointer, Pointer]),
    "mtmd_get_output_embd": (POINTER(c_float), [Pointer]),
}


class Peer:
    """One model in llama.cpp, on the CPU."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.library = open_library()
        self.library.llama_backend_init()
        params = self.library.llama_model_default_params()
        params.n_gpu_layers = 0
        params.use_extra_bufts = bool(request.get("repack", True))
        self.model = self.library.llama_model_load_from_file(request["model"].encode(), params)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {request['model']}; its reason stands above")
        self.vocab = self.library.llama_model_get_vocab(self.model)
        self.vocab_size = self.library.llama_vocab_n_tokens(self.vocab)

    def tokenize(self, text: str) -> list[int]:
        """Ids with `<bos>` before them; control tokens in the text are plain text."""
        data = text.encode()
        room = (c_int32 * (len(data) + 8))()
        count = self.library.llama_tokenize(
            self.vocab, data, len(data), room, len(room), True, False
        )
        return list(room[:count])

    def open_context(self, request: dict[str, Any], length: int) -> None:
        """Make the context that `decode` runs in, empty."""
        params = self.library.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_outputs_max = (length + 255) // 256 * 256
        params.n_outputs_max_per_seq = params.n_outputs_max
        params.n_threads = params.n_threads_batch = request.get("threads", 1)
        params.type_k = params.type_v = KV_TYPES[request.get("kv", "f32")]
        params.flash_attn_type = int(request.get("flash", False))
        self.context = self.library.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit(f"llama.cpp cannot make a context of {length} tokens")

    def decode(self, ids: list[int], start: int) -> np.ndarray:
        """Logits [T, V] of ids at positions `start` on."""
        count = len(ids)
        request = (c_int32 * 1)(0)
        batch = Batch(
            n_tokens=count,
            token=(c_int32 * count)(*ids),
            pos=(c_int32 * count)(*range(start, start + count)),
            n_seq_id=(c_int32 * count)(*[1] * count),
            seq_id=(POINTER(c_int32) * count)(*[ctypes.cast(request, POINTER(c_int32))] * count),
            logits=(c_int8 * count)(*[1] * count),
        )
        if status := self.library.llama_decode(self.context, batch):
            raise SystemExit(f"llama_decode of {count} tokens at {start} gave status {status}")
        rows = [self.library.llama_get_logits_ith(self.context, row) for row in range(count)]
        return np.stack([np.ctypeslib.as_array(row, (self.vocab_size,)) for row in rows])

    def soft_tokens(self, request: dict[str, Any]) -> np.ndarray:
        """Soft tokens [n, D] of a picture uint8 [height, width, 3] or samples float32 [n] at 16 kHz."""
        library, medium = self.library, np.ascontiguousarray(np.load(request["medium"]))
        params = library.mtmd_context_params_default()
        if (params.batch_max_tokens, params.warmup, params.image_max_tokens) != (1024, True, -1):
            raise SystemExit(f"mtmd's structures are not those of {VERSION}")
        params.use_gpu, params.n_threads, params.warmup = False, request.get("threads", 1), False
        params.flash_attn_type = 0
        context = library.mtmd_init_from_file(request["mmproj"].encode(), self.model, params)
        if not context:
            raise SystemExit(f"llama.cpp cannot load {request['mmproj']}; its reason stands above")
        if medium.ndim == 3:
            height, width, _ = medium.shape
            bitmap = library.mtmd_bitmap_init(width, height, medium.tobytes())
        else:
            bitmap = library.mtmd_bitmap_init_from_audio(len(medium), medium.tobytes())
        chunks, marker = library.mtmd_input_chunks_init(), library.mtmd_default_marker()
        text = MediaText(text=marker, text_len=len(marker), add_special=True, parse_special=True)
        bitmaps = (Pointer * 1)(bitmap)
        if status := library.mtmd_tokenize(context, chunks, ctypes.byref(text), bitmaps, 1):
            raise SystemExit(f"mtmd_tokenize gave status {status}")
        count = library.mtmd_input_chunks_size(chunks)
        found = [library.mtmd_input_chunks_get(chunks, index) for index in range(count)]
        (chunk,) = [chunk for chunk in found if library.mtmd_input_chunk_get_type(chunk)]
        if status := library.mtmd_encode_chunk(context, chunk):
            raise SystemExit(f"mtmd_encode_chunk gave status {status}")
        shape = (
            library.mtmd_input_chunk_get_n_tokens(chunk),
            library.llama_model_n_embd_inp(self.model),
        )
        return np.ctypeslib.as_array(library.mtmd_get_output_embd(context), shape).copy()


def open_library() -> ctypes.CDLL:
    """llama.cpp's functions, their layouts checked."""
    if xllamacpp.__version__ != VERSION:
        raise SystemExit(f"xllamacpp {xllamacpp.__version__} is here; this needs {VERSION}")
    library = ctypes.CDLL(xllamacpp.xllamacpp.__file__)
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    context = library.llama_context_default_params()
    model = library.llama_model_default_params()
    found = (context.n_ctx, context.n_ubatch, context.flash_attn_type, context.defrag_thold)
    found += (context.type_k, context.type_v, context.swa_full, context.embeddings)
    found += (model.n_gpu_layers, model.use_extra_bufts, model.vocab_only)
    if found != (512, 512, -1, -1.0, 1, 1, True, False, -1, True, False):
        raise SystemExit(f"llama.cpp's structures are not those of {VERSION}: defaults {found}")
    return library


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request asks; see the top."""
    peer = Peer(request)
    done: dict[str, Any] = {"version": f"xllamacpp {VERSION}"}
    if "text" in request:
        return done | {"ids": peer.tokenize(request["text"])}
    if "mmproj" in request:
        np.save(request["soft_tokens"], peer.soft_tokens(request))
        return done
    ids, steps = list(request["ids"]), request.get("generate", 0)
    peer.open_context(request, len(ids) + steps)
    logits = peer.decode(ids, 0)
    if steps:
        rows = [logits[-1]]
        ids.append(int(logits[-1].argmax()))
        while len(rows) < steps:
            rows.append(peer.decode(ids[-1:], len(ids) - 1)[0])
            ids.append(int(rows[-1].argmax()))
        logits = np.stack(rows)
    np.save(request["logits"], logits)
    return done | {"ids": ids}


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
