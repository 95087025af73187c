"""`jaxnn plot RUN`."""

from jaxnn.cli.arguments import Plot


def run(command: Plot) -> None:
    from jaxnn import run_folder
    from jaxnn.cli import pictures
    from jaxnn.cli.again import reopen
    from jaxnn.cli.pages import write_page

    found, experiment = reopen(command.run, command.data_dir, command.device)
    history = run_folder.read_history(run_folder.check_file(found.folder, found.manifest, "history.csv").parent)
    drawn = pictures.pictures(experiment, found.params, history, found.manifest["best_epoch"])
    figures = pictures.save_pictures(found.folder / "figures", drawn)
    write_page(found.folder, found.config, found.manifest, figures)
    written = [name for name in run_folder.files(found.folder) if name.startswith("figures/")]
    run_folder.write_manifest(found.folder, found.manifest, [*written, "report.html"])
    for figure in sorted((found.folder / "figures").glob("*.png")):
        print(figure)
    print(found.folder / "report.html")
