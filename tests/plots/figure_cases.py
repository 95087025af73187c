"""One case for each public figure: it draws random data, and passes every array of floats through `transform`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jaxnn import plots
from jaxnn.plots.structure import graph_positions

Transform = Callable[[Any], np.ndarray]

# Class names or titles that a user may choose: invalid mathtext, a new line, characters without a glyph, a long name.
HOSTILE = ("$\\frac{$", "a\nb\t", "日本語\U0001f600", "_x" * 40, "<b>&", "%s{}")
# Names that differ in the middle only, at the end only, and in their scripts.
LONG_NAMES = (
    *(f"{'a name of many words ' * 2}{i} {'and more ' * 4}" for i in range(5)),
    *("_x" * 40 + f"{i}" for i in range(5)),
)
SCRIPTS = (
    "猫",
    "犬の写真",
    "قطة",
    "كلب كبير",
    "\U0001f600 happy",
    "\U0001f996",
    "Ελλάδα",
    "кошка",
    "हिन्दी",
    "한국어 이름",
)


def learning_curves(rng: np.random.Generator, transform: Transform) -> Figure:
    keys = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
    history = {"epoch": np.arange(1, 18)} | {key: transform(rng.random((3, 17))) for key in keys}
    levels = {"loss": {HOSTILE[1]: 0.5, HOSTILE[2]: 0.4}}
    return plots.learning_curves(history, title=HOSTILE[0], best_epoch=np.array([11, 13, 17]), levels=levels)


def confusion_matrix(rng: np.random.Generator, transform: Transform) -> Figure:
    del transform  # counts are integers
    return plots.confusion_matrix(rng.integers(0, 1000, (7, 7)), HOSTILE)


def confusion_matrix_of_two_classes(rng: np.random.Generator, transform: Transform) -> Figure:
    del transform
    return plots.confusion_matrix(
        rng.integers(0, 1000, (2, 2)), ("0", "1"), title="Confusion, validation part, seed 11"
    )


def gradient_descent(rng: np.random.Generator, transform: Transform) -> Figure:
    grid, steps = np.linspace(-1, 1, 31), 0.8 ** np.arange(13)
    return plots.gradient_descent(grid, transform(grid**2), transform(steps), transform(steps**2), title=HOSTILE[0])


def misclassified(rng: np.random.Generator, transform: Transform) -> Figure:
    true, predicted = rng.integers(0, 6, (2, 29))
    images, chance = transform(rng.random((29, 7, 5))), transform(rng.random(29))
    return plots.misclassified(images, true, predicted, chance, HOSTILE)


def misclassified_of_two_images(rng: np.random.Generator, transform: Transform) -> Figure:
    images, chance = transform(rng.random((2, 8, 8))), transform(rng.random(2))
    return plots.misclassified(images, [1, 0], [0, 1], chance, HOSTILE, title="Misclassified examples of the test part")


def decision_boundary(rng: np.random.Generator, transform: Transform) -> Figure:
    x, y, points = np.linspace(-2, 3, 31), np.linspace(-1, 2, 23), transform(rng.normal(size=(19, 2)))
    chance = transform(1 / (1 + np.exp(-x - 2 * y[:, None])))
    return plots.decision_boundary(x, y, chance, points, rng.integers(0, 2, 19), HOSTILE)


def decision_boundary_of_three_classes(rng: np.random.Generator, transform: Transform) -> Figure:
    x, y, points = np.linspace(-2, 3, 31), np.linspace(-1, 2, 23), transform(rng.normal(size=(19, 2)))
    score = np.exp(np.stack([x - y[:, None], x + y[:, None], 0 * x - y[:, None]], axis=-1))
    chance = transform(score / score.sum(axis=-1, keepdims=True))
    return plots.decision_boundary(x, y, chance, points, rng.integers(0, 3, 19), HOSTILE)


def weights(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.weights(transform(rng.normal(size=(35, 13))), (7, 5))


def weights_of_colour_images(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.weights(transform(rng.normal(size=(105, 29))), (7, 5, 3))


def filters(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.filters(transform(rng.normal(size=(5, 3, 1, 23))))


def filters_of_many_inputs(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.filters(transform(rng.normal(size=(3, 5, 7, 17))))


def forecast(rng: np.random.Generator, transform: Transform) -> Figure:
    truth, ahead, running = (transform(rng.normal(size=29)) for _ in range(3))
    return plots.forecast(truth, ahead, running, HOSTILE[1], title=HOSTILE[0])


def parity(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.parity(transform(rng.normal(size=(29, 4))), transform(rng.normal(size=(29, 4))), HOSTILE[:3])


def parity_of_one_output(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.parity(transform(rng.normal(size=(29, 1))), transform(rng.normal(size=(29, 1))), title=HOSTILE[0])


def reconstructions(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.reconstructions(*(transform(rng.random((7, 5, 6, 1))) for _ in range(2)), title=HOSTILE[0])


def sample_images(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.sample_images(transform(rng.random((11, 5, 6, 3))), HOSTILE[:1] * 11, title=HOSTILE[0])


def sample_points(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.sample_points(*(transform(rng.normal(size=(29, 2))) for _ in range(2)), title=HOSTILE[0])


def points_over_training(rng: np.random.Generator, transform: Transform) -> Figure:
    samples, real = transform(rng.normal(size=(5, 29, 2))), transform(rng.normal(size=(31, 2)))
    return plots.points_over_training(samples, real, HOSTILE[:1] * 5, title=HOSTILE[0])


def segmentation(rng: np.random.Generator, transform: Transform) -> Figure:
    x, labels = transform(rng.random((2, 5, 6, 1))), [rng.integers(4, size=(2, 5, 6)) for _ in range(2)]
    return plots.segmentation(x, *labels, title=HOSTILE[0])


def detections(rng: np.random.Generator, transform: Transform) -> Figure:
    true = [[(HOSTILE[0][:3], (1, 0, 5, 4))], []]
    return plots.detections(transform(rng.random((2, 6, 7, 1))), true, true[::-1], title=HOSTILE[0])


def classes_in_plane(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.classes_in_plane(transform(rng.normal(size=(29, 2))), np.arange(29) % 3, HOSTILE[:3], title=HOSTILE[0])


def graph_drawing(rng: np.random.Generator, transform: Transform) -> Figure:
    edges = np.asarray([[0, 1], [1, 2], [2, 0], [3, 4], [2, 3]])
    positions = transform(graph_positions(edges, 5))
    return plots.graph_drawing(
        positions, edges, np.arange(5) % 2, HOSTILE[:2], rng.random(5), marked=[1], title=HOSTILE[0]
    )


def class_bars(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.class_bars(transform(rng.random(3)), HOSTILE[:3], "F1", title=HOSTILE[0])


def seed_histogram(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.seed_histogram(transform(rng.random(29)), "accuracy (%)", {HOSTILE[0]: 0.5}, title=HOSTILE[0])


def shares_by_class(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.shares_by_class(transform(rng.random((3, 4))), HOSTILE[:3], ["1", "2", "3", "4"], title=HOSTILE[0])


def novelty_scores(rng: np.random.Generator, transform: Transform) -> Figure:
    new = np.arange(97) % 3 == 0
    return plots.novelty_scores(transform(rng.random(97) + new), new, 0.9, 0.8, title=HOSTILE[0])


def denoised_signals(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.denoised_signals(*(transform(rng.normal(size=(2, 53))) for _ in range(3)))


def activation_functions(rng: np.random.Generator, transform: Transform) -> Figure:
    x = np.linspace(-5, 5, 41)
    return plots.activation_functions(
        x, {name: (transform(np.tanh(x)), transform(1 - np.tanh(x) ** 2)) for name in HOSTILE[:5]}
    )


def cost_comparison(rng: np.random.Generator, transform: Transform) -> Figure:
    output, gradient = ({name: transform(rng.random((3, 31))) for name in HOSTILE[:2]} for _ in range(2))
    return plots.cost_comparison(np.arange(31), output, gradient, target=0.0)


def gradient_norms(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.gradient_norms(np.arange(19), {name: transform(rng.random((3, 19))) for name in HOSTILE})


def preprocessing(rng: np.random.Generator, transform: Transform) -> Figure:
    clouds = {name: transform(rng.normal(size=(37, 2))) for name in HOSTILE[:4]}
    return plots.preprocessing(clouds, rng.integers(0, 3, 37))


def optimizer_paths(rng: np.random.Generator, transform: Transform) -> Figure:
    x, y = np.linspace(-2, 2, 29), np.linspace(-1, 3, 23)
    surface = transform((1 - x) ** 2 + 100 * (y[:, None] - x**2) ** 2)
    return plots.optimizer_paths(x, y, surface, {name: transform(rng.normal(size=(11, 2))) for name in HOSTILE})


def feature_maps(rng: np.random.Generator, transform: Transform) -> Figure:
    image, kernel = transform(rng.random((13, 11, 3))), transform(rng.normal(size=(3, 5, 3, 23)))
    return plots.feature_maps(image, kernel, transform(rng.normal(size=(11, 7, 23))))


def loss_curves(rng: np.random.Generator, transform: Transform) -> Figure:
    curves = {name: transform(rng.random((3, 7))) for name in HOSTILE}
    return plots.loss_curves(np.arange(7), curves, "batch size (examples)")


def loss_curves_of_ten_names(rng: np.random.Generator, transform: Transform) -> Figure:
    curves = {name: transform(rng.random((5, 31))) for name in LONG_NAMES}
    return plots.loss_curves(np.arange(31), curves, "step")


def learning_curves_of_one_epoch(rng: np.random.Generator, transform: Transform) -> Figure:
    keys = ("train_loss", "validation_loss", "train_accuracy")
    return plots.learning_curves({"epoch": np.array([1])} | {key: transform(rng.random((1, 1))) for key in keys})


def confusion_matrix_of_long_names(rng: np.random.Generator, transform: Transform) -> Figure:
    del transform
    return plots.confusion_matrix(rng.integers(0, 1000, (10, 10)), LONG_NAMES)


def misclassified_of_many_scripts(rng: np.random.Generator, transform: Transform) -> Figure:
    true, predicted = rng.integers(0, len(SCRIPTS), (2, 29))
    return plots.misclassified(transform(rng.random((29, 7, 5))), true, predicted, transform(rng.random(29)), SCRIPTS)


def decision_boundary_of_ten_classes(rng: np.random.Generator, transform: Transform) -> Figure:
    x, y, points = np.linspace(-2, 3, 31), np.linspace(-1, 2, 23), transform(rng.normal(size=(97, 2)))
    chance = transform(rng.dirichlet(np.ones(10), (23, 31)))
    return plots.decision_boundary(x, y, chance, points, rng.integers(0, 10, 97), SCRIPTS)


def optimizer_paths_on_asinh_axes(rng: np.random.Generator, transform: Transform) -> Figure:
    x, y = 3 * np.sinh(np.linspace(-3, 4, 29)), 3 * np.sinh(np.linspace(-2, 3, 23))
    surface = transform(np.hypot(x, y[:, None]))
    paths = {name: transform(rng.normal(size=(11, 2)) * 3.0**i) for i, name in enumerate(LONG_NAMES)}
    return plots.optimizer_paths(x, y, surface, paths, linear_width=3.0)


def sweep(rng: np.random.Generator, transform: Transform) -> Figure:
    values = {name: [f"{rate:g}" for rate in rng.random(13)] for name in HOSTILE[:2]} | {HOSTILE[2]: list(HOSTILE[:13])}
    n = min(len(column) for column in values.values())
    return plots.sweep({name: column[:n] for name, column in values.items()}, transform(rng.random((n, 3))))


def sweep_of_one_hyperparameter(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.sweep({HOSTILE[0]: ["0.001", "0.01", "0.1", "1"]}, transform(rng.random((4, 3))))


def sweep_of_two_hyperparameters(rng: np.random.Generator, transform: Transform) -> Figure:
    values = {"rate": ["0.1", "0.2", "0.3"] * 2, HOSTILE[1]: ["a"] * 3 + ["b"] * 3}
    return plots.sweep(values, transform(rng.random((6, 3))))


def sweep_curves(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.sweep_curves(np.arange(1, 20), {name: transform(rng.random((3, 19))) for name in HOSTILE}, "loss")


def gradient_by_distance(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.gradient_by_distance({name: transform(0.8 ** np.arange(37) * rng.random(37)) for name in HOSTILE})


def gates_over_text(rng: np.random.Generator, transform: Transform) -> Figure:
    text = "$x_y\\ \n\t日本<b>&%s{}but soft, what light"
    return plots.gates_over_text(text, {name: transform(rng.random((len(text), 11))) for name in HOSTILE[:3]})


def gates_over_words(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.gates_over_text(HOSTILE, {"forget": transform(rng.random((len(HOSTILE), 11)))})


def attention_maps(rng: np.random.Generator, transform: Transform) -> Figure:
    text = "but soft,\nwhat light"
    weights = {f"block 1, head {i}": np.tril(rng.random((len(text), len(text)))) for i in range(5)}
    return plots.attention_maps(text, {name: transform(values) for name, values in weights.items()}, title=HOSTILE[0])


def attention_maps_of_words(rng: np.random.Generator, transform: Transform) -> Figure:
    return plots.attention_maps(HOSTILE, {name: transform(rng.random((6, 6))) for name in HOSTILE[:3]})


CASES: dict[str, Callable[[np.random.Generator, Transform], Figure]] = {
    case.__name__: case
    for case in (
        learning_curves,
        confusion_matrix,
        confusion_matrix_of_two_classes,
        gradient_descent,
        misclassified,
        misclassified_of_two_images,
        decision_boundary,
        decision_boundary_of_three_classes,
        weights,
        weights_of_colour_images,
        filters,
        filters_of_many_inputs,
        parity,
        parity_of_one_output,
        denoised_signals,
        reconstructions,
        sample_images,
        sample_points,
        points_over_training,
        segmentation,
        forecast,
        detections,
        class_bars,
        classes_in_plane,
        graph_drawing,
        seed_histogram,
        shares_by_class,
        novelty_scores,
        activation_functions,
        cost_comparison,
        gradient_norms,
        preprocessing,
        optimizer_paths,
        feature_maps,
        loss_curves,
        loss_curves_of_ten_names,
        learning_curves_of_one_epoch,
        confusion_matrix_of_long_names,
        misclassified_of_many_scripts,
        decision_boundary_of_ten_classes,
        optimizer_paths_on_asinh_axes,
        sweep,
        sweep_of_one_hyperparameter,
        sweep_of_two_hyperparameters,
        sweep_curves,
        gradient_by_distance,
        gates_over_text,
        gates_over_words,
        attention_maps,
        attention_maps_of_words,
    )
}
