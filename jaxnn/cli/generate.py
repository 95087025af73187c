"""`jaxnn generate RUN --prompt TEXT`."""

from jaxnn.cli.run_arguments import Generate
from jaxnn.cli.tables import write_json
from jaxnn.cli.terminal import print_text
from jaxnn.errors import UserError
from jaxnn.experiment.seeds import LAST_SEED


def run(command: Generate) -> None:
    from jaxnn.cli.reopened import open_run

    run = open_run(command.run, command.device, command.experiment)
    seeds = len(run.experiment.seeds)
    if not 0 <= command.run_seed < seeds:
        raise UserError(f"--run-seed: expected the position of one of {seeds} seeds, 0 first, found {command.run_seed}")
    if not 0 <= command.seed <= LAST_SEED:
        raise UserError(f"--seed: expected a number from 0 to {LAST_SEED}, found {command.seed}")
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
