"""The package's public types are complete: a user's type checker never meets an unknown one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.packaging.imports import ROOT


def test_public_types_complete():
    # With --verifytypes, pyright searches the packages of the first Python on the PATH; it ignores --pythonpath.
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }
    report = subprocess.run(
        [sys.executable, "-m", "pyright", "--verifytypes", "jaxnn", "--ignoreexternal", "--outputjson"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    types = json.loads(report.stdout)["typeCompleteness"]
    assert Path(types["packageRootDirectory"]) == ROOT / "jaxnn"
    assert types["exportedSymbolCounts"]["withKnownType"] > 0
    incomplete = [
        symbol["name"] for symbol in types["symbols"] if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
    ]
    assert incomplete == []
