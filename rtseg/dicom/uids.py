"""Unique identifiers under 2.25 (a UUID as a decimal number): nobody's registration is needed."""

from __future__ import annotations

import hashlib
import uuid


def new_uid(seed: str | None = None, *parts: str) -> str:
    """A new DICOM UID under 2.25; random, or from SHA-256 of ``seed`` and ``parts``, so that the same words give the same UID.

    Standard: PS3.5 B.2 (UUID derived UID), at most 44 characters.
    """
    if seed is None:
        return f"2.25.{uuid.uuid4().int}"
    digest = hashlib.sha256("\0".join((seed, *parts)).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"
