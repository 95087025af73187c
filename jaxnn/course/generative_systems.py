"""What the lectures name besides sequences: novelty, generative nets, pictures, graphs, modular nets, with numbers."""

from jaxnn.course.systems import Metric, Quantity, System


def _best(metric: Metric, published: str = "", target: float | None = None) -> tuple[Quantity, ...]:
    """A metric of the best parameters on the test part, beside the published number."""
    return (Quantity("best", "test", metric, published, target=target),)


#: Published numbers: Ruff et al. 2018 (T10), the example of Flax (T11), Kipf and Welling 2017, Veličković et al. 2018
#: (T15). The other systems have none.
GENERATIVE: tuple[System, ...] = (
    System("T10", "an autoencoder of digits", "A, C, D", "digits_autoencoder", 5, _best("loss")),
    System("T10", "an autoencoder of MNIST", "A, C, D", "mnist_autoencoder", 3, _best("loss")),
    System("T10", "one digit is normal, the nine others are new: all ten in turn", "A, C, D", "mnist_novelty",
           study="novelty"),
    System("T10", "unusual weeks of taxi passengers", "A, C, D", "taxi_novelty", 5, study="taxi"),
    System("T11", "variational autoencoder of 8×8 digits", "A", "digits_vae", 5, _best("loss")),
    System("T11", "variational autoencoder 784-500-20, ten epochs", "A", "mnist_vae", 5,
           (*_best("loss", "104", 104.0), *_best("likelihood"))),
    System("T12", "two nets, a ring of eight Gaussians", "D", "gaussians_gan", 10, _best("modes", "", 8.0)),
    System("T12", "two nets, 8×8 digits, judged by our own classifier", "D", "digits_gan", study="judged"),
    System("T12", "two nets, MNIST, judged by our own classifier", "D", "mnist_gan", study="judged"),
    System("T13", "flow matching of 8×8 digits, judged by our own classifier", "A", "digits_flow", study="judged"),
    System("T14", "digits on a canvas, the box of each digit", "A, C", "canvas_detector", 3,
           _best("average_precision")),
    System("T14", "digits on a canvas, the class of each pixel", "A, C", "canvas_unet", 3, _best("mean_iou")),
    System("T15", "karate club, graph convolutions", "A", "karate_gcn", 10, _best("accuracy")),
    System("T15", "Cora, graph convolutions", "A", "cora_gcn", 100, _best("accuracy", "81.5", 81.0)),
    System("T15", "Cora, random parts, graph convolutions", "A", "cora_gcn_random", 10, _best("accuracy", "80.1")),
    System("T15", "Citeseer, graph convolutions", "A", "citeseer_gcn", 100, _best("accuracy", "70.3", 69.8)),
    System("T15", "Cora, graph attention", "A", "cora_gat", 10, _best("accuracy", "83.0", 82.5)),
    System("T16", "four sub-nets and an intermediary", "D", "digits_modular", 5, _best("accuracy")),
    System("T16", "four sub-nets trained alone, frozen and joined", "D", "digits_modular", 5, study="frozen"),
    System("T16", "a mixture of four experts", "D", "digits_mixture", 5, _best("accuracy")),
    System("T16", "one net of as many parameters", "D", "digits_whole", 5, _best("accuracy")),
)  # fmt: skip

#: The classifier that judges the samples of a config.
JUDGES: dict[str, str] = {"digits_gan": "digits_mlp", "digits_flow": "digits_mlp", "mnist_gan": "mnist_99"}
#: Taxi passengers of New York, and the windows that people have labelled as anomalous (Lavin and Ahmad 2015).
TAXI, TAXI_WINDOWS = "series/nyc_taxi.csv", "series/nyc_taxi_windows.json"
#: Samples that a judge sees.
JUDGED = 1000
