"""The question whether synthetic MR helps: the same system but for what is seen."""

from __future__ import annotations

from dataclasses import replace

from head_neck_smr import segmenter_system

from rtseg.systems import load_bundle
from rtseg.training import choose_compute


def test_inputs_differ_in_what_is_seen_and_in_nothing_else() -> None:
    ct, smr, both = (segmenter_system(inputs, "small", 100, None) for inputs in ("ct", "smr", "ct+smr"))
    assert [system.channels for system in (ct, smr, both)] == [2, 1, 3]
    assert ct.segmenter == smr.segmenter == both.segmenter
    assert ct.segmentation == smr.segmentation == both.segmentation
    assert both.segmentation.schedule.steps == 100


def test_what_begins_with_head_neck_has_its_network() -> None:
    from rtseg.systems import bundle_folder

    there = load_bundle(bundle_folder("head_neck"), choose_compute(1)).system
    fine = segmenter_system("ct+smr", "small", 100, "head_neck")
    assert fine.segmenter == there.segmenter
    assert fine.windows_hu == there.windows_hu
    assert fine.segmentation.schedule.rate < there.segmentation.schedule.rate
    assert replace(fine.segmentation.sampling, on_organ=0.5).batch == 2
