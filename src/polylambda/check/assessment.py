"""A check from beginning to end: what is looked for, what is found, and what of it counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polylambda.check.baseline import Baseline
from polylambda.check.catalogue import RULES
from polylambda.check.finding import Mode
from polylambda.check.output.report import Report
from polylambda.check.selection import read_selection, split
from polylambda.check.suppressions import sift
from polylambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from polylambda.check.dynamic import RunOptions
    from polylambda.check.finding import Finding


@dataclass(frozen=True, slots=True)
class Assessment:
    """What counts, for one project.

    Attributes:
        root: of the project; paths of findings are relative to it.
        rules: ids of those that are looked for.
        mode: the one to check for; None for the handler's own.
        baseline: findings that are known.
        file: where the baseline is, or is to be.
    """

    root: Path
    rules: frozenset[str]
    mode: Mode | None = None
    baseline: Baseline | None = None
    file: Path | None = None

    def read(self, targets: Sequence[str], cache: Path | None) -> Report:
        """Return what reading the source of the targets finds."""
        from polylambda.check.static import StaticOptions, check

        checked = check(StaticOptions(targets=tuple(targets), root=self.root, mode=self.mode, cache=_made(cache)))
        present = {self.mode} if self.mode else {handler.mode for handler in checked.handlers}
        modes = tuple(mode for mode in Mode if mode in present)
        report = Report(
            checked.findings,
            self.root,
            modes,
            files=checked.files,
            handlers=len(checked.handlers),
            followed=checked.followed,
            problems=(*checked.problems, *_nothing(checked.followed, targets)),
        )
        return self._judged(report, _below(checked.paths, targets, self.root))

    def run(self, options: RunOptions, tell: Callable[[str], None]) -> Report:
        """Return what running the handler finds."""
        from polylambda.check.dynamic import run

        ran = run(options, tell)
        what = f"{ran.invocations} invocations, mode {ran.mode}, seed {ran.seed}"
        report = Report(ran.findings, options.root, (ran.mode,), ran=what, reproduce=ran.reproduce)
        return self._judged(report, ())

    def write_baseline(self, report: Report, file: Path) -> None:
        """Write down that the findings are known; what reading found is kept when it ran, and the other way round.

        Raises:
            ConfigurationError: the file cannot be written, or is no baseline.
        """
        there = Baseline.read(file).entries if file.exists() else ()
        others = [entry for entry in there if entry.rule.startswith("RUN") != bool(report.ran)]
        Baseline([*Baseline.of(report.findings, self.root).entries, *others]).write(file)

    def _judged(self, report: Report, whole: tuple[str, ...]) -> Report:
        """Take away what comments and the baseline know; the comments of `whole` files must all be of use."""
        expected = {
            rule for rule in self.rules if set(RULES[rule].why) & set(report.modes) and not rule.startswith("RUN")
        }
        sifted = sift(
            _once(each for each in report.findings if each.rule in self.rules),
            self.root,
            paths=whole,
            known=RULES,
            expected=expected,
        )
        findings = tuple(each for each in sifted.findings if each.rule in self.rules)
        report = replace(report, findings=findings, suppressed=sifted.suppressed)
        if self.baseline is None:
            return report
        compared = self.baseline.compare(findings, self.root)
        # When it ran, what reading the source found is not gone, and the other way round.
        gone = tuple(each for each in compared.gone if each.rule.startswith("RUN") == bool(report.ran))
        return replace(report, findings=compared.new, known=compared.known, gone=gone)


def assessment(
    root: Path,
    *,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    mode: Mode | None = None,
    file: Path | None = None,
    anew: bool = False,
) -> Assessment:
    """Return what counts: what is told here, and what the project's pyproject.toml says where nothing is told.

    Args:
        root: folder of the project.
        select: rules to look for, or beginnings of their ids.
        ignore: rules not to look for.
        mode: the one to check for.
        file: of the baseline.
        anew: the baseline is about to be written, so that nothing is known yet.

    Raises:
        ConfigurationError: there is no such rule or baseline, or pyproject.toml says what is not understood.
    """
    project = read_selection(root)
    chosen = replace(
        project,
        select=project.select if select is None else split(select),
        ignore=project.ignore if ignore is None else split(ignore),
    )
    if file is None and project.baseline is not None:
        file = root / project.baseline
    if file is None and anew:
        raise ConfigurationError("--write-baseline needs the file, such as --baseline polylambda-known.json")
    known = None if file is None or anew else Baseline.read(file)
    return Assessment(root, chosen.rules(RULES), mode or project.mode, known, file)


def _once(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Leave out what was found already on the way from another handler; the shortest way stays."""
    kept: dict[tuple[str, int, int, str, str], Finding] = {}
    for each in sorted(findings, key=lambda each: (len(each.trail), each)):
        kept.setdefault((each.path, each.line, each.column, each.rule, each.message), each)
    return kept.values()


def _below(paths: Sequence[str], targets: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return the paths that are a target, or below one: all their handlers were followed."""
    whole = [(root / target).resolve() for target in targets]
    return tuple(path for path in paths if any((root / path).resolve().is_relative_to(each) for each in whole))


def _nothing(followed: int, targets: Sequence[str]) -> tuple[str, ...]:
    """Say so when nothing was followed: no findings are then no news."""
    if followed:
        return ()
    what = "no function was followed, so that no findings is no news"
    return (f"{what}: polylambda check --run sees what {', '.join(targets)} does",)


def _made(cache: Path | None) -> Path | None:
    """Return the folder, which git is not to see; None where it cannot be made."""
    if cache is None:
        return None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        ignored = cache / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n")
    except OSError:
        return None
    return cache
