"""`jaxnn generate RUN --prompt TEXT`."""

from jaxnn.cli.run_arguments import Generate
from jaxnn.cli.tables import write_json
from jaxnn.cli.terminal import print_text


def run(command: Generate) -> None:
    from jaxnn.cli.reopened import check_draw, open_run

    run = open_run(command.run, command.device, command.experiment)
    check_draw(run, command.seed, command.run_seed)
    texts = run.generate(
        command.prompt,
        command.length,
        temperature=command.temperature,
        top_k=command.top_k,
        top_p=command.top_p,
        seed=command.seed,
        samples=command.samples,
        stop=command.stop,
        run_seed=command.run_seed,
    )
    for i, text in enumerate(texts, 1):
        if len(texts) > 1:
            print_text(f"— sample {i} of {len(texts)} —")
        print_text(text)
    if command.json is not None:
        rows = [{"sample": i, "text": text} for i, text in enumerate(texts, 1)]
        facts = {"prompt": command.prompt, "seed": command.seed, "temperature": command.temperature}
        write_json(command.json, {"title": run.experiment.title, "rows": rows, **facts})
