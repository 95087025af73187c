"""The figures of a novelty detection: its scores, and the examples that it finds the most and the least normal."""

from collections.abc import Iterator

import numpy as np

from jaxnn import plots
from jaxnn.experiment.class_metrics import roc_auc
from jaxnn.experiment.definition import Experiment
from jaxnn.experiment.scores import predict
from jaxnn.layer import Params
from jaxnn.report.figure import Figure
from jaxnn.report.figured_examples import figured_examples
from jaxnn.train.novelty import NORMAL_SHARE

#: Pictures of each kind.
SHOWN = 10


def novelty_figures(experiment: Experiment, params: Params) -> Iterator[Figure]:
    """The figures of the first seed on the test part; none without one, or where all its examples are of one kind."""
    examples = figured_examples(experiment, "test")
    if not isinstance(examples, tuple):
        return
    x, new = np.asarray(examples[0]), np.asarray(examples[1]) == 1
    if new.all() or not new.any():
        return
    score = predict(experiment, params, x)[:, 0].astype(np.float64)
    train = experiment.examples("train")
    # The threshold of the verdicts is that of the examples to learn from.
    normal = score[~new] if not isinstance(train, tuple) else predict(experiment, params, train[0])[:, 0]
    threshold, auc = float(np.quantile(normal, NORMAL_SHARE)), roc_auc(new, score)
    title = f"Novelty, test part, seed {experiment.seeds[0]}"
    figure = plots.novelty_scores(score, new, threshold, auc, title=title)
    alt = f"Scores of {(~new).sum():,} normal and {new.sum():,} new examples; area under the ROC {auc:.3f}."
    yield Figure("novelty", "Novelty scores", figure, alt)
    if x.ndim != 4 or x.shape[-1] not in (1, 3):
        return
    rows, labels = [], []
    for chosen, name in ((~new, "normal"), (new, "new")):
        order = np.flatnonzero(chosen)[np.argsort(score[chosen], kind="stable")]
        for part, word in ((order[:SHOWN], "least"), (order[-SHOWN:][::-1], "most")):
            rows.append(x[part])
            labels += [f"{name}, {word}" if i == 0 else "" for i in range(len(part))]
    figure = plots.sample_images(np.concatenate(rows), labels, title="Least and most surprising", columns=SHOWN)
    alt = "The normal and the new pictures with the smallest and the largest scores."
    yield Figure("surprising", "Least and most surprising pictures", figure, alt)
