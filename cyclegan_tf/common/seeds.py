"""Seeds of their own for everything that is drawn at random."""

import hashlib


def derived_seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, such as "crop a", in [0, 2^31)."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
