"""Whose kernels TensorFlow computes with on x86 processors: oneDNN's, unless told else.

TensorFlow takes them by itself only on processors with VNNI, BF16 or AMX; they are
faster on others, too. It decides once, when it is imported. Results of other kernels
differ in their last bits, so a run keeps its choice.
"""

import os
import pathlib
import platform
import sys

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
# What the user has set before this package was imported goes before all else.
IS_USERS = VARIABLE in os.environ
CPUINFO = pathlib.Path("/proc/cpuinfo")


def choose_kernels(onednn: bool | None = True) -> None:
    """Asks for oneDNN's kernels or others; None leaves it to TensorFlow.

    What the user has set, and an import of TensorFlow before, go first.
    """
    if not IS_X86 or IS_USERS or "tensorflow" in sys.modules:
        return
    if onednn is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = str(int(onednn))


def uses_onednn() -> bool | None:
    """Whether oneDNN's kernels were asked for; None: TensorFlow has decided."""
    value = os.environ.get(VARIABLE)
    return None if value is None else value != "0"


def has_avx2_alone() -> bool:
    """Whether the processor has AVX2 but not AVX-512; False where Linux does not say.

    On these XLA's convolutions are faster than oneDNN's, with AVX-512 they are slower.
    """
    flags = processor_flags()
    return "avx2" in flags and "avx512f" not in flags


def processor_flags() -> list[str]:
    """What the processor can, by Linux' names; empty where it does not say."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])
