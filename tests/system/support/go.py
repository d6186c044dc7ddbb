# SPDX-License-Identifier: Apache-2.0
"""Programs in Go that stand in for other people's: built from Debian's packages, without a network."""
import os
import shutil
import subprocess
from pathlib import Path

GOPATH = Path("/usr/share/gocode")


def has_go():
    return shutil.which("go") is not None and (GOPATH / "src/github.com/hashicorp/yamux").exists()


def build_go(name):
    """The program of clients/NAME.go."""
    build = Path(os.environ["BERTH_BIN"]) / "tests/go"
    build.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).resolve().parents[1] / f"clients/{name}.go"
    subprocess.run(["go", "build", "-o", build / name, source], check=True,
                   env={**os.environ, "GO111MODULE": "off", "GOPATH": str(GOPATH), "GOPROXY": "off", "GOFLAGS": "",
                        "GOCACHE": str(build.absolute() / "cache")})
    return build / name
