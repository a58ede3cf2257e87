"""llama.cpp's own encoder, for bench/quantize.py; runs in an environment with xllamacpp and numpy.

    python bench/quantize_peer.py FORMAT_ID ROW_BYTES VALUES.npy OUTPUT.npy

Encodes float32 [R, C] to uint8 [R, ROW_BYTES] without an importance matrix, as `llama-quantize` does;
prints the seconds that took.
"""

import ctypes
import sys
import time

import numpy as np
import xllamacpp


def main() -> None:
    """Encode and store."""
    kind, row_bytes, source, target = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
    library = ctypes.CDLL(xllamacpp.xllamacpp.__file__)
    encode = library.ggml_quantize_chunk
    encode.restype = ctypes.c_size_t
    encode.argtypes = (
        ctypes.c_int,
        *(ctypes.c_void_p, ctypes.c_void_p),
        *(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64),
        ctypes.c_void_p,
    )
    values = np.ascontiguousarray(np.load(source), dtype=np.float32)
    result = np.zeros((len(values), row_bytes), dtype=np.uint8)
    started = time.perf_counter()
    places = values.ctypes.data, result.ctypes.data
    written = encode(kind, *places, 0, len(values), values.shape[1], None)
    print(time.perf_counter() - started)
    if written != result.nbytes:
        raise SystemExit(f"{written} bytes were written, expected {result.nbytes}")
    np.save(target, result)


if __name__ == "__main__":
    main()
