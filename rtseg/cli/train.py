"""`rtseg train`: a model from a clinic's own cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from rtseg.cli.terminal import Bar, answer, say, seconds

app = typer.Typer(no_args_is_help=True, help="Train a model on packed cases.")


@app.command("segmentation")
def segmentation(
    data: Annotated[Path, typer.Option(help="Folder made by `rtseg data pack`.")],
    run: Annotated[Path, typer.Option(help="Run folder; one that holds this run already is gone on with.")],
    system: Annotated[str, typer.Option(help="System that ships, or a YAML file.")] = "ct_only",
    task: Annotated[str, typer.Option(help="Task that ships, or a YAML file.")] = "head_neck",
    size: Annotated[
        Literal["tiny", "small", "full"], typer.Option(help="Size of the system: its network and schedule.")
    ] = "small",
    budget: Annotated[str | None, typer.Option(help="End cleanly after this time, as in 30m.")] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of the network (torch); reading and resampling take their own. All if not given."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Model (name or folder) whose weights are begun with; same network and organs.")
    ] = None,
    translator: Annotated[
        str | None, typer.Option(help="Model (name or folder) that makes the synthetic MRs, for a system that sees them.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights at the start and the order of patches.")] = 0,
) -> None:
    """Train a segmenter. Killed at any moment it goes on where its last checkpoint stands, on the same curve.

    Example: rtseg train segmentation --data PACKED_DIR --run RUN_DIR --budget 30m
    """
    from rtseg.jobs.train_segmentation import TrainOrder, train_segmentation

    bar = Bar("step")

    def progress(step: int, figures: dict[str, float]) -> None:
        bar.reach(step, " ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    budget_s = None if budget is None else seconds(budget)
    order = TrainOrder(system, task, data, run, size, budget_s, threads, seed, start, translator)
    try:
        step = train_segmentation(order, progress, bar.begin, lambda name: say(f"synthetic MR of {name} made"))
    except KeyboardInterrupt:
        say(f"stopped; the same command goes on from the last checkpoint in {run}")
        raise typer.Exit(130) from None
    finally:
        bar.end()
    answer(f"step {step} reached; make a model of it with: rtseg bundle {run} --output DIR")


@app.command("synthesis")
def synthesis(
    data: Annotated[Path, typer.Option(help="Folder made by `rtseg data pack`, with MRs.")],
    run: Annotated[Path, typer.Option(help="Run folder; one that holds this run already is gone on with.")],
    system: Annotated[str, typer.Option(help="System that ships, or a YAML file.")] = "dai2021",
    task: Annotated[str, typer.Option(help="Task that ships, or a YAML file.")] = "head_neck",
    size: Annotated[
        Literal["tiny", "small", "full"], typer.Option(help="Size of the system: its network and schedule.")
    ] = "small",
    budget: Annotated[str | None, typer.Option(help="End cleanly after this time, as in 30m.")] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of the network (torch). All if not given."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights at the start and the order of patches.")] = 0,
    accept_weak_pairs: Annotated[
        bool,
        typer.Option("--accept-weak-pairs", help="Train a method that needs registered pairs on pairs that are some mm apart."),
    ] = False,
    probe: Annotated[
        str | None, typer.Option(help="Model (name or folder) that segments MRs, for a system with the term perceptual.")
    ] = None,
) -> None:
    """Train a translator from CT to MR. Killed at any moment it goes on where its last checkpoint stands, on the same curve.

    Example: rtseg train synthesis --system dai2021 --task head_neck --data PACKED_DIR --run RUN_DIR --budget 30m
    """
    from rtseg.jobs.train_synthesis import SynthesisOrder, train_synthesis

    bar = Bar("step")

    def progress(step: int, figures: Mapping[str, float]) -> None:
        bar.reach(step, " ".join(f"{name} {value:.4g}" for name, value in figures.items()))

    budget_s = None if budget is None else seconds(budget)
    order = SynthesisOrder(system, task, data, run, size, budget_s, threads, seed, accept_weak_pairs, probe)
    try:
        step = train_synthesis(order, progress, bar.begin)
    except KeyboardInterrupt:
        say(f"stopped; the same command goes on from the last checkpoint in {run}")
        raise typer.Exit(130) from None
    finally:
        bar.end()
    answer(f"step {step} reached; make a model of it with: rtseg bundle {run} --output DIR")
