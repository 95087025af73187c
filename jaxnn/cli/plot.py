"""`jaxnn plot RUN`, and `jaxnn plot activations` and the course's other figures."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxnn.cli.progress import announce, report
from jaxnn.cli.run_arguments import COURSE_FIGURES, Plot
from jaxnn.cli.terminal import print_text
from jaxnn.errors import UserError

#: What the figures of the optimizers take on two cores.
OPTIMIZERS_TIME = "about 2 minutes"


def run(command: Plot, overrides: Sequence[str]) -> None:
    name = str(command.what)
    if name in COURSE_FIGURES and not command.what.is_dir():
        if overrides:
            raise UserError(f"--{overrides[0]}: goes with the folder of a run, found the figures {name} of the course")
        course_figure(command, name)
    elif command.out is not None:
        raise UserError(f"--out goes with {', '.join(COURSE_FIGURES)}: a run's figures go into its folder")
    else:
        run_figure(command, overrides)


def course_figure(command: Plot, name: str) -> None:
    from jaxnn.cli import device

    device.select_device(command.device)
    from jaxnn.course import figures as course_figures
    from jaxnn.report.figures import save_figures

    draw: dict[str, Any] = {
        "activations": course_figures.activation_figures,
        "costs": course_figures.cost_figures,
        "preprocessing": course_figures.preprocessing_figures,
        "gradient-norms": course_figures.gradient_norm_figures,
        "filters": course_figures.filter_figures,
        "optimizers": lambda: course_figures.optimizer_figures(
            ("optimizers_neuron", "optimizers_circles"),
            report=lambda text, i, n: report(f"{text}, {i + 1} of {n}", i / n),
        ),
    }
    if name == "optimizers":
        announce(f"drawing this figure trains with every optimizer, which takes {OPTIMIZERS_TIME}")
    folder = command.out or Path("figures")
    folder.parent.mkdir(parents=True, exist_ok=True)
    figures = draw[name]()
    save_figures(folder, iter(figures))
    for figure in figures:
        print_text(str(folder / f"{figure.name}.png"))


def run_figure(command: Plot, overrides: Sequence[str]) -> None:
    from jaxnn.cli.reopened import open_run
    from jaxnn.report.boundary_animation import boundary_animation, has_boundary_animation
    from jaxnn.report.figures import run_figures, save_figures
    from jaxnn.report.run_page import write_page
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.sample_arrays import NAME as SAMPLE_ARRAYS
    from jaxnn.runs.sample_arrays import SampleArrays, read_sample_arrays
    from jaxnn.runs.samples import NAME as SAMPLES
    from jaxnn.runs.samples import read_samples
    from jaxnn.storage.files import atomic_write
    from jaxnn.storage.locks import locked

    run = open_run(command.what, command.device, command.experiment).with_data(command.data_dir, overrides)
    assert run.folder is not None and run.manifest is not None
    folder, manifest = run.folder, dict(run.manifest)
    run_folder.reject_symlink(folder / "figures")
    with locked(folder):
        for name in (SAMPLES, SAMPLE_ARRAYS):
            if name in manifest["files"]:
                run_folder.check_file(folder, manifest, name)
        steps = run.experiment.plan.epochs * run.experiment.source.steps
        samples = SampleArrays(run.experiment, read_sample_arrays(folder), steps)
        drawn = run_figures(run.experiment, run.params, run.history, run.best_epoch)
        figures = save_figures(folder / "figures", itertools.chain(drawn, samples.figures()))
        texts = [(sample.title, sample.text) for sample in read_samples(folder)]
        write_page(folder, run.experiment.record.files, manifest, figures, texts, run.history)
        if has_boundary_animation(run.experiment):
            atomic_write(folder / "figures" / "decision_boundary.gif", boundary_animation(run.experiment))
        written = [name for name in run_folder.files(folder) if name.startswith("figures/")]
        run_folder.write_manifest(folder, manifest, [*written, "report.html"])
    for figure in sorted((folder / "figures").glob("*.*")):
        print_text(str(figure))
    print_text(str(folder / "report.html"))
