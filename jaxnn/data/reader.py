"""How a user's file becomes inputs of a net. Training, evaluation and prediction read files through one reader.

A data set that is read from files has a `Reader`. Its settings (the columns of a table, the size and the preparation
of images, ...) are JSON values. They stand in the run's manifest and rebuild the reader where the data are absent.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jaxnn.data.array_reader import rebuild_array_reader
from jaxnn.data.dataset import Reader
from jaxnn.data.image_reader import IMAGE_READERS
from jaxnn.data.labelled_lines import rebuild_labelled_line_reader
from jaxnn.data.lines import rebuild_line_reader
from jaxnn.data.series import rebuild_series_reader
from jaxnn.data.table_reader import rebuild_table_reader
from jaxnn.data.text import rebuild_text_reader
from jaxnn.data.time_series_file import rebuild_time_series_reader
from jaxnn.errors import UserError

#: kind -> what rebuilds a reader of this kind from its other settings, which come from a file and may be anything
READERS: dict[str, Callable[[Mapping[str, Any]], Reader]] = {
    "arrays": rebuild_array_reader,
    "table": rebuild_table_reader,
    "text": rebuild_text_reader,
    "lines": rebuild_line_reader,
    "labelled_lines": rebuild_labelled_line_reader,
    "series": rebuild_series_reader,
    "ts": rebuild_time_series_reader,
    **IMAGE_READERS,
}


def rebuild_reader(settings: Mapping[str, Any]) -> Reader:
    """The reader with these settings. Raises UserError for settings that no reader has."""
    kind = settings.get("kind")
    if kind not in READERS:
        raise UserError(f"reader: expected a kind of {', '.join(READERS)}, found {kind!r}")
    try:
        return READERS[kind](settings)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"reader {kind}: expected its settings, found {dict(settings)}") from error
