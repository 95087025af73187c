"""A config as text: with every default written out, and as a hash."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import tomli_w

from jaxnn.config.base import Table
from jaxnn.config.schema import Config


def dump(config: Config) -> str:
    """TOML text that loads to an equal config; it depends on no default."""
    return tomli_w.dumps(plain(config))


def config_hash(config: Config) -> str:
    """SHA-256 of the config as canonical JSON: equal configs, however they are written, have equal hashes."""
    text = json.dumps(plain(config), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """A part of a config as TOML has it: tables as dictionaries, without the keys that are None."""
    if isinstance(value, Table):
        return plain({key: getattr(value, key) for key in type(value).model_fields})
    if isinstance(value, Mapping):
        # An empty list says what its absence says: a config's hash does not depend on it.
        return {str(key): plain(inner) for key, inner in value.items() if inner is not None and inner != ()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
