"""The package's public types are complete: a user's type checker never meets an unknown one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.packaging.imports import ROOT


def test_public_types_complete():
    pyright = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    report = subprocess.run(
        [*pyright, "--verifytypes", "jaxnn", "--ignoreexternal", "--outputjson"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
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
