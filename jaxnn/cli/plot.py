"""`jaxnn plot RUN`, and `jaxnn plot activations` and the course's other figures."""

from pathlib import Path
from typing import Any

from jaxnn.cli.arguments import COURSE_FIGURES, Plot
from jaxnn.errors import UserError


def run(command: Plot) -> None:
    name = str(command.what)
    if name in COURSE_FIGURES and not command.what.is_dir():
        of_course(command, name)
    elif command.out is not None:
        raise UserError(f"--out goes with {', '.join(COURSE_FIGURES)}: a run's figures go into its folder")
    else:
        of_run(command)


def of_course(command: Plot, name: str) -> None:
    from jaxnn.cli import device

    device.start(command.device)
    from jaxnn.course import figures as course_figures
    from jaxnn.report.figures import save_pictures

    draw: dict[str, Any] = {
        "activations": course_figures.activation_figures,
        "costs": course_figures.cost_figures,
        "preprocessing": course_figures.preprocessing_figures,
        "gradient-norms": course_figures.gradient_norm_figures,
        "filters": course_figures.filter_figures,
        "optimizers": lambda: course_figures.optimizer_figures(("optimizers_neuron", "optimizers_circles")),
    }
    folder = command.out or Path("figures")
    folder.parent.mkdir(parents=True, exist_ok=True)
    drawn = draw[name]()
    save_pictures(folder, iter(drawn))
    for figure in drawn:
        print(folder / f"{figure.name}.png")


def of_run(command: Plot) -> None:
    from jaxnn.report import figures as run_figures
    from jaxnn.report.boundary_animation import animation, moves
    from jaxnn.report.run_page import write_page
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.reopen import reopen
    from jaxnn.storage.files import write_whole

    found, experiment = reopen(command.what, command.data_dir, command.device)
    history = run_folder.read_history(run_folder.check_file(found.folder, found.manifest, "history.csv").parent)
    run_folder.refuse_link(found.folder / "figures")
    drawn = run_figures.pictures(experiment, found.params, history, found.manifest["best_epoch"])
    figures = run_figures.save_pictures(found.folder / "figures", drawn)
    write_page(found.folder, found.config, found.manifest, figures)
    if moves(experiment):
        write_whole(found.folder / "figures" / "decision_boundary.gif", animation(experiment))
    written = [name for name in run_folder.files(found.folder) if name.startswith("figures/")]
    run_folder.write_manifest(found.folder, found.manifest, [*written, "report.html"])
    for figure in sorted((found.folder / "figures").glob("*.*")):
        print(figure)
    print(found.folder / "report.html")
