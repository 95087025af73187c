"""How figures and tables show a metric: its unit and its name on an axis."""

_LABELS = {
    "loss": "loss (mean per example)",
    "bits": "bits per place",
    "mae": "mean absolute error",
    "mae_in_units": "mean absolute error in the units of the series",
    "mean_iou": "mean intersection over union",
    "r2": "R²",
    "sequence_accuracy": "sequences without a mistake",
}


def is_share(metric: str) -> bool:
    """Whether a metric is a share of all examples, which figures and tables show in percent."""
    return metric in ("accuracy", "exact_match") or metric.endswith("_accuracy")


def axis_label(metric: str) -> str:
    """The label of an axis that shows a metric, with its unit.

    >>> from jaxnn.metric_labels import axis_label
    >>> axis_label("top5_accuracy"), axis_label("mae")
    ('top5 accuracy (%)', 'mean absolute error')
    """
    return _LABELS.get(metric, metric.replace("_", " ")) + (" (%)" if is_share(metric) else "")
