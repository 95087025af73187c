"""Options that several commands have: their types and help texts."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

Json = Annotated[Path | None, arg(metavar="FILE", help="Also write the table as JSON.")]
DataDir = Annotated[
    Path | None, arg(metavar="DIR", help="Folder that holds mnist/*.gz or mnist.pkl.gz (default: $JAXNN_DATA_DIR).")
]
Device = Annotated[
    Literal["cpu", "gpu", "tpu"] | None, arg(help="Device to compute on (default: the fastest that JAX finds).")
]
Devices = Annotated[
    int | None,
    arg(metavar="N", help="Devices that share each batch (default: one; a resumed run: as many as before)."),
]
Deterministic = Annotated[
    bool, arg(help="Make a GPU add in a fixed order, as a CPU always does; the limits of this are printed.")
]
Cache = Annotated[bool, arg(help="Cache compiled programs in your cache folder, so that the next start is faster.")]
Out = Annotated[Path | None, arg(metavar="DIR", help="The run's folder (default: runs/CONFIG, then -2, -3, …).")]
ExperimentTarget = Annotated[
    str | None,
    arg(metavar="FILE.py:NAME", help="The experiment in Python of a run whose folder names none, or another file."),
]
RunFolder = Annotated[Positional[Path], arg(metavar="RUN", help="The folder of a run that `jaxnn train` made.")]
ConfigName = Annotated[Positional[str], arg(metavar="CONFIG", help="The name of a shipped config, or a TOML file.")]
TRAINABLE = "A shipped config's name, a TOML file, or FILE.py:NAME, an experiment in Python (default: digits_mlp)."
Trainable = Annotated[Positional[str], arg(metavar="CONFIG", help=TRAINABLE)]
