"""A config as text with every default written out, and its hash."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import tomli_w

from jaxnn.config.base import Table
from jaxnn.config.schema import Config


def dump(config: Config) -> str:
    """TOML text that loads to an equal config. It contains every default, so it does not depend on them."""
    return tomli_w.dumps(to_builtins(config))


def config_hash(config: Config) -> str:
    """SHA-256 of the config as canonical JSON. Equal configs have equal hashes, however they are written."""
    text = json.dumps(to_builtins(config), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def to_builtins(value: Any) -> Any:
    """A config or a part of it as dictionaries, lists and scalars, without the keys that are None or empty tuples."""
    if isinstance(value, Table):
        return to_builtins({key: getattr(value, key) for key in type(value).model_fields})
    if isinstance(value, Mapping):
        # An empty list means the same as an absent one, so the hash must not depend on it.
        return {str(key): to_builtins(inner) for key, inner in value.items() if inner is not None and inner != ()}
    if isinstance(value, list | tuple):
        return [to_builtins(inner) for inner in value]
    return value
