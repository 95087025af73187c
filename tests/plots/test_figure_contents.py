"""Each figure shows the numbers passed to it."""

import numpy as np
import pytest
from figure_cases import CASES, HOSTILE, LONG_NAMES, SCRIPTS
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.contour import ContourSet
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

from jaxnn import plots
from jaxnn.plots import style


def history(**metrics):
    return {"epoch": np.arange(1, 8)} | {name: np.asarray(value, float) for name, value in metrics.items()}


def curve(figure, panel: int, line: int) -> tuple[np.ndarray, np.ndarray]:
    artist = figure.axes[panel].lines[line]
    return np.asarray(artist.get_xdata()), np.asarray(artist.get_ydata())


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def boundary(figure) -> np.ndarray:
    """The vertices of all contour lines."""
    sets = [c for c in figure.axes[0].collections if isinstance(c, ContourSet) and not c.filled]
    return np.concatenate([path.vertices for c in sets for path in c.get_paths()])


@pytest.mark.parametrize("name", ["optimizer_paths", "gradient_norms", "loss_curves"])
def test_legend_has_every_name(name):
    entries = legend(CASES[name](np.random.default_rng(7), np.asarray))
    assert len([entry for entry in entries if not entry.startswith("line: mean")]) == len(HOSTILE)


def test_names_are_shown_verbatim():
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
        column = np.asarray(corners)[np.asarray(corners)[:, 0] == epoch, 1]
        assert np.allclose((column.min(), column.max()), (values.min(), values.max()))
    assert "line: mean, band: min to max of 5 seeds" in legend(figure)


def test_learning_curves_of_one_seed_have_no_band():
    figure = plots.learning_curves(history(train_loss=np.ones((1, 7))))
    assert not figure.axes[0].collections and legend(figure) == ["train"]


def test_learning_curves_are_solid_for_train_and_dashed_for_validation_in_percent():
    accuracies = {"train_accuracy": np.full(7, 0.25), "validation_accuracy": np.full(7, 0.5)}
    figure = plots.learning_curves(history(train_loss=np.ones(7), **accuracies))
    lines = figure.axes[1].lines
    assert [(line.get_label(), line.get_linestyle()) for line in lines] == [("train", "-"), ("validation", "--")]
    assert np.allclose(curve(figure, 1, 0)[1], 25) and np.allclose(curve(figure, 1, 1)[1], 50)
    assert figure.axes[1].get_ylabel() == "accuracy (%)"


@pytest.mark.parametrize("metric", ["exact_match", "binary_accuracy", "top5_accuracy"])
def test_learning_curves_of_a_share_are_in_percent_as_in_the_tables(metric):
    figure = plots.learning_curves(history(**{f"train_{metric}": np.full(7, 0.25)}))
    assert np.allclose(curve(figure, 0, 0)[1], 25)
    assert figure.axes[0].get_ylabel() == f"{metric.replace('_', ' ')} (%)"


def test_learning_curves_have_a_panel_for_each_metric_that_was_measured():
    losses = {"train_generator_loss": np.ones(7), "train_critic_loss": np.ones(7)}
    figure = plots.learning_curves(
        history(**losses, validation_distance=np.ones(7), validation_loss=np.full(7, np.nan))
    )
    assert [ax.get_ylabel() for ax in figure.axes] == ["critic loss", "distance", "generator loss"]


def test_learning_curves_skip_nan_epochs_and_stopped_seeds():
    values = np.array([[1, np.nan, 3, np.nan, 5, 6, np.nan], [3, np.nan, 5, np.nan, np.nan, np.nan, np.nan]])
    x, y = curve(plots.learning_curves(history(train_loss=values)), 0, 0)
    assert np.array_equal(x, [1, 3, 5, 6]) and np.array_equal(y, [2, 4, 5, 6])


def test_learning_curves_report_infinite_losses_in_the_legend():
    assert legend(plots.learning_curves(history(train_loss=[1, 2, np.inf, 2, 1, 1, 1]))) == [
        "train (infinite values not drawn)"
    ]


def test_learning_curves_have_an_accuracy_panel_only_if_measured():
    assert len(plots.learning_curves(history(train_loss=np.ones(7), train_accuracy=np.full(7, np.nan))).axes) == 1


@pytest.mark.parametrize(("last", "scale"), [(1.1e-2, "linear"), (0.9e-2, "log"), (-1.0, "linear")])
def test_learning_curves_are_logarithmic_beyond_two_decades(last, scale):
    figure = plots.learning_curves(history(train_loss=[1, 1, 1, 1, 1, 1, last]))
    assert figure.axes[0].get_yscale() == scale


def test_learning_curves_mark_the_best_epoch_of_one_seed_and_of_several():
    single = plots.learning_curves(history(train_loss=np.ones(7)), best_epoch=5)
    assert np.array_equal(curve(single, 0, 1)[0], [5, 5]) and "best epoch: 5" in legend(single)
    several = plots.learning_curves(history(train_loss=np.ones((3, 7))), best_epoch=[2, 3, 7])
    assert np.array_equal(curve(several, 0, 1)[0], [2, 3, 7])


def test_learning_curves_show_a_best_epoch_before_their_only_evaluation(recwarn):
    figure = plots.learning_curves({"epoch": np.array([10]), "train_loss": np.ones((2, 1))}, best_epoch=[1, 9])
    plots.png(figure)
    low, high = figure.axes[0].get_xlim()
    assert low <= 1 and high >= 10 and not recwarn.list


def test_confusion_matrix_writes_each_count_in_its_cell():
    counts = np.random.default_rng(3).integers(1, 20_000, (5, 5))
    ax = plots.confusion_matrix(counts, ()).axes[0]
    written = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts}
    assert written == {(i, j): f"{counts[i, j]:,}" for i in range(5) for j in range(5)}
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "predicted class")
    assert np.allclose(np.asarray(ax.images[0].get_array()).sum(axis=1), 100)


def test_confusion_matrix_title_has_the_accuracy():
    assert "75.00 % of 8 correct" in plots.confusion_matrix([[4, 2], [0, 2]], ()).get_suptitle()
    assert "no examples" in plots.confusion_matrix([[0, 0], [0, 0]], ()).get_suptitle()


def test_decision_boundary_of_two_classes_is_at_probability_one_half():
    x, y = np.linspace(-2, 3, 53), np.linspace(-1, 2, 31)
    chance = 1 / (1 + np.exp(-(x + 3 * y[:, None])))
    line = boundary(plots.decision_boundary(x, y, chance, np.zeros((1, 2)), [0], ()))
    assert len(line) > 5 and np.abs(line @ [1, 3]).max() < 0.01


def test_decision_boundary_of_two_columns_equals_that_of_one():
    x, y = np.linspace(-2, 3, 13), np.linspace(-1, 2, 7)
    chance = 1 / (1 + np.exp(-(x + 3 * y[:, None])))
    both = np.stack([1 - chance, chance], axis=-1)
    pngs = [plots.png(plots.decision_boundary(x, y, p, [[0, 1]], [1], ())) for p in (chance, both)]
    assert pngs[0] == pngs[1]


def test_decision_boundary_of_more_classes_is_where_the_top_two_are_equal():
    centres = np.array([[-1.0, 0.0], [2.0, 1.0], [0.0, 2.0]])
    x, y = np.linspace(-2, 3, 101), np.linspace(-1, 3, 83)

    def squared_distances(points):
        return ((points[..., None, :] - centres) ** 2).sum(axis=-1)

    chance = np.exp(-squared_distances(np.stack(np.meshgrid(x, y), axis=-1)))
    chance /= chance.sum(axis=-1, keepdims=True)
    nearest = np.sort(
        squared_distances(boundary(plots.decision_boundary(x, y, chance, centres, [0, 1, 2], ()))), axis=-1
    )
    assert np.abs(nearest[:, 1] - nearest[:, 0]).max() < 0.2


def test_decision_boundary_without_a_crossing_draws_no_line():
    figure = plots.decision_boundary([0, 1, 2], [0, 1], np.full((2, 3), 0.9), [[1, 1]], [0], ())
    assert legend(figure) == ["0"]


def test_denoised_signals_title_has_the_rms_errors():
    ax = plots.denoised_signals(np.zeros(50), np.full(50, 2.0), np.full(50, 0.5)).axes[0]
    assert ax.get_title() == "rms error 2 noisy, 0.5 denoised" and ax.get_xlabel() == "sample"


def test_parity_has_a_panel_for_each_output_with_its_error_and_equal_axes():
    true = np.random.default_rng(3).normal(size=(31, 3))
    figure = plots.parity(true, np.add(true, [0, 1, -2]), ("height", "width"))
    for ax, name, error in zip(figure.axes, ("height", "width", "output 2"), (0, 1, 2), strict=True):
        assert ax.get_title() == f"{name}\nmean absolute error {error}"
        assert ax.get_xlim() == ax.get_ylim() and (ax.get_xlabel(), ax.get_ylabel()) == ("true", "predicted")
        diagonal, points = (np.asarray(line.get_data()) for line in ax.lines)
        assert np.array_equal(diagonal[0], diagonal[1])
        np.testing.assert_allclose(points[1] - points[0], [0, 1, -2][error], atol=1e-12)


def test_optimizer_paths_stop_at_the_last_finite_step():
    path = [[0, 0], [1, 2], [np.inf, 0], [1, 1]]
    x, y = curve(plots.optimizer_paths([0, 1, 2], [0, 1, 2], np.eye(3), {"fast": path}), 0, 0)
    assert np.array_equal(x, [0, 1]) and np.array_equal(y, [0, 2])


def test_gradient_norms_are_logarithmic_with_a_zero():
    figure = plots.gradient_norms([0, 1], {"dense": [1e-7, 0.0], "conv": [1.0, 1.0]})
    assert figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize(("norms", "count"), [([30.0, 60.0], 3), ([5.0, 300.0], 3), ([1e-3, 30.0], 4)])
def test_log_scale_has_at_least_three_tick_labels(norms, count):
    figure = plots.gradient_norms([0, 1], {"dense": norms})
    figure.draw_without_rendering()
    (low, high), axis = figure.axes[0].get_ylim(), figure.axes[0].yaxis
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    shown = {tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high} - {""}
    assert len(shown) >= count


@pytest.mark.parametrize("count", [1, 2, 4, 5, 13])
def test_activation_functions_and_preprocessing_have_a_panel_for_each_name(count):
    names = [f"name {i}" for i in range(count)]
    functions = plots.activation_functions([0, 1], {name: ([0, 1], [1, 1]) for name in names})
    clouds = plots.preprocessing({name: np.eye(2) for name in names})
    assert [ax.get_title() for ax in functions.axes] == names
    assert [ax.get_title().split("\n")[0] for ax in clouds.axes] == names


def rows_of_legend(figure) -> list[str]:
    """The names in a figure's legend as a reader reads them: row by row, from left to right."""
    figure.draw_without_rendering()
    boxes = [(text.get_window_extent(), text.get_text()) for text in figure.legends[0].get_texts()]
    return [name for _, name in sorted(boxes, key=lambda entry: (-round(entry[0].y0), entry[0].x0))]


@pytest.mark.parametrize("count", range(1, 15))
def test_legend_rows_have_the_order_of_the_curves(count):
    names = [f"layer {i + 1}" for i in range(count)]
    figure = plots.gradient_norms(np.arange(5), {name: np.full(5, 0.1**i) for i, name in enumerate(names)})
    assert rows_of_legend(figure) == names


@pytest.mark.parametrize("count", [3, 4, 5, 10])
def test_legend_explains_the_ranges_and_has_every_curve(count):
    names = [f"optimizer {i}" for i in range(count)]
    figure = plots.loss_curves(np.arange(9), {name: np.random.default_rng(3).random((5, 9)) for name in names}, "step")
    kind, entry = "band" if count <= 4 else "bar", figure.legends[0]
    note = f"line: mean, {kind}: min to max of 5 seeds"
    assert [name for name in rows_of_legend(figure) if name != note] == names
    assert (entry.get_title().get_text() == note) != (note in legend(figure))


@pytest.mark.parametrize("count", [1, 4, 5, 10])
def test_ranges_of_many_curves_are_bars_and_lie_inside(count):
    rng = np.random.default_rng(5)
    values = {f"optimizer {i}": rng.random((7, 4)) for i in range(count)}
    figure = plots.loss_curves(np.arange(4), values, "step")
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert len([c for c in ax.collections if isinstance(c, PolyCollection)]) == (count + 1 if count <= 4 else 0)
    bars = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert len(bars) == (0 if count <= 4 else count)
    box = ax.get_window_extent()
    for collection, curves in zip(bars, values.values(), strict=False):
        ends = np.array(collection.get_segments())[:, :, 1]
        assert np.allclose(ends, np.stack([curves.min(axis=0), curves.max(axis=0)], axis=1))
        corners = collection.get_transform().transform(np.concatenate(collection.get_segments()))
        assert box.x0 <= corners[:, 0].min() and corners[:, 0].max() <= box.x1
        assert box.y0 <= corners[:, 1].min() and corners[:, 1].max() <= box.y1


@pytest.mark.parametrize("linear_width", [None, 0.7])
def test_optimizer_paths_lie_inside_the_axes(linear_width):
    t = np.linspace(0, 1, 50)[:, None]
    paths = {
        "inside": t * [0.5, -0.5],
        "leaves": t * [5.0, 0.1],
        "returns": np.stack([3 * np.sin(3 * t[:, 0]), t[:, 0]], axis=1),
        "diverges": 1.7 ** np.arange(40)[:, None] * [0.1, -0.1],
        "not finite": np.array([[0, 0], [0.5, 0.5], [np.nan, 0], [0.1, 0.1]]),
        "far": t + np.array([5.0, 0.0]),
    }
    x, y = np.linspace(-1, 2, 17), np.linspace(-1, 1, 13)
    figure = plots.optimizer_paths(x, y, x + y[:, None] ** 2, paths, linear_width=linear_width)
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    for line in figure.axes[0].lines:
        points = line.get_transform().transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
        assert np.all((points >= [box.x0 - 1e-6, box.y0 - 1e-6]) & (points <= [box.x1 + 1e-6, box.y1 + 1e-6]))
    assert rows_of_legend(figure) == [
        "inside, 49 steps",
        "leaves, leaves after 19 steps",
        "returns, leaves after 11 steps",
        "diverges, leaves after 4 steps",
        "not finite, not finite after 1 step",
        "far, starts outside",
    ]


def test_preprocessing_panels_of_one_scale_have_the_same_axes():
    points = np.random.default_rng(3).normal(size=(50, 2)) * [3, 1]
    clouds = {"raw": points + np.array([6, -3]), "center": points, "normalize": points / 3, "whiten": points[::-1] / 3}
    raw, center, normalize, whiten = ((ax.get_xlim(), ax.get_ylim()) for ax in plots.preprocessing(clouds).axes)
    assert np.allclose(raw, center) and np.allclose(normalize, whiten) and not np.allclose(raw, normalize)
    assert np.allclose(np.diff(raw, axis=1), np.diff(raw, axis=1)[0])  # one scale for both axes


@pytest.mark.parametrize(
    "names", [LONG_NAMES, SCRIPTS, HOSTILE, ("", " ", "a", "1: a")], ids=["long", "scripts", "hostile", "odd"]
)
@pytest.mark.parametrize("max_length", [10, 24])
def test_different_names_look_different(names, max_length):
    shown = style.distinct_names(names, max_length=max_length)
    assert len(set(shown)) == len(names)
    assert all(len(text.strip("\u200e ")) <= max_length for text in shown)


def test_short_names_are_shown_as_they_are():
    assert style.class_names(("cat", "Ελλάδα", "قطة"), 4) == ["cat", "Ελλάδα", "\u200eقطة\u200e", "3"]


def test_a_name_without_glyphs_has_its_number():
    assert style.class_names(("cat", "\U000f0000\U000f0000"), 2) == ["cat", "1: □□"]


def test_fallback_font_draws_what_the_first_font_lacks(monkeypatch):
    charmaps = {name: get_font(findfont(name)).get_charmap() for name in (style.FONT, "STIXNonUnicode")}
    character = chr(min(set(charmaps["STIXNonUnicode"]) - set(charmaps[style.FONT])))
    assert style.plain_text(character) == "□"
    monkeypatch.setattr(style, "FALLBACK_FONTS", ("No Such Font", "STIXNonUnicode"))
    for cached in (style.fonts, style._has_glyph):
        cached.cache_clear()
    try:
        assert style.fonts() == [style.FONT, "STIXNonUnicode"] and style.plain_text(character) == character
        plots.png(plots.loss_curves([1, 2], {character: [1, 2]}, "step"))  # a missing glyph would be a warning
    finally:
        monkeypatch.undo()
        for cached in (style.fonts, style._has_glyph):
            cached.cache_clear()


@pytest.mark.parametrize("classes", [("a", "b"), LONG_NAMES[:2], LONG_NAMES, SCRIPTS])
def test_confusion_matrix_keeps_its_size_under_any_names(classes):
    figure = plots.confusion_matrix(np.eye(len(classes), dtype=int), classes)
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().height >= 2.3 * figure.dpi


@pytest.mark.parametrize("epochs", [[1], [3], [1, 2], [5, 10, 15]])
def test_learning_curves_have_ticks_at_whole_epochs(epochs):
    figure = plots.learning_curves({"epoch": np.array(epochs), "train_loss": np.ones(len(epochs))})
    figure.draw_without_rendering()
    ax = figure.axes[0]
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert ticks and all(tick == round(tick) for tick in ticks) and low < epochs[0] and epochs[-1] < high


def test_sweep_of_a_category_spreads_its_members():
    values = {"activation": ["relu", "tanh"] * 5, "rate": [str(i) for i in range(10)], "units": ["1"] * 10}
    x, _ = curve(plots.sweep(values, np.random.default_rng(3).random((10, 3))), 0, 0)
    assert len(set(x)) == 10 and np.array_equal(np.round(x), [0, 1] * 5)
