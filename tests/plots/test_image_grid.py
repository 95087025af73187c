"""Every image of a grid is visible and upright, in the colours of its values."""

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from jaxnn import plots

TOLERANCE = 0.02  # of full intensity; a PNG has 256 levels


def pixel(pixels: np.ndarray, image: AxesImage, row: float, column: float) -> np.ndarray:
    """The drawn colour at a fraction of the height and width of an image, from its upper left corner."""
    left, right, bottom, top = image.get_extent()
    position = image.axes.transData.transform((left + column * (right - left), top + row * (bottom - top)))
    return pixels[pixels.shape[0] - 1 - int(position[1]), int(position[0]), :3] / 255


def assert_every_pixel(figure: Figure, images: Sequence[AxesImage], expected: np.ndarray) -> None:
    """Each image has the colour of the expected value at three pixels on its border."""
    assert len(images) == len(expected)
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    for image, values in zip(images, expected, strict=True):
        h, w = values.shape[:2]
        for row, column in ((0, 0), (h - 1, 0), (h // 2, w - 1)):
            colour = pixel(pixels, image, (row + 0.5) / h, (column + 0.5) / w)
            value = values[row, column]
            expected_colour = value if np.ndim(value) else image.cmap(image.norm(value))[:3]
            assert np.abs(colour - expected_colour).max() < TOLERANCE


def test_weights_show_each_unit_as_an_image():
    matrix = np.random.default_rng(3).normal(size=(35, 13))
    figure = plots.weights(matrix, (7, 5))
    assert_every_pixel(figure, figure.axes[0].images, matrix.T.reshape(13, 7, 5))


def test_weights_show_each_channel_of_a_unit_as_an_image():
    matrix = np.random.default_rng(3).normal(size=(70, 3))
    figure = plots.weights(matrix, (7, 5, 2))
    expected = [matrix[:, u].reshape(7, 5, 2)[..., c] for u in range(3) for c in range(2)]
    assert_every_pixel(figure, figure.axes[0].images, np.array(expected))


def test_filters_show_each_filter_as_an_image():
    kernel = np.random.default_rng(3).normal(size=(5, 3, 1, 23))
    figure = plots.filters(kernel)
    assert_every_pixel(figure, figure.axes[0].images, kernel[:, :, 0].transpose(2, 0, 1))


def test_filters_of_several_inputs_have_a_row_for_each():
    kernel = np.random.default_rng(3).normal(size=(5, 3, 2, 7))
    figure = plots.filters(kernel)
    images = list(figure.axes[0].images)
    assert_every_pixel(figure, images, kernel.transpose(2, 3, 0, 1).reshape(14, 5, 3))
    tops = [image.get_extent()[3] for image in images]
    assert len(set(tops[:7])) == len(set(tops[7:])) == 1 and tops[0] > tops[7]


def test_misclassified_shows_each_image_with_its_label():
    images, true, predicted = np.random.default_rng(3).random((11, 7, 5)), np.arange(11) % 3, np.arange(11) % 2
    figure = plots.misclassified(images, true, predicted, np.linspace(0, 1, 11), ("ant", "bee", "cow"))
    assert_every_pixel(figure, figure.axes[0].images, images)
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels[3] == "ant → bee\n30 %" and len(labels) == 11


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_misclassified_keeps_the_colours_of_images(dtype):
    images = np.random.default_rng(3).integers(0, 256, (5, 7, 11, 3)).astype(np.uint8)
    images[0, 0, 0] = 255
    shown = images if dtype == np.uint8 else (images / 255).astype(dtype)
    figure = plots.misclassified(shown, np.zeros(5), np.ones(5), np.ones(5), ())
    assert_every_pixel(figure, figure.axes[0].images, images / 255)


def test_misclassified_shows_at_most_24_images_with_the_total_in_the_title():
    figure = plots.misclassified(np.ones((113, 7, 5)), np.zeros(113), np.ones(113), np.ones(113), ())
    assert len(figure.axes[0].images) == 24
    assert "first 24 of 113" in figure.get_suptitle()


def test_misclassified_without_examples_is_a_note():
    figure = plots.misclassified(np.ones((0, 7, 5)), [], [], [], ())
    assert [text.get_text() for text in figure.axes[0].texts] == ["no example was misclassified"]


def test_feature_maps_show_the_image_each_filter_and_each_map():
    rng = np.random.default_rng(3)
    image, kernel, maps = rng.random((13, 11)), rng.normal(size=(3, 5, 1, 7)), rng.normal(size=(11, 7, 7))
    figure = plots.feature_maps(image, kernel, maps)
    shown = [list(ax.images) for ax in figure.axes if ax.images]
    pixels = image[None], kernel[:, :, 0].transpose(2, 0, 1), maps.transpose(2, 0, 1)
    for images, expected in zip(shown, pixels, strict=True):
        assert np.array_equal([np.asarray(im.get_array()) for im in images], expected)
    assert_every_pixel(figure, shown[2], pixels[2])


@pytest.mark.parametrize("count", [1, 3, 7, 10, 11, 59])
def test_images_are_disjoint_and_inside_the_axes(count):
    figure = plots.weights(np.ones((35, count)), (7, 5))
    ax = figure.axes[0]
    boxes = [image.get_extent() for image in ax.images]
    assert len(boxes) == count
    (low_x, high_x), (low_y, high_y) = ax.get_xlim(), ax.get_ylim()
    for i, (left, right, bottom, top) in enumerate(boxes):
        assert low_x <= left < right <= high_x and low_y <= bottom < top <= high_y
        for a, b, c, d in boxes[:i]:
            assert left >= b or right <= a or bottom >= d or top <= c


@pytest.mark.parametrize("scale", [0.0, 1e-30, 3.0])
def test_weights_colour_scale_is_symmetric_about_zero(scale):
    figure = plots.weights(scale * np.arange(35.0)[:, None], (7, 5))
    low, high = figure.axes[0].images[0].get_clim()
    assert low == -high < 0
    assert scale == 0 or high == 34 * scale


def test_image_figures_reject_wrong_shapes():
    with pytest.raises(ValueError, match=r"7×5.*\(34, 3\)"):
        plots.weights(np.ones((34, 3)), (7, 5))
    with pytest.raises(ValueError, match="height, width, in, out"):
        plots.filters(np.ones((3, 5, 7)))
    with pytest.raises(ValueError, match="1 or 3 channels"):
        plots.misclassified(np.ones((2, 7, 5, 4)), [0, 0], [1, 1], [1, 1], ())
    with pytest.raises(ValueError, match="as many labels"):
        plots.misclassified(np.ones((2, 7, 5)), [0], [1, 1], [1, 1], ())
