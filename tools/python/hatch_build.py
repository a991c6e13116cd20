"""Builds the shared library for the wheel, with Swift; the wheel is then installed without it.

The environment variable CAMBIUM_WHEEL_LIBRARY names one that is built already (`tools/packaging/library`).
"""

import os
import subprocess
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[2]


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        # An editable install reads the library that CAMBIUM_LIBRARY names.
        if version == "editable":
            return
        library = os.environ.get("CAMBIUM_WHEEL_LIBRARY") or self.built()
        build_data["force_include"].update({
            library: "cambium/libcambium.so",
            # Of what is linked in.
            str(ROOT / "LICENSE"): "cambium/licenses/LICENSE",
            str(ROOT / "tools/packaging/copyright"): "cambium/licenses/COPYRIGHT",
        })
        build_data["pure_python"] = False
        # Any Python: it is called by ctypes. `auditwheel repair` gives the wheel its manylinux tag.
        build_data["tag"] = "py3-none-linux_x86_64"

    def built(self):
        script = ROOT / "tools/packaging/library"
        if not script.exists():
            raise RuntimeError(f"there is no {script}: the wheel is built in a checkout of the repository")
        output = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout
        return output.strip().splitlines()[-1]
