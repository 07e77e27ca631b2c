"""From an order to an artifact."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from polylambda.package import archive, bundle, compiling, dependencies, image, limits, pruning, scripts, sources, stage
from polylambda.package.kind import Kind
from polylambda.package.label import Label
from polylambda.package.output import check_output

if TYPE_CHECKING:
    from polylambda.package.dependencies import Dependencies
    from polylambda.package.stage import Weight
    from polylambda.package.target import Target

Progress = Callable[[str], None]

TASK = "/var/task"
LAYER = "/opt"
OWN_CODE = "your code"
SCRIPTS = "scripts"
_BUNDLED = "Python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built.

    Attributes:
        kind: of the artifact.
        target: Python and architecture that it is for.
        handler: name of the handler, such as `app.handler`; empty for a layer.
        root: the project's folder.
        out: where it goes: a file, or for an image a folder.
        dependencies: what goes beside the project's files.
        exclude: patterns of the project's files that are left out.
        include: patterns of the project's files that are taken although they usually are not.
        compile: put byte code in.
        prune: leave out what wheels bring along that no function needs.
        interpreter: the Python to bundle; None: the one that suits best.
        dry_run: write nothing.
        notes: what the user should know already, a sentence each.
    """

    kind: Kind
    target: Target
    handler: str
    root: Path
    out: Path
    dependencies: Dependencies
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    compile: bool = False
    prune: bool = True
    interpreter: Path | None = None
    dry_run: bool = False
    notes: tuple[str, ...] = ()

    @property
    def takes_over(self) -> bool:
        """Whether polylambda is in it, with what makes it the runtime."""
        return self.dependencies.own


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What was built.

    Attributes:
        order: what was asked for.
        zipped: bytes of the file; 0 for an image, and in a dry run.
        unzipped: bytes of all files in it.
        weights: its parts, heaviest first.
        notes: what the user should know, a sentence each.
    """

    order: Order
    zipped: int
    unzipped: int
    weights: list[Weight]
    notes: list[str] = field(default_factory=list[str])


def build(order: Order, progress: Progress) -> Built:
    """Build an artifact.

    Raises:
        ConfigurationError: it cannot be built, or Lambda would not take it; the message says why.
    """
    with tempfile.TemporaryDirectory(prefix="polylambda-package-") as folder:
        return _Build(order, Path(folder), progress).run()


class _Build:
    """One build, in a folder of its own."""

    def __init__(self, order: Order, folder: Path, progress: Progress) -> None:
        self._order = order
        self._folder = folder / "stage"
        self._python = folder / "python"
        self._progress = progress
        self._notes = list(order.notes)
        self._own_files: list[str] = []
        self._packages = self._folder / "python" if order.kind is Kind.LAYER else self._folder

    def run(self) -> Built:
        order, folder = self._order, self._folder
        # What may be refused at once comes first.
        root = order.root if order.kind is Kind.LAYER else sources.code_root(order.root, order.handler)
        check_output(order.kind, order.out, order.root)
        compiler = compiling.compiler(order.target) if order.compile else None
        if order.kind is Kind.BOOTSTRAP:
            self._bundle()
        self._install()
        if order.kind is not Kind.LAYER:
            self._copy(root)
        if compiler is not None:
            self._progress(f"compiling for Python {order.target.python}")
            compiling.compile_all(compiler, folder, shown_as=LAYER if order.kind is Kind.LAYER else TASK)
        if order.kind is Kind.BOOTSTRAP:
            self._python.rename(folder / scripts.PYTHON_FOLDER)
        self._write_scripts()
        label = Label(order.kind, order.handler, order.target.python, order.target.architecture, order.takes_over)
        label.write(folder)
        return self._finish()

    def _install(self) -> None:
        order = self._order
        requirements = order.dependencies.requirements
        if requirements is not None:
            self._progress(f"resolving {requirements.name} for {order.target}")
        dependencies.install(order.dependencies, order.target, self._packages)
        if order.dependencies.own:
            self._notes.append("polylambda was copied from the installation that runs this command.")
        if order.prune:
            pruning.prune(self._packages)
        pruning.remove_traces(self._packages)

    def _copy(self, root: Path) -> None:
        order = self._order
        files = sources.source_files(
            root, exclude=order.exclude, include=order.include, project=order.root, remark=self._notes.append
        )
        sources.copy_sources(root, files, self._folder)
        self._own_files = [str(name) for name in files]

    def _bundle(self) -> None:
        self._progress(f"bundling {self._order.target}")
        self._notes += bundle.add_interpreter(self._order.target, self._python, self._order.interpreter)

    def _write_scripts(self) -> None:
        order, version = self._order, self._order.target.python
        if not order.takes_over:
            return
        if order.kind is Kind.BOOTSTRAP:
            _write_program(self._folder / scripts.BOOTSTRAP, scripts.bootstrap(version))
        elif order.kind is not Kind.IMAGE:
            text = scripts.wrapper(version, in_layer=order.kind is Kind.LAYER)
            _write_program(self._folder / scripts.WRAPPER, text)

    def _finish(self) -> Built:
        order = self._order
        entries = stage.entries_of(self._folder)
        packages = "python" if order.kind is Kind.LAYER else ""
        parts = {scripts.PYTHON_FOLDER: _BUNDLED} if order.kind is Kind.BOOTSTRAP else {}
        weights = stage.weights_of(
            self._folder,
            entries,
            rest=SCRIPTS if order.kind is Kind.LAYER else OWN_CODE,
            packages=packages,
            parts=parts,
        )
        unzipped = sum(entry.size for entry in entries)
        zipped = 0
        if order.kind is not Kind.IMAGE:
            limits.check_unzipped(unzipped, weights, stage.files_of(entries, self._own_files))
        if not order.dry_run:
            if order.kind is Kind.IMAGE:
                image.write_context(entries, order.target, order.handler, order.out)
            else:
                self._progress(f"writing {order.out.name}")
                zipped = archive.write_zip(entries, order.out)
        return Built(order=order, zipped=zipped, unzipped=unzipped, weights=weights, notes=self._notes)


def _write_program(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
