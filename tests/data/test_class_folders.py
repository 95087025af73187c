"""The folders of a data set say which files are examples, of which part and of which class."""

import pytest

from jaxnn.data.class_folders import find_class_files
from jaxnn.errors import UserError


@pytest.fixture
def tree(tmp_path):
    """Makes files, with their folders, below a root. Returns the root."""

    def make(*files):
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def names(root):
    found = find_class_files(root)
    return {part: [(name, file.relative_to(root).as_posix()) for name, file in files] for part, files in found.items()}


def test_class_files_are_in_the_order_of_the_folders_then_of_the_files(tree):
    root = tree("dog/b.png", "dog/a.png", "cat/z.png", "Cow/10.png", "Cow/9.png", "notes.txt")
    assert names(root) == {
        "train": [
            ("Cow", "Cow/10.png"),
            ("Cow", "Cow/9.png"),
            ("cat", "cat/z.png"),
            ("dog", "dog/a.png"),
            ("dog", "dog/b.png"),
        ]
    }


SYSTEM = [
    *("Thumbs.db", "cat/Thumbs.db", "dog/desktop.ini", "dog/Desktop.ini", "cat/ehthumbs.db", "@eaDir/a.png"),
    *(".DS_Store", "cat/.DS_Store", "cat/._a.png", "__MACOSX/cat/._a.png", "__MACOSX/dog/a.png", "dog/Icon\r"),
    ".ipynb_checkpoints/a.png",
]


def test_class_files_are_none_of_those_of_the_operating_system(tree):
    root = tree("cat/a.png", "dog/a.png", *SYSTEM)
    assert names(root) == {"train": [("cat", "cat/a.png"), ("dog", "dog/a.png")]}


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train", "test"), ("train", "test")),
        (("train", "validation", "test"), ("train", "validation", "test")),
        (("Training", "val"), ("train", "validation")),
        (("train", "valid", "testing"), ("train", "validation", "test")),
    ],
)
def test_class_files_of_part_folders_are_official_parts(tree, folders, parts):
    root = tree(*(f"{folder}/{name}/a.png" for folder in folders for name in ("cat", "dog")))
    tree(
        *(f"{folder}/{name}" for folder in folders for name in SYSTEM), "__MACOSX/train/a.png", ".DS_Store", "note.txt"
    )
    assert names(root) == {
        part: [(name, f"{folder}/{name}/a.png") for name in ("cat", "dog")]
        for part, folder in zip(parts, folders, strict=True)
    }


def test_class_files_of_classes_that_are_named_as_parts_are_classes(tree):
    root = tree("bus/a.png", "train/a.png", "test/a.png")
    assert [name for name, _ in names(root)["train"]] == ["bus", "test", "train"]
    tree("x/train/a.png", "x/test/a.png")
    assert [name for name, _ in names(root / "x")["train"]] == ["test", "train"]


def test_class_files_are_found_in_the_one_folder_of_an_archive(tree):
    root = tree("photos/photos/train/cat/a.png", "photos/photos/train/dog/a.png", "photos/photos/test/dog/b.png")
    assert names(root)["test"] == [("dog", "photos/photos/test/dog/b.png")]


def test_class_files_have_one_name_for_both_spellings_of_an_accent(tree):
    """A Mac writes é as e and an accent. Both are one class."""
    root = tree("train/cafe\u0301/a.png", "train/bar/a.png", "test/caf\u00e9/a.png")
    assert {name for files in find_class_files(root).values() for name, _ in files} == {"bar", "caf\u00e9"}


REFUSED = {
    "a class of the test part alone": (
        ["train/cat/a.png", "train/dog/a.png", "test/cow/a.png"],
        r"cow: expected a class of .*train, found cow, which has no examples to train on",
    ),
    "a folder in a class": (
        ["cat/young/a.png", "dog/a.png"],
        "cat: expected images of the class cat, found the folder",
    ),
    "parts beside a class": (["train/cat/a.png", "test/cat/a.png", "x/a.png"], "name the folders of the parts train"),
    "no folders": (["a.png"], "expected a folder with a sub-folder of images for each class, found none"),
    "system files alone": (["cat/Thumbs.db", "dog/a.png"], "expected images of the class cat, found none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_class_files_refuse_other_folders_in_one_line(tree, case):
    files, expected = REFUSED[case]
    with pytest.raises(UserError, match=expected) as refusal:
        find_class_files(tree(*files))
    assert "\n" not in str(refusal.value)
