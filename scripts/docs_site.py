"""Builds the documentation's site: `python -m scripts.docs_site [FOLDER]`, by default into `dist/docs`.

The pages are Markdown that reads as well in the repository: docs/, and beside them the READMEs of examples and benchmarks.
They are laid out in a folder of their own, with links between them made over, and Sphinx builds them there, in an
environment of its own. A warning is an error: also a link, or the anchor of one, that leads nowhere.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts import environments
from scripts.environments import ROOT, CommandFailed, say

SPHINX = ["sphinx==9.0.4", "myst-parser==5.2.0", "furo==2025.12.19"]
ENVIRONMENT = ROOT / ".venv-tools" / "docs"
OUTPUT = ROOT / "dist" / "docs"

_DOCS = ROOT / "docs"
_INDEX = _DOCS / "README.md"
_FENCED = re.compile(r"^(?P<fence>```+).*?^(?P=fence)$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<text>!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^()\s:#]+)(?P<anchor>#[^()\s]*)?\)")
_SECTION = re.compile(r"^## (?P<name>.+)\n(?P<body>(?:(?!## ).*\n?)*)", re.MULTILINE)
_SHOWN = ("app.py", "test_app.py", "template.yaml")  # of an example, below what its README says
_WITH_CONTENTS = ("benchmarks/index.md", "examples/index.md")
_NOT_IN_THE_MENU = "---\norphan: true\n---\n\n"  # the rules are many: their index leads to them
_LANGUAGES = {".py": "python", ".yaml": "yaml"}


@dataclass(frozen=True)
class Site:
    """Which file of the repository becomes which one of the site.

    Attributes:
        pages: path of a Markdown file -> its path in the site.
    """

    pages: dict[Path, str]

    def target_of(self, path: Path) -> str:
        """Return where a file of the repository is in the site: a page, or one to look at."""
        return self.pages.get(path) or f"files/{path.relative_to(ROOT).as_posix()}"

    def below(self, folder: str) -> list[str]:
        """Return the pages of a folder of the site, without its index."""
        return sorted(
            target for target in self.pages.values() if posixpath.dirname(target) == folder and "index" not in target
        )


def find_pages() -> Site:
    """Find what is there."""
    pages = {
        path: path.relative_to(_DOCS).as_posix().replace("README.md", "index.md")
        for path in sorted(_DOCS.rglob("*.md"))
    }
    pages |= {
        ROOT / "CONTRIBUTING.md": "contributing.md",
        ROOT / "CHANGELOG.md": "changelog.md",
        ROOT / "benchmarks" / "README.md": "benchmarks/index.md",
        ROOT / "benchmarks" / "RESULTS.md": "benchmarks/results.md",
        ROOT / "examples" / "README.md": "examples/index.md",
    }
    for path in sorted(ROOT.glob("examples/*/README.md")):
        pages[path] = f"examples/{path.parent.name}.md"
    return Site(pages)


def lay_out(folder: Path) -> None:
    """Write the site's sources below `folder`."""
    site = find_pages()
    for path, target in site.pages.items():
        text = path.read_text()
        text += _sources_of(path, text)
        text = _outside_fences(text, lambda prose, path=path: _with_links(prose, path, site, folder))
        if path == _INDEX:
            text = _SECTION.sub(lambda section: _with_contents(section, site), text)
        elif target in _WITH_CONTENTS:
            text += _contents(site.below(posixpath.dirname(target)), posixpath.dirname(target))
        elif posixpath.dirname(target) == "rules" and path.name != "README.md":
            text = _NOT_IN_THE_MENU + text
        _write(folder / target, text)
    shutil.copytree(_DOCS / "_static", folder / "_static")


def build(output: Path) -> None:
    """Build the site anew. Raises CommandFailed with the warnings, if there is one."""
    ensure()
    if output.exists() and any(output.iterdir()):
        if not (output / "objects.inv").exists():
            raise CommandFailed(
                f"{output} is no site that was built here: name an empty folder, or one that is not there"
            )
        shutil.rmtree(output)
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "sources"
        lay_out(sources)
        command = [
            environments.python_of(ENVIRONMENT),
            "-m",
            "sphinx",
            "-b",
            "html",
            "-W",
            "--keep-going",
            "-q",
            "--no-color",  # which Sphinx writes into a pipe too where CI is set
        ]
        command += ["-c", _DOCS, "-d", Path(folder) / "doctrees", sources, output]
        variables = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        raise CommandFailed((done.stdout + done.stderr).replace(f"{sources}/", "").strip())


def ensure() -> None:
    """Install the generator, and what the modules need that it imports for their docstrings. Raises CommandFailed."""
    needed = environments.dependencies("asgi")
    environments.ensure(ENVIRONMENT, Path(sys.executable), [*SPHINX, *needed], "installing Sphinx for the docs (once)")


def _with_links(text: str, page: Path, site: Site, folder: Path) -> str:
    """Let links lead to where their targets are in the site; a file that is no page is copied there."""
    here = posixpath.dirname(site.pages[page])

    def made_over(link: re.Match[str]) -> str:
        path = (page.parent / link["target"]).resolve()
        if path.is_dir():
            path /= "README.md"
        if path.parent == page.parent and path.name in _SHOWN and page.parent.parent.name == "examples":
            return f"{link['text']}(#{_slug(path.name)})"
        if not path.is_file() or not path.is_relative_to(ROOT):
            return link[0]  # which Sphinx complains about
        target = site.target_of(path)
        if path not in site.pages:
            _copy(path, folder / target)
        return f"{link['text']}({posixpath.relpath(target, here or '.')}{link['anchor'] or ''})"

    return _LINK.sub(made_over, text)


def _sources_of(page: Path, text: str) -> str:
    """Return the files of an example as sections, for below its README."""
    if page.parent.parent != ROOT / "examples":
        return ""
    shown = [page.parent / name for name in _SHOWN if (page.parent / name).exists()]
    level = "##" if re.search(r"^# ", text, re.MULTILINE) else "#"
    return "".join(
        f"\n{level} {path.name}\n\n````{_LANGUAGES[path.suffix]}\n{path.read_text().strip()}\n````\n" for path in shown
    )


def _with_contents(section: re.Match[str], site: Site) -> str:
    """Put the pages that a section of the index names into the site's contents, below the section's name."""
    named = [link["target"] for link in map(_LINK.match, re.findall(r"^- (.*)", section["body"], re.MULTILINE)) if link]
    pages = [target for target in named if target in site.pages.values()]
    return section[0] + (_contents(pages, "", section["name"]) if pages else "")


def _contents(pages: list[str], here: str, caption: str = "") -> str:
    listed = "\n".join(posixpath.relpath(page, here or ".").removesuffix(".md") for page in pages)
    return (
        f"\n```{{toctree}}\n:hidden:\n{f':caption: {caption}' if caption else ''}\n\n{listed}\n```\n\n" if pages else ""
    )


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Change what is not in a fenced block."""
    parts: list[str] = []
    end = 0
    for block in _FENCED.finditer(text):
        parts += [change(text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, change(text[end:])])


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    try:
        say("building the documentation")
        build(chosen)
    except CommandFailed as error:
        sys.exit(f"error: {error}")
    print(f"Look at it with: {sys.executable} -m http.server --directory {chosen}")
