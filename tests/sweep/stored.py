"""The sweep whose folder the tests of stored sweeps cut, damage and read."""

from jaxnn.sweep import parse_axes
from jaxnn.sweep.store import TrialStore

SHORT = ["data.train=163", "data.validation=61", "data.test=59", "net.1.units=7", "train.epochs=4"]
#: Two programs of two members each, and a member that diverges.
AXES = parse_axes(["optimizer.learning_rate=0.002,0.02,1e30", "net.1.units=5,7"])


class Killed(Exception):
    pass


def store_in(folder, **options):
    folder.mkdir(exist_ok=True)
    return TrialStore(folder, **options)


def content(folder):
    """The weights and histories of a sweep's runs."""
    files = [path for path in (folder / "members").rglob("*") if path.suffix in (".safetensors", ".csv")]
    return {path.relative_to(folder): path.read_bytes() for path in files}
