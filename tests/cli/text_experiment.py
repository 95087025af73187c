"""Language models of a small text, for the tests of `jaxnn generate`: FILE.py:recurrent and FILE.py:gpt."""

import tempfile
from pathlib import Path

import jaxnn
from jaxnn.data.text import text_file
from jaxnn.data.tokens import Tokens
from jaxnn.train.windows import cut_windows

WINDOW = 8
TEXT = "the cat sat on the mat.\nthe dog sat on the log.\n" * 30


def language_model(kind: str, tokens: Tokens = "characters", seeds=(0,), epochs: int = 2) -> jaxnn.Experiment:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "text.txt").write_text(TEXT)
        data = text_file(str(Path(folder) / "text.txt"), tokens=tokens, window=WINDOW)
    x, y = data.train
    rows, n = len(data.classes), len(x) * 9 // 10
    if kind == "gpt":
        model = jaxnn.serial(
            embed=jaxnn.embedding(rows, 8),
            positions=jaxnn.positional_embedding(WINDOW),
            body=jaxnn.transformer(1, 2, 8),
            head=jaxnn.share("embed", jaxnn.unembedding(rows)),
        )
    else:
        model = jaxnn.serial(jaxnn.embedding(rows, 8), jaxnn.recur(jaxnn.gru(16)), jaxnn.dense(rows))
    return jaxnn.Experiment(
        jaxnn.supervised(model, jaxnn.softmax_cross_entropy(), jaxnn.optimizer("adam", 0.02)),
        jaxnn.windows(x[:n], y[:n], WINDOW, batch_size=5),
        jaxnn.Plan(epochs, "validation.loss"),
        validation=cut_windows((x[n:], y[n:]), WINDOW),
        data=jaxnn.DataInfo("text", data.classes, 1.0, data.reader),
        seeds=seeds,
        title=f"{kind} of a text",
    )


def recurrent() -> jaxnn.Experiment:
    return language_model("recurrent", seeds=(0, 1))


def gpt() -> jaxnn.Experiment:
    return language_model("gpt")
