"""A training step of a translator beside the same step written out in PyTorch, and `rtseg synthesize` on CTs of clinical size.

    python benchmarks/synthesis.py CASES MODEL [--contours] [--limb LIMB_CASES LIMB_MODEL] [--steps 10] [--repeats 3]

CASES is a case tree (OpenKBP), MODEL a head's translator; LIMB_CASES a folder of limb cases. Nothing else should run meanwhile.
Both steps have the same networks and images and take turns. Writes its section of docs/speed.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from contour import Measured, clinical_ct, timed
from speed_page import processor, put
from torch import Tensor, nn

from rtseg.core import Geometry, Volume
from rtseg.data import read_nifti
from rtseg.dicom import Patient, write_ct_series
from rtseg.imaging import resample
from rtseg.synthesis.images import JUDGED, StepImages
from rtseg.synthesis.inference import translated
from rtseg.synthesis.pool import ImagePool
from rtseg.synthesis.train import BETAS
from rtseg.synthesis.translators import Builders, Players, networks, step
from rtseg.systems import load_translator, read_system
from rtseg.training import Compute

HEADING = "Synthesis"
SYSTEM = "dai2021"


def players() -> Players:
    """The networks of the system at its small size, with fresh optimizers."""
    system = read_system(SYSTEM).at_size("small")
    part = system.translator
    torch.manual_seed(0)
    terms = system.terms.given
    nets = networks(part.kind, terms, Builders(part.generator.build, part.critic.build))
    for net in nets.values():
        net.to(memory_format=torch.channels_last_3d)
    makers, critics = (
        [weight for name, net in nets.items() if (name in JUDGED) is judged for weight in net.parameters()]
        for judged in (False, True)
    )
    adams = [torch.optim.Adam(weights, 2e-4, betas=BETAS) for weights in (makers, critics)]
    return Players(nets, terms, *adams, {name: ImagePool(50) for name in nets if name in JUDGED})


def patches() -> tuple[Tensor, Tensor]:
    """A CT and an MR patch of noise."""
    size = read_system(SYSTEM).at_size("small").synthesis.patch
    torch.manual_seed(1)
    ct, mr = (torch.tanh(torch.randn(1, 1, *size)).contiguous(memory_format=torch.channels_last_3d) for _ in range(2))
    return ct, mr


def ours(of: Players, ct: Tensor, mr: Tensor) -> None:
    """A step as rtseg trains it."""
    step(of, StepImages(ct, mr, of.nets), np.random.default_rng(0))


def plain(of: Players, ct: Tensor, mr: Tensor) -> None:
    """The same step written out: CycleGAN with geometric consistency, lsgan, no pool."""
    nets, weight = of.nets, {name: term.weight for name, term in of.terms.items()}
    l1, mse = nn.functional.l1_loss, nn.functional.mse_loss
    to_mr, to_ct = nets["ct_to_mr"], nets["mr_to_ct"]
    critics = [nets[name] for name in ("mr_critic", "ct_critic", "turned_mr_critic")]
    for critic in critics:
        critic.requires_grad_(False)
    turned_ct, turned_mr = (torch.rot90(image, -1, (3, 4)) for image in (ct, mr))
    fake_mr, fake_ct, turned_fake = to_mr(ct), to_ct(mr), to_mr(turned_ct)
    fakes, reals = (fake_mr, fake_ct, turned_fake), (mr, ct, turned_mr)
    scores = [critic(fake)[0] for critic, fake in zip(critics, fakes, strict=True)]
    wishes = [mse(score, torch.ones_like(score)) for score in scores]
    loss = weight["adversarial"] * (wishes[0] + wishes[1]) + weight["turned_adversarial"] * wishes[2]
    loss = loss + weight["cycle"] * (l1(to_ct(fake_mr), ct) + l1(to_mr(fake_ct), mr))
    back, on = torch.rot90(turned_fake, 1, (3, 4)).detach(), torch.rot90(fake_mr, -1, (3, 4)).detach()
    loss = loss + weight["consistency"] * (l1(fake_mr, back) + l1(turned_fake, on))
    of.makers.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_([w for group in of.makers.param_groups for w in group["params"]], of.clip)
    of.makers.step()
    total = torch.zeros(())
    for critic, real, fake in zip(critics, reals, fakes, strict=True):
        critic.requires_grad_(True)
        good, bad = critic(real)[0], critic(fake.detach())[0]
        total = total + (mse(good, torch.ones_like(good)) + mse(bad, torch.zeros_like(bad))) / 2
    of.critics.zero_grad(set_to_none=True)
    total.backward()
    of.critics.step()


def step_seconds(steps: int) -> tuple[float, float]:
    """Median seconds of our step and of the plain one, taking turns."""
    both: list[tuple[Callable[[Players, Tensor, Tensor], None], Players, list[float]]] = [
        (ours, players(), []),
        (plain, players(), []),
    ]
    ct, mr = patches()
    for number in range(steps + 1):
        for function, of, took in both:
            start = time.perf_counter()
            function(of, ct, mr)
            if number:  # the first warms up
                took.append(time.perf_counter() - start)
    return statistics.median(both[0][2]), statistics.median(both[1][2])


def synthesized(what: str, bar: str, ct: Volume, model: Path, repeats: int) -> Measured:
    """`rtseg synthesize` of a CT as DICOM."""
    with tempfile.TemporaryDirectory() as place:
        write_ct_series(ct, Path(place) / "ct", Patient("BENCH", "BENCH"))
        command = [str(Path(sys.executable).with_name("rtseg")), "synthesize", f"{place}/ct", "--model", str(model)]
        return timed(what, bar, [*command, "--output", f"{place}/mr", "--overwrite"], repeats)


def contoured(what: str, bar: str, ct: Volume, model: Path, repeats: int) -> Measured:
    """`rtseg contour` of a CT as DICOM, through the synthetic MR, which is written too."""
    with tempfile.TemporaryDirectory() as place:
        write_ct_series(ct, Path(place) / "ct", Patient("BENCH", "BENCH"))
        command = [str(Path(sys.executable).with_name("rtseg")), "contour", f"{place}/ct", "--model", str(model), "--overwrite"]
        return timed(what, bar, [*command, "--output", f"{place}/rs.dcm", "--write-smr", f"{place}/mr"], repeats)


def slab_seconds(model: Path, precision: torch.dtype) -> float:
    """64 slices of 96 x 96 voxels through the generator, best of three."""
    translator = load_translator(model, Compute(torch.device("cpu"), precision)).translator
    slab, best = torch.zeros(1, 1, 64, 96, 96), float("inf")
    for _ in range(3):
        start = time.perf_counter()
        translated(slab, translator)
        best = min(best, time.perf_counter() - start)
    return best


def limb_ct(cases: Path) -> Volume:
    """The largest limb of a folder of cases, on 512 x 512 pixels."""
    ct = max((read_nifti(file) for file in cases.glob("*/ct.nii.gz")), key=lambda volume: volume.array.size)
    corners = ct.geometry.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    spacing = (ct.geometry.slice_spacing, 500 / 512, 500 / 512)
    first = np.array([*((low + high)[:2] / 2 - 500 / 512 * 511 / 2), low[2] + spacing[0] / 2])
    fine = resample(ct, Geometry.regular((ct.geometry.shape[0], 512, 512), spacing, first), outside=-1000.0)
    return Volume(np.rint(fine.array).astype(np.int16), fine.geometry)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--limb", type=Path, nargs=2, metavar=("LIMB_CASES", "LIMB_MODEL"))
    parser.add_argument("--contours", action="store_true", help="MODEL contours too: measure that")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    here, there = step_seconds(asked.steps)
    size = " x ".join(str(n) for n in read_system(SYSTEM).at_size("small").synthesis.patch)
    head = clinical_ct(asked.cases)
    rows = [synthesized("`rtseg synthesize`, head, 512 x 512 x 150", "10 s, 3 GB", head, asked.model, asked.repeats)]
    if asked.contours:
        rows.append(contoured("`rtseg contour --write-smr`, the same", "30 s, 4 GB", head, asked.model, asked.repeats))
    if asked.limb:
        limb = limb_ct(asked.limb[0])
        name = f"`rtseg synthesize`, limb, 512 x 512 x {limb.geometry.shape[0]}, grid of 2 mm"
        rows.append(synthesized(name, "30 s, 3 GB", limb, asked.limb[1], asked.repeats))
    lines = [
        f"{processor()}, torch {torch.__version__}, {torch.get_num_threads()} threads. "
        "Made by `python benchmarks/synthesis.py`; nothing else ran. Steps in float32, commands in the precision they choose.",
        "",
        f"A training step of {SYSTEM}, size small (two generators, three critics, one patch of {size}): {here:.2f} s; the same",
        f"step written out with the same networks {there:.2f} s: {here / there:.2f} times as long.",
        "",
        "From the start of the command to the verified files on the disk:",
        "",
        "| command | seconds | peak memory, GB | bar |",
        "|---|---|---|---|",
        *(f"| {row.what} | {row.seconds:.1f} | {row.peak_gb:.2f} | {row.bar} |" for row in rows),
    ]
    single, half = (slab_seconds(asked.model, precision) for precision in (torch.float32, torch.bfloat16))
    lines += [
        "",
        f"64 x 96 x 96 voxels through the generator: float32 {single:.2f} s, bfloat16 {half:.2f} s, ratio {single / half:.2f}.",
    ]
    put(HEADING, "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
