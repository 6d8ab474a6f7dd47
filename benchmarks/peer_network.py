"""Our network beside nnU-Net's default 3D network on the same CT, in one run; writes its section of docs/speed.md.

    .venv/bin/python -m pip install -c constraints.txt -e '.[peer]'
    .venv/bin/python benchmarks/peer_network.py CASES [--repeats 3] [--threads N]

CASES is a case tree (OpenKBP); its training CTs decide the peer's plan. Nothing else should run on the machine meanwhile. What
the package itself asks for (timm, torchvision) is not needed for this network: `pip install --no-deps
dynamic-network-architectures` does as well.

The peer has random weights: its time does not depend on them. It is planned by the rules of nnU-Net v2's default planner,
rewritten here from MIC-DKFZ/nnUNet (Isensee et al., Nature Methods 18:203-211, 2021), and built by that group's package
dynamic-network-architectures:
  target spacing, order of axes, patch size, features    experiment_planning/experiment_planners/default_experiment_planner.py
  strides, kernels, divisibility                         experiment_planning/experiment_planners/network_topology.py
  grid after resampling                                  preprocessing/resampling/default_resampling.py
  windows, overlap 0.5, padding                          inference/sliding_window_prediction.py
  mirroring over three axes, float32 without CUDA        inference/predict_from_raw_data.py
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from contour import MODEL, clinical_ct
from numpy.typing import NDArray
from speed_page import processor, put
from torch import nn

from rtseg.core import Geometry
from rtseg.data import find_cases
from rtseg.imaging import Prepared, prepare
from rtseg.segmentation.inference import Segmenter, segment
from rtseg.systems import bundle_folder, load_bundle
from rtseg.training import choose_compute

HEADING = "Beside a peer's network"

SMALLEST_EDGE = 4
"""No axis is halved below this many voxels."""

FEATURES, MOST_FEATURES = 32, 320
"""Of the first stage; doubled stage by stage up to the most."""

REFERENCE = 560_000_000
"""Values in the feature maps of a patch that the planner lets 8 GB of GPU memory hold, two patches at a time."""

STEP = 0.5
"""Of the sliding window, as a share of the patch."""

MIRRORINGS = 8
"""Passes for each window: every combination of three mirrored axes."""

Triple = tuple[int, int, int]
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Topology:
    """Strides and kernel sizes of every stage, and the numbers that the patch's sides must be multiples of."""

    strides: tuple[Triple, ...]
    kernels: tuple[Triple, ...]
    multiple: Triple

    @property
    def features(self) -> list[int]:
        return [min(MOST_FEATURES, FEATURES * 2**stage) for stage in range(len(self.strides))]


@dataclass(frozen=True)
class Plan:
    """What the planner decides; everything in the order of ``axes`` (of slices, rows, columns: coarsest first)."""

    axes: Triple
    spacing_mm: Spacing
    patch: Triple
    topology: Topology

    def grid(self, spacing_mm: Sequence[float], shape: Sequence[int]) -> Triple:
        """Size of a scan (slices, rows, columns) after resampling to the target spacing."""
        a, b, c = (round(spacing_mm[k] * shape[k] / mm) for k, mm in zip(self.axes, self.spacing_mm, strict=True))
        return a, b, c


def topology(spacing_mm: Sequence[float], patch: Sequence[int]) -> Topology:
    """Halve, stage by stage, every axis that is long enough and whose spacing is within a factor of two of the finest."""
    spacing, size = list(spacing_mm), list(patch)
    strides, kernels = [(1, 1, 1)], []
    kernel = [1, 1, 1]
    while long_enough := [k for k in range(3) if size[k] >= 2 * SMALLEST_EDGE]:
        finest = min(spacing[k] for k in long_enough)
        halved = [k for k in long_enough if spacing[k] / finest < 2]
        if len(halved) == 1 and size[halved[0]] < 3 * SMALLEST_EDGE:
            break
        kernel = [3 if kernel[k] == 3 or spacing[k] / min(spacing) < 2 else 1 for k in range(3)]
        kernels.append(_triple(kernel))
        strides.append(_triple([2 if k in halved else 1 for k in range(3)]))
        for k in halved:
            spacing[k], size[k] = 2 * spacing[k], -(-size[k] // 2)
    kernels.append((3, 3, 3))
    return Topology(tuple(strides), tuple(kernels), _triple(np.prod(strides, axis=0)))


def plan(spacings_mm: NDArray[np.float64], shapes: NDArray[np.int64], load: Callable[[Topology, Triple], int]) -> Plan:
    """Plan for scans of these spacings and shapes, (n, 3) each as slices, rows, columns.

    load: values in the feature maps of a network of this topology on a patch. Only for scans that are not strongly
    anisotropic; there the planner has a rule of its own for the coarse axis.
    """
    target = np.median(spacings_mm, axis=0)
    coarsest = int(target.argmax())
    if target[coarsest] > 3 * np.delete(target, coarsest).max():
        raise ValueError(f"a target spacing of {target.tolist()} mm is planned by a rule that is not written here")
    axes = _triple([coarsest, *(k for k in range(3) if k != coarsest)])
    spacing, resampled = target[list(axes)], np.rint(spacings_mm / target * shapes)[:, list(axes)]
    median = np.median(resampled, axis=0)
    cube = 256 * spacing.prod() ** (1 / 3) / spacing  # the volume of 256 x 256 x 256 voxels, a cube in mm
    patch, found = _fitting(spacing, np.minimum(cube.round(), median))
    while load(found, patch) > REFERENCE:
        longest = int(np.argsort(np.array(patch) / median)[-1])
        less = list(patch)
        less[longest] -= found.multiple[longest]
        step = topology(spacing, less).multiple[longest]  # may be smaller than the multiple before
        shorter = list(patch)
        shorter[longest] -= step
        patch, found = _fitting(spacing, np.array(shorter))
    return Plan(axes, (float(spacing[0]), float(spacing[1]), float(spacing[2])), patch, found)


def windows(shape: Sequence[int], patch: Sequence[int]) -> int:
    """How many windows cover a scan; one that is smaller than the patch is padded to it."""
    beyond = (max(0, n - p) for n, p in zip(shape, patch, strict=True))
    return int(np.prod([int(np.ceil(more / (p * STEP))) + 1 for more, p in zip(beyond, patch, strict=True)]))


def network(of: Topology, outputs: int) -> nn.Module:
    """nnU-Net's PlainConvUNet, one input, weights at random."""
    try:
        from dynamic_network_architectures.architectures.unet import PlainConvUNet
    except ImportError as error:
        raise SystemExit("install the peer first: pip install -c constraints.txt -e '.[peer]'") from error
    stages = len(of.strides)
    net: nn.Module = PlainConvUNet(
        input_channels=1,
        n_stages=stages,
        features_per_stage=of.features,
        conv_op=nn.Conv3d,
        kernel_sizes=of.kernels,
        strides=of.strides,
        n_conv_per_stage=[2] * stages,
        num_classes=outputs,
        n_conv_per_stage_decoder=[2] * (stages - 1),
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=False,
    )
    return net.eval()


def load_of(outputs: int) -> Callable[[Topology, Triple], int]:
    """The package's own count of values in the feature maps; the networks are built without memory."""

    def load(of: Topology, patch: Triple) -> int:
        with torch.device("meta"):
            net: Any = network(of, outputs)
        return int(net.compute_conv_feature_map_size(patch))

    return load


def training_scans(cases: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Spacings in mm and shapes, (n, 3) each as slices, rows, columns, of the training CTs as they lie on disk."""
    headers = [nibabel.load(case.folder / "ct.nii.gz").header for case in find_cases(cases) if case.split == "train"]
    spacings = np.array([[float(mm) for mm in header.get_zooms()[::-1]] for header in headers])
    return spacings, np.array([header.get_data_shape()[::-1] for header in headers])


def best_seconds(run: Callable[[], object], repeats: int) -> float:
    """The quickest of some runs, after one to warm up."""
    run()
    walls = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        walls.append(time.perf_counter() - start)
    return min(walls)


def window_seconds(net: nn.Module, patch: Triple, repeats: int) -> float:
    """One window through the peer."""
    window = torch.randn(1, 1, *patch)
    with torch.inference_mode():
        return best_seconds(lambda: net(window), repeats)


def our_seconds(ready: Prepared, segmenter: Segmenter, repeats: int) -> tuple[int, float]:
    """How many windows we need, and the seconds of the whole: all windows, blended, as probabilities."""
    seen: list[int] = []
    counting = segmenter.net.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    segment(ready, segmenter)
    counting.remove()
    return sum(seen), best_seconds(lambda: segment(ready, segmenter), repeats)


def spacing_of(grid: Geometry) -> Spacing:
    return (grid.slice_spacing, *grid.pixel_spacing)


@dataclass(frozen=True)
class Beside:
    """What was measured: our windows and seconds, the peer's plan and seconds a window, windows on the CT and its body's box."""

    ours: tuple[int, float]
    compute: str
    plan: Plan
    parameters: int
    peer_window_s: float
    peer_windows: int
    peer_windows_in_box: int


def section(found: Beside) -> str:
    windows_ours, seconds = found.ours
    rows = [f"| rtseg {MODEL} ({found.compute}), measured | {windows_ours} | | {seconds:.1f} | 1 |"]
    for what, count, passes in (
        ("nnU-Net 3d_fullres, mirroring x 8 (its default), EXTRAPOLATED", found.peer_windows, MIRRORINGS),
        ("nnU-Net 3d_fullres, without mirroring, EXTRAPOLATED", found.peer_windows, 1),
        ("the same, were it cropped to the body as we do, EXTRAPOLATED", found.peer_windows_in_box, 1),
    ):
        whole = found.peer_window_s * count * passes
        cells = f"{count}{f' x {passes}' if passes > 1 else ''} | {found.peer_window_s:.2f} | {whole:.1f} | {whole / seconds:.1f}"
        rows.append(f"| {what} | {cells} |")
    head = ["| network | windows | seconds a window | seconds a CT | over ours |", "|---|---|---|---|---|"]
    return "\n".join([*made_by(), "", *head, *rows, "", *meaning(found)])


def made_by() -> list[str]:
    return [
        f"Made by `python benchmarks/peer_network.py CASES` on {processor()}, no GPU, {torch.get_num_threads()} threads; "
        f"torch {torch.__version__}, Python {platform.python_version()}.",
        "The CT is that of the commands above. Networks only: neither reading nor resampling; the best of the repeats.",
    ]


def meaning(found: Beside) -> list[str]:
    how = found.plan
    return [
        "**Extrapolated**: one window was timed and multiplied by the number of windows that its sliding inference (step 0.5)",
        "needs; blending is not counted, nor more folds than one. The peer is nnU-Net's default 3D network with random weights,",
        "planned by the rules of nnU-Net v2's default planner for the training CTs that our model learnt from: spacing",
        f"{' x '.join(f'{mm:.2f}' for mm in how.spacing_mm)} mm, patch {' x '.join(map(str, how.patch))}",
        f"({', '.join(('slices', 'rows', 'columns')[k] for k in how.axes)}), strides",
        f"{', '.join('x'.join(map(str, stride)) for stride in how.topology.strides)}, features",
        f"{', '.join(map(str, how.topology.features))}: {found.parameters / 1e6:.1f} million parameters. It runs in float32, as",
        "nnU-Net does without CUDA. Time tells nothing of accuracy.",
    ]


def measure(cases: Path, repeats: int, threads: int | None) -> Beside:
    model = load_bundle(bundle_folder(MODEL), choose_compute(threads))
    outputs = len(model.task.organs) + 1  # and background
    planned = plan(*training_scans(cases), load_of(outputs))
    peer = network(planned.topology, outputs)
    ct = clinical_ct(cases)
    ready = prepare(ct, model.preparation)
    on_ct, in_box = (planned.grid(spacing_of(grid), grid.shape) for grid in (ct.geometry, ready.volume.geometry))
    return Beside(
        ours=our_seconds(ready, model.segmenter, repeats),
        compute=str(model.segmenter.compute.precision).removeprefix("torch."),
        plan=planned,
        parameters=sum(part.numel() for part in peer.parameters()),
        peer_window_s=window_seconds(peer, planned.patch, repeats),
        peer_windows=windows(on_ct, planned.patch),
        peer_windows_in_box=windows(in_box, planned.patch),
    )


def _fitting(spacing_mm: NDArray[np.float64], patch: NDArray[Any]) -> tuple[Triple, Topology]:
    """The patch made longer until its sides can be halved as its topology wants."""
    wanted = _triple(np.ceil(patch))
    found = topology(spacing_mm.tolist(), wanted)
    return _triple([-(-n // m) * m for n, m in zip(wanted, found.multiple, strict=True)]), found


def _triple(values: Sequence[Any] | NDArray[Any]) -> Triple:
    a, b, c = (int(value) for value in values)
    return a, b, c


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    if torch.cuda.is_available():
        raise SystemExit("this compares CPUs: hide the GPU with CUDA_VISIBLE_DEVICES=")
    print(put(HEADING, section(measure(asked.cases, asked.repeats, asked.threads))))


if __name__ == "__main__":
    main()
