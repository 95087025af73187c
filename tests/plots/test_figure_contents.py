"""Each figure shows the numbers it was given."""

import numpy as np
import pytest
from figure_cases import CASES, HOSTILE
from matplotlib.collections import PolyCollection
from matplotlib.contour import ContourSet
from matplotlib.text import Text

from jaxnn import plots


def history(**metrics):
    return {"epoch": np.arange(1, 8)} | {name: np.asarray(value, float) for name, value in metrics.items()}


def curve(figure, panel: int, line: int) -> tuple[np.ndarray, np.ndarray]:
    drawn = figure.axes[panel].lines[line]
    return np.asarray(drawn.get_xdata()), np.asarray(drawn.get_ydata())


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def boundary(figure) -> np.ndarray:
    """All points of the contours that are lines."""
    sets = [c for c in figure.axes[0].collections if isinstance(c, ContourSet) and not c.filled]
    return np.concatenate([path.vertices for c in sets for path in c.get_paths()])


@pytest.mark.parametrize("name", ["optimizer_paths", "gradient_norms", "loss_against"])
def test_every_name_is_in_the_legend(name):
    words = legend(CASES[name](np.random.default_rng(7), np.asarray))
    assert len([w for w in words if not w.startswith("line: mean")]) == len(HOSTILE)


def test_names_are_shown_as_they_are_written():
    figure = plots.loss_curves([1, 2], {r"$\alpha$": [1, 2], "_x": [1, 2]}, "epoch")
    figure.draw_without_rendering()
    assert [name.strip() for name in legend(figure)] == [r"$\alpha$", "_x"]
    assert not any(t.get_parse_math() for t in figure.findobj(Text) if isinstance(t, Text))


def test_learning_curves_draw_mean_and_range_over_seeds():
    loss = np.random.default_rng(3).random((5, 7)) + 1
    figure = plots.learning_curves(history(train_loss=loss))
    assert np.allclose(curve(figure, 0, 0)[1], loss.mean(axis=0))
    band = next(c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
    corners = band.get_paths()[0].vertices
    for epoch, values in zip(range(1, 8), loss.T, strict=True):
        drawn = np.asarray(corners)[np.asarray(corners)[:, 0] == epoch, 1]
        assert np.allclose((drawn.min(), drawn.max()), (values.min(), values.max()))
    assert "line: mean, band: min to max of 5 seeds" in legend(figure)


def test_one_seed_has_no_band():
    figure = plots.learning_curves(history(train_loss=np.ones((1, 7))))
    assert not figure.axes[0].collections and legend(figure) == ["train"]


def test_train_is_solid_and_validation_dashed_in_percent():
    figure = plots.learning_curves(history(train_accuracy=np.full(7, 0.25), validation_accuracy=np.full(7, 0.5)))
    lines = figure.axes[1].lines
    assert [(line.get_label(), line.get_linestyle()) for line in lines] == [("train", "-"), ("validation", "--")]
    assert np.allclose(curve(figure, 1, 0)[1], 25) and np.allclose(curve(figure, 1, 1)[1], 50)
    assert figure.axes[1].get_ylabel() == "accuracy (%)"


def test_epochs_without_a_measurement_are_bridged_and_a_stopped_seed_leaves_the_mean():
    values = np.array([[1, np.nan, 3, np.nan, 5, 6, np.nan], [3, np.nan, 5, np.nan, np.nan, np.nan, np.nan]])
    x, y = curve(plots.learning_curves(history(train_loss=values)), 0, 0)
    assert np.array_equal(x, [1, 3, 5, 6]) and np.array_equal(y, [2, 4, 5, 6])


def test_infinite_losses_are_told_of():
    assert legend(plots.learning_curves(history(train_loss=[1, 2, np.inf, 2, 1, 1, 1]))) == [
        "train (infinite values not drawn)"
    ]


def test_accuracy_has_a_panel_only_where_it_was_measured():
    assert len(plots.learning_curves(history(train_loss=np.ones(7), train_accuracy=np.full(7, np.nan))).axes) == 1


@pytest.mark.parametrize(("last", "scale"), [(1.1e-2, "linear"), (0.9e-2, "log"), (-1.0, "linear")])
def test_loss_is_logarithmic_where_it_spans_more_than_two_decades(last, scale):
    figure = plots.learning_curves(history(train_loss=[1, 1, 1, 1, 1, 1, last]))
    assert figure.axes[0].get_yscale() == scale


def test_best_epoch_is_marked_for_one_seed_and_for_several():
    one = plots.learning_curves(history(train_loss=np.ones(7)), best_epoch=5)
    assert np.array_equal(curve(one, 0, 1)[0], [5, 5]) and "best epoch, 5" in legend(one)
    several = plots.learning_curves(history(train_loss=np.ones((3, 7))), best_epoch=[2, 3, 7])
    assert np.array_equal(curve(several, 0, 1)[0], [2, 3, 7])


def test_confusion_writes_each_count_in_its_cell():
    counts = np.random.default_rng(3).integers(1, 20_000, (5, 5))
    ax = plots.confusion_matrix(counts, ()).axes[0]
    written = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts}
    assert written == {(i, j): f"{counts[i, j]:,}" for i in range(5) for j in range(5)}
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "predicted class")
    assert np.allclose(np.asarray(ax.images[0].get_array()).sum(axis=1), 100)


def test_confusion_title_says_how_many_are_right():
    assert "75.00 % of 8 right" in plots.confusion_matrix([[4, 2], [0, 2]], ()).get_suptitle()
    assert "no example" in plots.confusion_matrix([[0, 0], [0, 0]], ()).get_suptitle()


def test_boundary_of_two_classes_is_where_the_probability_is_one_half():
    x, y = np.linspace(-2, 3, 53), np.linspace(-1, 2, 31)
    chance = 1 / (1 + np.exp(-(x + 3 * y[:, None])))
    line = boundary(plots.decision_boundary(x, y, chance, np.zeros((1, 2)), [0], ()))
    assert len(line) > 5 and np.abs(line @ [1, 3]).max() < 0.01


def test_two_columns_of_probability_are_as_one():
    x, y = np.linspace(-2, 3, 13), np.linspace(-1, 2, 7)
    chance = 1 / (1 + np.exp(-(x + 3 * y[:, None])))
    both = np.stack([1 - chance, chance], axis=-1)
    drawn = [plots.png(plots.decision_boundary(x, y, p, [[0, 1]], [1], ())) for p in (chance, both)]
    assert drawn[0] == drawn[1]


def test_boundaries_of_more_classes_are_where_the_two_likeliest_are_equal():
    centres = np.array([[-1.0, 0.0], [2.0, 1.0], [0.0, 2.0]])
    x, y = np.linspace(-2, 3, 101), np.linspace(-1, 3, 83)

    def far(points):
        return ((points[..., None, :] - centres) ** 2).sum(axis=-1)

    chance = np.exp(-far(np.stack(np.meshgrid(x, y), axis=-1)))
    chance /= chance.sum(axis=-1, keepdims=True)
    nearest = np.sort(far(boundary(plots.decision_boundary(x, y, chance, centres, [0, 1, 2], ()))), axis=-1)
    assert np.abs(nearest[:, 1] - nearest[:, 0]).max() < 0.2


def test_a_side_without_a_boundary_draws_none():
    figure = plots.decision_boundary([0, 1, 2], [0, 1], np.full((2, 3), 0.9), [[1, 1]], [0], ())
    assert legend(figure) == ["0"]


def test_signals_say_how_far_they_are_from_clean():
    ax = plots.denoised_signals(np.zeros(50), np.full(50, 2.0), np.full(50, 0.5)).axes[0]
    assert ax.get_title() == "rms error 2 noisy, 0.5 denoised" and ax.get_xlabel() == "sample"


def test_paths_start_and_end_where_they_do_and_stop_at_the_last_finite_step():
    path = [[0, 0], [1, 2], [np.inf, 0], [1, 1]]
    x, y = curve(plots.optimizer_paths([0, 1, 2], [0, 1, 2], np.eye(3), {"fast": path}), 0, 0)
    assert np.array_equal(x, [0, 1]) and np.array_equal(y, [0, 2])


def test_gradient_norms_are_logarithmic_and_a_zero_is_allowed():
    figure = plots.gradient_norms([0, 1], {"dense": [1e-7, 0.0], "conv": [1.0, 1.0]})
    assert figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize(("norms", "said"), [([30.0, 60.0], 3), ([5.0, 300.0], 3), ([1e-3, 30.0], 4)])
def test_a_logarithmic_axis_has_three_numbers_or_more(norms, said):
    figure = plots.gradient_norms([0, 1], {"dense": norms})
    figure.draw_without_rendering()
    (low, high), axis = figure.axes[0].get_ylim(), figure.axes[0].yaxis
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    shown = {tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high} - {""}
    assert len(shown) >= said


@pytest.mark.parametrize("count", [1, 2, 4, 5, 13])
def test_a_panel_for_each_activation_and_each_cloud(count):
    names = [f"name {i}" for i in range(count)]
    drawn = plots.activation_functions([0, 1], {name: ([0, 1], [1, 1]) for name in names})
    clouds = plots.preprocessing({name: np.eye(2) for name in names})
    assert [ax.get_title() for ax in drawn.axes] == names
    assert [ax.get_title().split("\n")[0] for ax in clouds.axes] == names
