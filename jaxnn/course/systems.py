"""What the five decks report, system by system: the one place where the course's numbers stand.

A course number is one run of one seed on data whose seed was not recorded; accuracies are in per cent. Each is text,
with the digits that the deck prints: 96.0 says more than 96.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from jaxnn.errors import UserError, hint

#: When in a run a number was read. start: of the initial parameters; first and end: of the first and the last epoch
#: (the training part's as measured while training); best: of the best parameters, on the whole part; ensemble: of the
#: mean over the seeds of what those make of each example.
When = Literal["start", "first", "end", "best", "ensemble"]
Part = Literal["train", "validation", "test"]
Metric = Literal["accuracy", "loss"]


class Number(NamedTuple):
    """A number of a run. `course` is "" where the course gives none; `why` says, where it is known, why its number can
    lie outside ours. `target`: what the mean over the seeds is to reach, where it is to reach something."""

    when: When
    part: Part
    metric: Metric
    course: str = ""
    why: str = ""
    target: float | None = None

    @property
    def name(self) -> str:
        """As a table and a config's claim write it: "best test accuracy %"."""
        return f"{self.when} {self.part} {self.metric}" + (" %" if self.metric == "accuracy" else "")


class System(NamedTuple):
    """A row of the course: its config and the numbers to measure, or, without a config, the study that shows it."""

    id: str
    title: str
    decks: str
    config: str = ""
    seeds: int = 1
    numbers: tuple[Number, ...] = ()
    study: str = ""


def _best(
    start: str = "", train: str = "", test: str = "", *, train_why: str = "", test_why: str = ""
) -> tuple[Number, ...]:
    """The numbers of a NumPy system of the course, which keeps the best parameters on the training part."""
    return (
        Number("start", "train", "accuracy", start),
        Number("best", "train", "accuracy", train, train_why),
        Number("best", "test", "accuracy", test, test_why),
    )


def _keras(why: Mapping[str, str] | None = None, **numbers: tuple[str, str]) -> tuple[Number, ...]:
    """The numbers of a Keras system, each "when_part" = (loss, accuracy). why: by "part metric", or "" for all."""
    found, why = [], why or {}
    for key, pair in numbers.items():
        when, part = key.split("_")
        for metric, number in zip(("loss", "accuracy"), pair, strict=True):
            reason = why.get(f"{part} {metric}", why.get("", ""))
            found.append(Number(when, part, metric, number, reason))  # type: ignore[arg-type]  # words of `key`
    return tuple(found)


# Why the course's number can lie outside the range of our seeds, where something is known of it.
_FEW = "one seed, tested on 100 examples: of such a test chance alone makes about 4 points more or less"
_LESS = (
    "its net trained less far than nearly all of ours (85.8 %), and those of ours that train least test lower too; of "
    "a test of 100 digits chance alone makes 5 points more or less"
)
_DRAW = "update, λ and step are the deck's; its 500 digits are one draw; why it fits them less is not known"
_MANY = "one seed; of a test on 10 000 digits chance alone makes 0.2 points more or less"
_SPLIT = (
    "one seed; by the file's own split (data.shuffle false) ours have the course's validation loss of epoch 1 (0.370 … "
    "0.379), but not that of the end (0.120 … 0.122); what else differs is not known"
)
_AHEAD = (
    "the course's epoch 1 begins where a new net is in epoch 3, and its loss falls from there half as fast (by 0.0033 "
    "an epoch): no new net, or not with this step alone; what it was is not recorded"
)
_WARM = (
    "the course's epoch 1 begins at a loss of 0.12, where a new net has 0.40: its net had been trained for some epochs "
    "before, so its 30 are more than ours"
)
_BOUND = "the course gives a bound, greater than 99 %, and no number"

SYSTEMS: tuple[System, ...] = (
    System("S01", "threshold perceptron on the beach table", "D", "beach_perceptron", 20,
           (Number("best", "train", "accuracy", "100"),)),
    System("S02", "one sigmoid neuron on blobs", "A, D", "blobs_neuron", 20, _best("48.0", "87.2", "88")),
    System("S03", "gradient descent on C = w²", "A, C, D", "parabola", 1, (Number("best", "train", "loss"),)),
    System("S04", "2-10-2 sigmoid net on circles, 2026", "B", "circles_mlp", 20, _best("51.2", "87.5", "83")),
    System("S04", "2-10-2 sigmoid net on circles, 2017", "D", "circles_mlp_2017", 20,
           _best("51.2", "86.0", "73", test_why=_FEW)),
    System("S05", "784-30-10 sigmoid net on 500 digits, 2026", "B", "mnist500_mlp", 20,
           _best("10.8", "85.8", "59", test_why=_LESS)),
    System("S05", "784-30-10 sigmoid net on 500 digits, 2017", "D", "mnist500_mlp_2017", 20,
           _best("14.4", "98.8", "82")),
    System("S06", "the same with L2, λ = 5", "D", "mnist500_l2", 20, _best("9.2", "93.2", "87", train_why=_DRAW)),
    System("S07", "the same with dropout", "B, D", "mnist500_dropout", 20, _best()),
    System("S08", "Keras 784-30-10, mean squared error, 60 000 digits", "C", "mnist_sigmoid_mse", 5,
           _keras(first_train=("0.1368", "19.33"), end_train=("0.0225", "89.47"), end_test=("0.0246", "88.52"))),
    System("S09", "the same net on 1000 digits, SGD 1", "D", "mnist1000_sigmoid_mse", 20,
           _keras({"": _AHEAD}, first_train=("0.0742", "46.1"),
                  first_validation=("0.0759", "41.0"), end_train=("0.0107", "96.0"),
                  end_validation=("0.0234", "87.5"), end_test=("0.0202", "87"))),
    System("S10", "Keras tanh and softmax, 50 000 digits", "D", "mnist_tanh_softmax", 5,
           _keras({"": _SPLIT, "validation accuracy": _MANY, "test accuracy": _MANY},
                  first_train=("0.6853", "82.61"), first_validation=("0.3783", "90.21"), end_train=("0.0543", "98.60"),
                  end_validation=("0.1342", "96.33"), end_test=("0.1220", "96.54"))),
    System("S11", "convolutional net", "D", "mnist_cnn", 3,
           _keras({"": _WARM}, first_train=("0.1219", "96.58"), first_validation=("0.1083", "97.07"),
                  end_train=("0.0060", "99.96"),
                  end_validation=("0.0464", "98.66"), end_test=("0.0341", "98.87"))),
    System("S12", "a second convolution, dropout, augmented digits", "A, D", "mnist_cnn_deep", 3,
           (Number("best", "test", "accuracy", "99", _BOUND),)),
    System("S13", "activation functions and their derivatives", "D, E", study="activations"),
    System("S14", "quadratic cost and cross-entropy from a saturated start", "D, E", study="costs"),
    System("S15", "ten optimizers on one neuron", "D", "optimizers_neuron", 5, study="optimizers"),
    System("S15", "ten optimizers on the circles net", "D", "optimizers_circles", 5, study="optimizers"),
    System("S15", "ten optimizers on a denoising net", "D", "optimizers_cosine", 5, study="optimizers"),
    System("S16", "learned filters and their feature maps; pooling by max, mean, L2", "D", study="filters"),
    System("S17", "time of an epoch of S11 on this machine", "D", study="time"),
    System("S18", "preprocessing; initial weights; vanishing gradients", "D, E", study="gradients"),
    System("S19", "over-fitting as the gap between training and validation", "all", study="gap"),
    System("S20", "denoising a cosine", "E", "cosine_denoise", 20,
           (Number("best", "train", "loss"), Number("best", "test", "loss"))),
    System("S21", "three dense layers on normalized digits, five seeds", "E", "mnist_three_layer", 5,
           (Number("best", "validation", "accuracy"), Number("best", "test", "accuracy"))),
    System("S22", "the gradients of a dense layer: W, b and x", "E", study="dense"),
    System("S23", "arg-max, accuracy, confusion", "all", "digits_mlp", 5,
           (Number("best", "validation", "accuracy"), Number("best", "test", "accuracy"))),
)  # fmt: skip


def _record(
    target: float, ensemble: float | None = None, parts: tuple[Part, ...] = ("validation", "test")
) -> tuple[Number, ...]:
    """What a record is to reach on test digits: the mean over its seeds, and all its seeds together."""
    goals: tuple[tuple[When, float | None], ...] = (("best", target), ("ensemble", ensemble))
    return tuple(
        Number(when, part, "accuracy", target=goal if part == "test" else None)
        for when, goal in goals
        for part in parts
    )


#: `--records`: what the library can do on MNIST. Every choice in these configs is one of validation digits; R3, its
#: choices made, learns from those digits too. Six seeds take two cores as long as five.
RECORDS: tuple[System, ...] = (
    System("R1", "multi-layer perceptron, no augmentation", "", "record_mlp", 6, _record(98.6)),
    System("R2", "multi-layer perceptron, elastic distortion", "", "record_mlp_elastic", 6, _record(99.2)),
    System("R3", "convolutional net, augmented", "", "record_cnn", 6, _record(99.6, 99.7, ("test",))),
)

#: Seconds that the course's machine took for an epoch of its convolutional net on 50 000 digits (2017).
EPOCH_SECONDS = {"Power 8 CPU": "41", "P100 GPU": "4", "2017 laptop, first epoch": "33"}


def choose(ids: Sequence[str], among: Sequence[System] = SYSTEMS) -> tuple[System, ...]:
    """The systems of these ids, in their own order; all for none. Raises `UserError` for an id that is none."""
    good = list(dict.fromkeys(system.id for system in among))
    wanted = [text.upper() for text in ids]
    for text, given in zip(wanted, ids, strict=True):
        if text not in good:
            raise UserError(f"expected systems among {', '.join(good)}, found {given!r}{hint(text, good)}")
    return tuple(system for system in among if not wanted or system.id in wanted)
