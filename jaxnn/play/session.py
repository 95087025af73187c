"""What all tabs of the page share: the config, the training of it, and what the page changes."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import tomli_w

from jaxnn.config.build import build_model
from jaxnn.config.dump import dump
from jaxnn.config.experiment import example_input
from jaxnn.config.load import load_text
from jaxnn.config.loaded_data import with_data_sizes
from jaxnn.config.schema import Config
from jaxnn.errors import UserError
from jaxnn.play.microscope import MISTAKES
from jaxnn.play.page_config import (
    check_page_config,
    check_page_size,
    examples_in_step,
    has_own_files,
    training_command,
)
from jaxnn.play.training import Training

if TYPE_CHECKING:
    from jaxnn.runs.run import Run

#: Epochs a second, at first, of a net that sees the full batch in each step.
FULL_BATCH_SPEED = 100.0


class Opened(NamedTuple):
    """What `jaxnn play` was asked to open.

    config: with what the command line changed
    base: the same without, and its name on the command line: from here the page's command says what was changed; None
        for the config of a link, which may name no files
    run: a finished run, whose parameters are shown until it is trained again
    """

    config: Config
    base: Config | None
    base_name: str = ""
    run: "Run | None" = None


class Session:
    """The state of the page. Every method may be called from any thread.

    data_dir: where the data of the opened config lie
    """

    def __init__(self, opened: Opened, data_dir: Path | None = None):
        self._opened, self._data_dir = opened, data_dir
        self._lock = threading.RLock()
        # An epoch of the full batch is one step: at the machine's own speed the run would be over before it is seen.
        speed = FULL_BATCH_SPEED if opened.config.train.batch_size is None else None
        self._training = Training(1, opened.config, data_dir, playing=True, speed=speed, finished=opened.run)

    @property
    def training(self) -> Training:
        """The training that is shown. What is asked of it after a change is answered of the one that was shown."""
        return self._training

    def state(self) -> dict[str, Any]:
        """What the page needs once for each training, as JSON values."""
        training = self.training
        command = training_command(training.config, self._opened.base, self._opened.base_name)
        return training.facts() | {"toml": dump(training.config), "command": command, "mistakes": list(MISTAKES)}

    def close(self) -> None:
        """Ends the training."""
        self.training.trainer.stop()
        self.training.trainer.join(5)

    def change(self, text: str) -> None:
        """Trains another config, which a TOML text describes.

        Raises `UserError` for a config that is invalid, or that a page may not ask for; the old training goes on then.
        """
        config = load_text(text, "the page")
        check_page_config(config, self._opened.base)
        own = has_own_files(config, self._opened.base)
        rows = examples_in_step(config, self._examples() if own else None)
        one = example_input(config, self._data_dir if own else None)
        example = jax.tree.map(lambda a: jax.ShapeDtypeStruct((rows, *a.shape[1:]), a.dtype), one)
        check_page_size(config, build_model(with_data_sizes(config, self._data_dir if own else None)), example)
        with self._lock:
            trainer = self.training.trainer
            self._start(config, playing=trainer.playing or not trainer.running)

    def change_tables(self, tables: Mapping[str, Any]) -> None:
        """The same for a config as the tables of a TOML file."""
        try:
            text = tomli_w.dumps(dict(tables))
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"config: expected the tables of a TOML file, found {error}") from error
        self.change(text)

    def press(self, button: str, speed: float | None = None) -> None:
        """Presses a button: play, pause, step, reset, or speed with the epochs a second (None: the machine's own)."""
        with self._lock:
            trainer = self.training.trainer
            if button == "reset" or (button in ("play", "step") and not trainer.running):
                self._start(self.training.config, playing=button == "play" or (button == "reset" and trainer.playing))
            if button != "reset":
                self.training.trainer.controls.press(button, speed)

    def save(self, name: str) -> str:
        """Writes the finished run as the folder `runs/name`, and returns its path.

        Raises `UserError` for a run that has not finished, for a name that is no plain word, and where a run of this
        name is there already.
        """
        # Here, because they import the library of the figures, for which the first picture need not wait.
        from jaxnn.runs import folder as run_folder
        from jaxnn.runs.manifest import make_manifest, now
        from jaxnn.runs.run import new_recorder

        if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 60 or not name.isascii():
            raise UserError(f"expected a name of letters, digits, - and _, found {name[:60]!r}")
        trainer = self.training.trainer
        experiment, result, saved = trainer.experiment, trainer.result, trainer.last_saved
        if trainer.status != "finished" or experiment is None or result is None or saved is None:
            raise UserError(
                "expected a run that this page has trained to its end, found another; let it train, or download TOML"
            )
        manifest = make_manifest(experiment, command=["jaxnn", "train", "page.toml"], start=now())
        claim = run_folder.claimed_path(Path("runs") / name, name, overwrite=False)
        with claim as folder, new_recorder(folder, experiment, manifest, None, overwrite=False) as recorder:
            recorder.save_checkpoint(saved)
            recorder.finish(result)
        return str(folder)

    def _examples(self) -> int | None:
        """The training examples of the data that are shown; None while they are read."""
        experiment = self.training.trainer.experiment
        examples = None if experiment is None else experiment.of_seed(0).examples("train")
        return None if examples is None else jax.tree.leaves(examples)[0].shape[0]

    def _start(self, config: Config, *, playing: bool) -> None:
        old = self.training
        speed = old.trainer.controls.speed
        self._training = Training(old.number + 1, config, self._data_dir, playing=playing, speed=speed, after=old)
