"""One training as the page sees it: its frames, its points, its gradient, what it says of a drawing."""

import functools
import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxnn.config.build import build_loss
from jaxnn.config.dump import to_builtins
from jaxnn.config.experiment import make_experiment
from jaxnn.config.schema import Config
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment, seed_params
from jaxnn.experiment.scores import predict
from jaxnn.experiment.seeds import seed_range
from jaxnn.layer import Layer
from jaxnn.play.frame import curves, encode_frame
from jaxnn.play.microscope import Microscope
from jaxnn.play.pictures import Pictures, make_pictures
from jaxnn.play.trainer import Trainer, View
from jaxnn.storage.arrays import path_name

if TYPE_CHECKING:
    from jaxnn.runs.run import Run

#: Points of each part that are shown on the plane.
MAX_SHOWN_POINTS = 1000
#: Seconds that a request for the next frame waits for one.
FRAME_SECONDS = 1.0


class Training:
    """A config that is trained. Every method may be called from any thread.

    number: of this training among those of the page
    after: the training that ends before this one starts
    finished: a finished run of the config, which is shown in place of a training
    """

    def __init__(
        self,
        number: int,
        config: Config,
        data_dir: Path | None,
        *,
        playing: bool,
        speed: float | None,
        after: "Training | None" = None,
        finished: "Run | None" = None,
    ):
        self.number: int = number
        self.config: Config = config
        self._float64 = config.train.precision == "float64"
        self._drawing = threading.Lock()
        self._drawn_digit: np.ndarray | None = None
        seeds = seed_range(config.train.seed, config.train.seeds)
        self.trainer: Trainer = Trainer(
            functools.partial(make_experiment, config, data_dir=data_dir, seeds=seeds),
            playing=playing,
            speed=speed,
            float64=self._float64,
            after=None if after is None else after.trainer,
            finished=finished,
        )

    @property
    def experiment(self) -> Experiment:
        """The experiment. Raises `UserError` while its data are read."""
        experiment = self.trainer.experiment
        if experiment is None:
            raise UserError("expected a training, found one whose data are still read")
        return experiment

    def facts(self) -> dict[str, Any]:
        """What the page needs once for this training, as JSON values."""
        facts: dict[str, Any] = {
            "run": self.number,
            "title": self.config.title,
            "config": to_builtins(self.config),
            "ready": self.trainer.experiment is not None,
        }
        if self.trainer.experiment is None:
            return facts
        experiment, pictures = self.experiment, self._pictures(0)
        shapes = experiment.state_shapes().best.params
        leaves = jax.tree_util.tree_leaves_with_path(shapes)
        return facts | {
            "seeds": list(experiment.seeds),
            "epochs": experiment.plan.epochs,
            "kind": pictures.kind,
            "digit": experiment.data.reader is not None and pictures.kind == "image",
            "classes": list(experiment.data.classes),
            "low": pictures.low,
            "high": pictures.high,
            "columns": [{**column._asdict(), "shape": list(column.shape)} for column in pictures.columns],
            "layers": [part.layer.name for part in self._model.parts],
            "leaves": [{"name": path_name(path), "shape": list(leaf.shape[1:])} for path, leaf in leaves],
        }

    def points(self, seed: int) -> dict[str, Any]:
        """The points of the plane of one seed: part -> rows of across, up and class; {} for other data."""
        if self._pictures(0).kind != "plane":
            return {}
        experiment, parts = self.experiment.of_seed(self._checked(seed)), {}
        for part in experiment.parts():
            x, y = map(np.asarray, experiment.examples(part) or ())
            rows = np.concatenate([x[:MAX_SHOWN_POINTS].astype(float), y[:MAX_SHOWN_POINTS, None]], axis=1)
            parts[part] = np.round(rows, 4).tolist()
        return parts

    def frame(self, after: int, seed: int) -> bytes:
        """The next frame: that of a view with a number above `after`, or of the last view after a while.

        seed: the position of the seed whose net is drawn
        """
        trainer = self.trainer
        view = trainer.newest(after, FRAME_SECONDS)
        facts: dict[str, Any] = {
            "run": self.number,
            "view": 0 if view is None else view.number,
            "status": trainer.status,
            "message": trainer.message,
            "playing": trainer.playing,
            "speed": trainer.controls.speed,
            "steps": 0 if view is None else view.steps,
        }
        if view is None:
            return encode_frame(facts, {})
        facts["epoch"] = view.steps / self.experiment.source.steps
        arrays, facts["last"] = curves(trainer.history)
        if trainer.ended is not None:
            facts["best_epoch"] = list(trainer.ended.best_epoch)
            facts["scores"] = {part: _plain(metrics) for part, metrics in trainer.ended.scores.items()}
            facts["sha256"] = trainer.ended.sha256
        return encode_frame(facts, arrays | self._drawn(view, self._checked(seed)))

    def gradient(self, leaf: str, index: int, seed: int, mistake: str, layer: int) -> dict[str, Any]:
        """What the microscope reads of a parameter; see `Microscope.read`."""
        view = self._view()
        params = seed_params(view.params, self._checked(seed))
        return {**self._microscope.read(params, leaf, index, mistake, layer)._asdict(), "steps": view.steps}

    def draw_digit(self, png: bytes) -> dict[str, Any]:
        """What the net says of a drawing, which is prepared as `jaxnn predict` prepares a file: the mean over seeds.

        The activations of the next frames are those of this drawing.
        """
        view, experiment = self._view(), self.experiment
        reader = experiment.data.reader
        if reader is None or self._pictures(0).kind != "image":
            raise UserError("expected a net that reads images, found another")
        x = reader.inputs(io.BytesIO(png))  # pyright: ignore[reportArgumentType]  # readers of images take a content
        outputs = [self._prediction(view, x, i) for i in range(len(experiment.seeds))]
        self._drawn_digit = np.asarray(x)
        self.trainer.touch()
        pixels = np.asarray(x, float)[0].mean(axis=-1) / experiment.data.max_value
        return {
            "probabilities": np.mean(outputs, axis=0).tolist(),
            "classes": list(experiment.data.classes),
            "image": np.round(pixels, 3).tolist(),
            "steps": view.steps,
        }

    def _prediction(self, view: View, x: Any, seed: int) -> np.ndarray:
        with jax.enable_x64(self._float64):
            return np.asarray(predict(self.experiment, seed_params(view.params, seed), x, seed))[0]

    @functools.cached_property
    def _compiling_prediction(self) -> threading.Thread:
        """Compiles the prediction, so that the first drawing need not wait for it."""
        example, view = self._pictures(0).example, self._view()
        thread = threading.Thread(target=self._prediction, args=(view, example, 0), daemon=True)
        thread.start()
        return thread

    def _checked(self, seed: int) -> int:
        """The position of a seed itself; 0 where there is none, as after a change to fewer seeds."""
        return seed if 0 <= seed < len(self.experiment.seeds) else 0

    def _view(self) -> View:
        view = self.trainer.newest(0, FRAME_SECONDS)
        if view is None:
            raise UserError("expected a net, found one that is still compiled; try again in a moment")
        return view

    def _drawn(self, view: View, seed: int) -> dict[str, np.ndarray]:
        # One at a time: they would only take the cores from each other and from the training.
        with self._drawing, jax.enable_x64(self._float64):
            pictures = self._pictures(seed if self.experiment.stacked else 0)
            if pictures.draw is None:
                return {}
            if pictures.kind == "image":
                _ = self._compiling_prediction
            x = pictures.example if self._drawn_digit is None else self._drawn_digit
            return dict(jax.device_get(pictures.draw(seed_params(view.params, seed), x)))

    @functools.lru_cache(16)  # noqa: B019  # a training lives as long as it is shown
    def _pictures(self, seed: int) -> Pictures:
        with jax.enable_x64(self._float64):
            return make_pictures(self.experiment.of_seed(seed))

    @property
    def _model(self) -> Layer:
        model = self.experiment.bound().model
        if model is None:
            raise UserError("expected a net, found an update without one")
        return model

    @functools.cached_property
    def _microscope(self) -> Microscope:
        if self.config.loss is None:
            raise UserError("expected a net with one loss, found another")
        return Microscope(self._model, build_loss(self.config), self.experiment)


def _plain(metrics: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """The metrics with one finite number for each seed, as JSON values."""
    return {name: a.tolist() for name, a in metrics.items() if np.ndim(a) == 1 and np.isfinite(a).all()}
