"""The nets that are timed."""

from benchmarks.runner import Workload

_60_000 = ("data.train=60000", "data.validation=0", "train.best=train.loss")
_50_000 = ("data.train=50000", "data.validation=0", "train.best=train.loss")
_ALL_EXAMPLES = ("data.validation=0", "train.best=train.loss")

_ENDLESS = ("train.epochs=1000",)

_S11 = Workload(
    "s11", "convolutional net of the course, batch 128", "mnist_cnn", "cnn",
    50_000, 128, 100, 7, 0.01, (*_50_000, "train.batch_size=128"), max_loss=0.5, min_accuracy=0.86,
)  # fmt: skip

#: name -> workload
WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(
            "s08", "784-30-10, sigmoid, mean squared error, batch 128", "mnist_sigmoid_mse", "mlp_sigmoid",
            60_000, 128, 468, 9, 0.01, (*_60_000, "data.preprocess=unit"), max_loss=0.095,
        ),
        Workload(
            "s10", "784-30-10, tanh and softmax, batch 20", "mnist_tanh_softmax", "mlp_tanh",
            50_000, 20, 2500, 9, 0.01, _50_000, max_loss=0.25, min_accuracy=0.93,
        ),
        _S11,
        Workload(
            "s11_batch_20", "convolutional net of the course, batch 20", "mnist_cnn", "cnn",
            50_000, 20, 500, 7, 0.01, _50_000, max_loss=0.3, min_accuracy=0.91,
        ),
        _S11._replace(name="s11_250000", title="the same, with its examples repeated five times", examples=250_000),
        Workload(
            "s05", "784-30-10 on 500 digits, full batch", "mnist500_mlp_2017", "numpy",
            500, 0, 1000, 7, 4e-5, ("data.per_seed=false", "train.best=train.loss"), min_accuracy=0.6,
        ),
        Workload("s04", "2-10-2 on circles, full batch", "circles_mlp", "numpy", 400, 0, 10_000, 5, 5e-3),
        Workload("mnist_99", "99 % as fast as possible", "mnist_99", "", 60_000, 128, 0, 10, 0.0),
        Workload("mnist_99_gpu", "the same net, with a schedule for a GPU", "mnist_99_gpu", "", 60_000, 64, 0, 10, 0.0),
        Workload("digits_mlp", "the default net on 8×8 digits", "digits_mlp", "", 1437, 32, 440, 7, 0.0, _ALL_EXAMPLES),
        Workload(
            "digits_cnn", "convolutional net on 8×8 digits", "digits_cnn", "", 1437, 32, 440, 7, 0.0, _ALL_EXAMPLES
        ),
        Workload(
            "deep", "two convolutions, dropout, batch 128", "mnist_cnn_deep", "", 50_000, 128, 60, 7, 0.0, _50_000
        ),
        Workload(
            "lstm_rows", "LSTM of 128 units over the 28 rows of a digit, batch 128", "mnist_rows_lstm", "lstm_rows",
            50_000, 128, 60, 7, 1e-3, (*_50_000, "train.batch_size=128"), max_loss=0.9, min_accuracy=0.7,
        ),
        Workload(
            "lstm_text", "two LSTMs of 128 units, 64 characters, batch 32", "shakespeare_lstm", "lstm_text",
            15_000, 32, 30, 7, 2e-3, _ENDLESS, max_loss=2.7, min_accuracy=0.25,
        ),
        Workload(
            "gpt", "transformer of 4 blocks, 128 units, 64 characters, batch 12", "shakespeare_gpt_cpu", "gpt",
            15_000, 12, 30, 7, 1e-3, _ENDLESS, max_loss=2.7, min_accuracy=0.25,
        ),
        Workload("names_gru", "names, GRU", "names_gru", "", 25_000, 32, 40, 5, 0.0, _ENDLESS),
        Workload(
            "vae", "variational autoencoder 784-500-20, batch 128", "mnist_vae", "vae",
            60_000, 128, 468, 5, 1e-3, ("train.epochs=100",), max_loss=115.0,
        ),
        Workload(
            "gcn", "graph convolutional net of Cora, 200 epochs", "cora_gcn", "gcn",
            1, 0, 200, 5, 0.01, ("train.epochs=10000", "train.eval_every=200"), min_accuracy=0.77,
        ),
        Workload("cosine", "denoising a cosine, full batch", "cosine_denoise", "", 1, 0, 500, 7, 0.0),
    )
}  # fmt: skip
