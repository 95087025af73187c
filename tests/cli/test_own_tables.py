"""A user's own table and arrays, from the command line: train, predict a new file, read every refusal."""

import csv

import numpy as np
import pytest

CONFIG = """
title = "Who buys"
[data]
name = "csv"
path = {path!r}
validation = 0.2
test = 0.2
stratify = true
preprocess = "normalize"
[[net]]
layer = "dense"
units = 3
[loss]
name = "softmax_cross_entropy"
[optimizer]
name = "adam"
learning_rate = 0.1
[train]
epochs = 20
batch_size = 20
"""
NAMES = ("date", "age", "job", "balance", "y")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """A folder with a table of words, missing values and a date, and its config. The job alone decides the class."""
    folder = tmp_path_factory.mktemp("bank")
    rng = np.random.default_rng(0)
    classes = {"clerk": "no", "boss": "yes", "student": "maybe"}
    rows = []
    for i in range(120):
        job = list(classes)[i % 3]
        balance = "" if i % 17 == 0 else round(rng.normal(), 3)
        rows.append((f"2024-01-{i % 28 + 1:02d}", int(rng.integers(18, 80)), job, balance, classes[job]))
    with (folder / "bank.csv").open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *rows])
    (folder / "bank.toml").write_text(CONFIG.format(path=str(folder / "bank.csv")))
    return folder


#: What a refusal says in turn, and the option that it names.
REMEDIES = (
    ("label: expected one column named 'label'", "--data.label", "y"),
    ('ignore = ["date"] leaves the column out', "--data.ignore", "date"),
    ('categorical = ["job"] encodes words', "--data.categorical", "job"),
    ('missing = "mean" fills them', "--data.missing", "mean"),
)
OPTIONS = [word for _, *words in REMEDIES for word in words]


@pytest.fixture
def run(bank, jaxnn):
    """The folder of a run on the table, which the first test that needs it trains."""
    if not (bank / "run").exists():
        code, out, err = jaxnn("train", bank / "bank.toml", "--out", bank / "run", *OPTIONS)
        assert code == 0 and err == "" and "72 train, 24 validation, 24 test" in out
    return bank / "run"


def test_train_names_the_remedy_for_each_column_until_the_table_is_read(bank, jaxnn):
    for i, (remedy, *_) in enumerate(REMEDIES):
        code, _, err = jaxnn("train", bank / "bank.toml", "--out", bank / "refused", *OPTIONS[: 2 * i])
        assert code == 2 and remedy in err and err.count("\n") == 1 and not (bank / "refused").exists()


def test_predict_reads_a_new_table_by_the_names_of_its_columns(bank, run, jaxnn):
    new = bank / "new.csv"
    new.write_text("balance,job,age\n0.1,boss,30\n,student,\n0.2,clerk,40\n")
    code, out, err = jaxnn("predict", run, new, "--out", bank / "predicted.csv")
    assert code == 0 and err == "" and "student" not in out
    with (bank / "predicted.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["yes", "maybe", "no"] and rows[1]["file"] == f"{new}[1]"
    assert abs(sum(float(rows[0][f"probability {name}"]) for name in ("no", "yes", "maybe")) - 1) < 1e-5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("job,age\nboss,30\n", "found no 'balance' among 'job', 'age'"),
        ("balance,job,age\n1,chief,30\n", "line 2 column 'job': expected a word of the training table"),
        ("balance,job,age\n1,boss,old\n", "line 2 column 'age': expected a number, found 'old'"),
        ("<html></html>", "found an HTML page"),
    ],
)
def test_predict_refuses_another_table_in_one_line(bank, run, jaxnn, text, expected):
    (bank / "wrong.csv").write_text(text)
    code, _, err = jaxnn("predict", run, bank / "wrong.csv")
    assert code == 2 and expected in err and err.count("\n") == 1


def test_predict_refuses_a_prediction_file_that_is_no_csv(bank, run, jaxnn):
    code, _, err = jaxnn("predict", run, bank / "bank.csv", "--out", bank / "predicted.xlsx")
    assert code == 2 and "expected a .csv file" in err


def test_train_warns_of_columns_that_teach_nothing_in_one_line(tmp_path, jaxnn):
    rows = [f"1,{i % 7},{i % 2}" for i in range(40)]
    (tmp_path / "t.csv").write_text("a,b,label\n" + "\n".join(rows))
    (tmp_path / "t.toml").write_text(CONFIG.format(path=str(tmp_path / "t.csv")))
    code, _, err = jaxnn("summary", tmp_path / "t.toml")
    assert code == 0 and err.startswith("jaxnn: warning: ") and 'ignore = ["a"]' in err and err.count("\n") == 1


def test_train_and_predict_arrays_with_three_outputs(tmp_path, jaxnn):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    np.savez(tmp_path / "own.npz", x=x, y=x @ rng.normal(size=(2, 3)))
    np.savez(tmp_path / "new.npz", x=x[:2])
    text = CONFIG.format(path=str(tmp_path / "own.npz")).replace('"csv"', '"arrays"').replace("stratify = true\n", "")
    text = text.replace("softmax_cross_entropy", "mean_squared_error") + 'best = "validation.loss"\n'
    (tmp_path / "own.toml").write_text(text)
    code, _, err = jaxnn("train", tmp_path / "own.toml", "--out", tmp_path / "run")
    assert code == 0, err
    code, _, err = jaxnn("predict", tmp_path / "run", tmp_path / "new.npz", "--out", tmp_path / "p.csv")
    assert code == 0 and len((tmp_path / "p.csv").read_text().splitlines()) == 3, err


def test_missing_means_need_one_split_for_all_seeds(bank, jaxnn):
    words = ("train", bank / "bank.toml", "--out", bank / "seeds", *OPTIONS, "--data.per_seed", "true", "--seeds", "2")
    code, _, err = jaxnn(*words)
    assert code == 2 and "data.per_seed: expected one split for all seeds" in err and err.count("\n") == 1
