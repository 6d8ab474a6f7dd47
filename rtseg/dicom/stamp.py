"""When a structure set was made and under which UIDs: now and new, or the same again for tests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from rtseg.core import StructureSet
from rtseg.dicom.export import Export
from rtseg.dicom.planning_ct import CtGrid
from rtseg.dicom.uids import new_uid


@dataclass(frozen=True)
class Stamp:
    """The time, and what the UIDs follow from; None: they are random."""

    when: datetime
    seed: str | None = None

    @classmethod
    def now(cls) -> Stamp:
        """Of this moment, with UIDs that nobody had before."""
        return cls(datetime.now())

    @classmethod
    def of(cls, structures: StructureSet, ct: CtGrid, export: Export, when: datetime) -> Stamp:
        """The same for the same series, masks, options and time. For tests: two runs of a clinic must not share a UID."""
        digest = hashlib.sha256(f"{ct.identity.series_instance_uid} {export} {when}".encode())
        for name in structures:
            organ = structures[name]
            digest.update(f"{name} {organ.offset} {organ.mask.shape}".encode())
            digest.update(organ.mask.tobytes())
            digest.update(b"" if organ.probability is None else organ.probability.tobytes())
        return cls(when, digest.hexdigest())

    def uid(self, role: str) -> str:
        """The UID for one role: the instance's, the series'."""
        return new_uid() if self.seed is None else new_uid(self.seed, role)
