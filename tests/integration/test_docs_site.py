"""The site of the documentation: it is built without a warning, everything is on it, and what leads nowhere is an error."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import polylambda.asgi
import polylambda.testing
from scripts import docs_site
from scripts.environments import CommandFailed

PUBLIC = [
    *(f"polylambda.{name}" for name in polylambda.__all__),
    *(f"polylambda.asgi.{name}" for name in polylambda.asgi.__all__),
    *(f"polylambda.testing.{name}" for name in polylambda.testing.__all__),
    "polylambda.settings.Settings",
]


@pytest.mark.timeout(240)  # it is a hundred pages, and the first time Sphinx is installed
def test_site(tmp_path: Path):
    docs_site.build(tmp_path)
    pages = docs_site.find_pages().pages.values()
    made = [tmp_path / page.replace(".md", ".html") for page in pages]
    assert all(page.exists() for page in made)
    menu = (tmp_path / "index.html").read_text()
    for page in made:
        assert (
            f'href="{page.relative_to(tmp_path)}"' in menu or page.name == "index.html" or page.parent.name == "rules"
        )
        text = page.read_text()
        assert "{eval-rst}" not in text, page
        for link in re.findall(r'(?:href|src)="([^":#]+)[^":]*"', text):
            assert (page.parent / link.split("?")[0]).exists(), f"{page}: {link}"
    reference = (tmp_path / "api.html").read_text()
    for name in PUBLIC:
        assert f'id="{name}"' in reference, name


def test_links_that_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    docs = tmp_path / "docs"
    shutil.copytree(docs_site._DOCS / "_static", docs / "_static")
    shutil.copy(docs_site._DOCS / "conf.py", docs)
    (docs / "README.md").write_text("# Documentation\n\n## Start\n\n- [Page](page.md)\n- [Other](other.md)\n")
    (docs / "page.md").write_text("# Page\n\n[there](other.md#nowhere), or [there](nowhere.md)\n")
    (docs / "other.md").write_text("# Other\n")
    monkeypatch.setattr(docs_site, "_DOCS", docs)
    monkeypatch.setattr(docs_site, "_INDEX", docs / "README.md")
    site = docs_site.Site({path: path.name.replace("README", "index") for path in docs.glob("*.md")})
    monkeypatch.setattr(docs_site, "find_pages", lambda: site)
    monkeypatch.setenv("CI", "true")  # where Sphinx colours what it prints
    with pytest.raises(CommandFailed) as failure:
        docs_site.build(tmp_path / "site")
    complaints = str(failure.value).splitlines()
    assert any("local id not found" in each and "'nowhere'" in each for each in complaints)
    assert any("nowhere.md" in each for each in complaints)
    assert not [each for each in complaints if "WARNING" in each and not each.startswith("page.md")]
