"""Builds what pyproject.toml cannot describe: the Go library and the C shim that loads it."""

import os
import subprocess
import sys
from pathlib import Path
from runpy import run_path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

LIBRARY = "cycletls.libcycletls"
VERSION = run_path("cycletls/_version.py")["__version__"]


class BuildExt(build_ext):
    """Builds the Go library from patched dependencies, and calls it by its own name."""

    def run(self) -> None:
        os.environ["SETUPTOOLS_GOLANG_GOPATH"] = go("env", "GOPATH")  # else every build downloads the modules anew
        subprocess.run([sys.executable, "golang/patches/vendor.py"], check=True)
        super().run()
        library = Path(self.get_ext_fullpath(LIBRARY))
        library.chmod(0o755)
        library.with_suffix(".h").unlink(missing_ok=True)  # go's own; golang/cycletls.h is the true one

    def get_ext_filename(self, fullname: str) -> str:
        """Python never imports the library, so that no tag of a Python belongs into its name."""
        if fullname in (LIBRARY, LIBRARY.rpartition(".")[2]):
            return f"{fullname.replace('.', os.sep)}.so"
        return super().get_ext_filename(fullname)


def go(*arguments: str) -> str:
    return subprocess.check_output(["go", *arguments], text=True).strip()


# Whatever the user has set for other Go projects, this one is built from its patched vendor folder and by this very Go.
os.environ.update(CGO_ENABLED="1", GOTOOLCHAIN="local", GOWORK="off", GOFLAGS="-trimpath -buildvcs=false -mod=vendor")

setup(
    setup_requires=run_path("golang/toolchain.py")["requirements"](),
    ext_modules=[Extension(LIBRARY, ["golang/main.go"], define_macros=[("CYCLETLS_VERSION", f'"{VERSION}"')])],
    build_golang={"root": "cycletls", "strip": True},
    cffi_modules=["cycletls/_native_build.py:ffibuilder"],
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
