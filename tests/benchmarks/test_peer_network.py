"""The peer's plan by nnU-Net's rules: known plans of known data sets, windows counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from peer_network import REFERENCE, Beside, Topology, Triple, load_of, plan, section, topology, windows


def scans(spacing_mm: tuple[float, float, float], shape: Triple) -> tuple[np.ndarray, np.ndarray]:
    return np.array([spacing_mm] * 3), np.array([shape] * 3)


def light(_: Topology, __: Triple) -> int:
    return 0


def test_even_spacing_is_halved_on_every_axis_until_four_voxels() -> None:
    # nnU-Net's plan for MSD Hippocampus: patch 40 x 56 x 40 at 1 mm, three times halved
    found = topology((1.0, 1.0, 1.0), (40, 56, 40))
    assert found.strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    assert found.kernels == ((3, 3, 3),) * 4
    assert found.multiple == (8, 8, 8)
    assert found.features == [32, 64, 128, 256]


def test_thick_slices_are_left_until_the_others_have_caught_up() -> None:
    # nnU-Net's plan for BTCV: patch 48 x 192 x 192 at 3 x 0.76 x 0.76 mm
    found = topology((3.0, 0.76, 0.76), (48, 192, 192))
    assert found.strides == ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2))
    assert found.kernels == ((1, 3, 3), *((3, 3, 3),) * 5)
    assert found.multiple == (8, 32, 32)
    assert found.features == [32, 64, 128, 256, 320, 320]


def test_a_patch_is_the_median_scan_if_that_is_light_enough() -> None:
    # 36 -> 40, 50 -> 56, 35 -> 40: multiples of 8
    assert plan(*scans((1.0, 1.0, 1.0), (36, 50, 35)), light).patch == (40, 56, 40)


def test_a_patch_too_heavy_loses_its_longest_side_step_by_step() -> None:
    # 200 -> 224, a multiple of 32; then 192, 160, 128 on each side in turn until 128 x 128 x 128 fits
    def load(_: Topology, patch: Triple) -> int:
        return REFERENCE + (1 if np.prod(patch) > 128**3 else 0)

    assert plan(*scans((1.0, 1.0, 1.0), (200, 200, 200)), load).patch == (128, 128, 128)


def test_the_coarsest_axis_comes_first_and_scans_are_brought_to_the_median_spacing() -> None:
    planned = plan(*scans((2.5, 4.0, 4.0), (86, 67, 115)), light)
    assert planned.axes == (1, 0, 2)
    assert planned.spacing_mm == (4.0, 2.5, 4.0)
    assert planned.patch == (80, 96, 128)  # multiples of 16 above 67, 86, 115
    # 512 x 1 mm / 4 mm = 128; 150 x 2 mm / 2.5 mm = 120
    assert planned.grid((2.0, 1.0, 1.0), (150, 512, 512)) == (128, 120, 128)


def test_strongly_anisotropic_scans_are_refused() -> None:
    with pytest.raises(ValueError, match="planned by a rule that is not written here"):
        plan(*scans((10.0, 1.5, 1.5), (10, 200, 200)), light)


def test_windows_by_hand() -> None:
    # 110 voxels under a patch of 64 in steps of at most 32: at 0, 23 and 46
    assert windows((110, 64, 64), (64, 64, 64)) == 3
    assert windows((110, 110, 65), (64, 64, 64)) == 3 * 3 * 2
    assert windows((20, 20, 20), (64, 64, 64)) == 1
    assert windows((128, 120, 128), (80, 96, 128)) == 3 * 2 * 1


def test_the_section_tells_what_is_extrapolated() -> None:
    planned = plan(*scans((2.5, 4.0, 4.0), (86, 67, 115)), light)
    words = section(Beside((24, 5.0), "float32", planned, 16_600_000, 4.0, 6, 2))
    assert "| 6 x 8 | 4.00 | 192.0 | 38.4 |" in words
    assert "| 6 | 4.00 | 24.0 | 4.8 |" in words
    assert "| 2 | 4.00 | 8.0 | 1.6 |" in words
    assert words.count("EXTRAPOLATED") == 3
    assert "python benchmarks/peer_network.py" in words


def test_the_package_builds_what_was_planned() -> None:
    pytest.importorskip("dynamic_network_architectures", reason="the peer is not installed: its network is not built")
    found = topology((1.0, 1.0, 1.0), (40, 56, 40))
    # nnU-Net's own count for this patch is below what it allows; every stage counted at least twice
    assert 2 * 40 * 56 * 40 * 32 < load_of(3)(found, (40, 56, 40)) < REFERENCE
