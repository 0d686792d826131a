"""UIDs that follow from what they name: the same parts give the same UID. No UID here is random."""

from __future__ import annotations

import hashlib
from uuid import UUID


def derive(*parts: str | bytes) -> str:
    """UID that follows from its parts alone.

    The parts are hashed with SHA-256, each behind its length, so that ``("ab", "c")`` and ``("a", "bc")`` differ. The
    first 128 bits make a UUID of version 8 (RFC 9562), which is a UID under the root 2.25 (PS3.5 B.2).

    Parameters
    ----------
    *parts
        What the UID stands for: UIDs of sources, digests of pixels, settings, versions, the time of the run.

    Returns
    -------
    ``"2.25."`` and up to 39 digits.

    Raises
    ------
    ValueError
        Without any part: the UID would name nothing.
    """
    if not parts:
        raise ValueError("A UID follows from at least one part.")
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    bits = int.from_bytes(digest.digest()[:16], "big")
    bits = bits & ~(0xF << 76) | 8 << 76  # version 8: made of a hash of one's own
    bits = bits & ~(0x3 << 62) | 2 << 62  # variant of RFC 9562
    return f"2.25.{UUID(int=bits).int}"
