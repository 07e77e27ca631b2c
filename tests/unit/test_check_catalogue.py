import re
from dataclasses import asdict
from pathlib import Path

import pytest

from polylambda.check.catalogue import GROUPS, RULES
from polylambda.check.finding import Mode
from polylambda.check.static import StaticOptions, check
from scripts import rule_pages

CORPUS = Path(__file__).parent.parent / "corpus"
STATIC = [rule for rule in RULES.values() if not rule.id.startswith(("RUN", "LMI00"))]


def test_every_rule_is_there():
    listed = """
    LMI101 LMI102 LMI103 LMI104 LMI105 LMI106 LMI107 B006 B019 B039
    LMI201 LMI202 LMI203 LMI204 LMI205 LMI206 LMI207 LMI208 LMI209 LMI210 LMI211 LMI212 LMI213 LMI214
    ASYNC210 ASYNC212 ASYNC220 ASYNC221 ASYNC222 ASYNC230 ASYNC240 ASYNC250 ASYNC251
    LMI301 LMI302 LMI303 LMI304 LMI305
    LMI401 LMI402 LMI403 LMI404 RUF006 LMI405 LMI406
    RUN101 RUN102 RUN103 RUN104 RUN105 RUN106 RUN107 RUN108 RUN109 RUN110 RUN111 RUN112 RUN113 RUN114
    LMI001 LMI002
    """
    assert set(RULES) == set(listed.split())
    assert sum(len(group.rules) for group in GROUPS) == len(RULES)
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_says_all_that_its_page_needs(rule):
    assert rule.why
    assert set(rule.why) <= set(Mode)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.name)
    for text in [rule.summary, *rule.why.values()]:
        assert text.strip() == text
        assert text
        assert "\n" not in text
    for paragraph in (rule.summary, rule.production, rule.fix):
        assert paragraph[-1] in ".`"
        assert "  " not in paragraph
    assert all(not isinstance(value, str) or value for value in asdict(rule).values())
    assert rule.unsafe != rule.safe
    for link in re.findall(r"\]\((\w+)\.md\)", rule.production + rule.fix):
        assert link in RULES or link == "README"


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
@pytest.mark.parametrize("which", ["unsafe", "safe"])
def test_examples_are_handlers(rule, which):
    names = {}
    tree = compile(getattr(rule, which), f"{rule.id} {which}", "exec", flags=0x400)  # ast.PyCF_ONLY_AST
    for node in tree.body:
        for target in getattr(node, "targets", [node]):
            names[getattr(target, "name", getattr(target, "id", None))] = node
    assert "handler" in names


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The rules that the static check reports for each example, all of them checked at once."""
    root = tmp_path_factory.mktemp("examples")
    targets = []
    for rule in STATIC:
        for which in ("unsafe", "safe"):
            module = f"{rule.id.lower()}_{which}"
            (root / f"{module}.py").write_text(getattr(rule, which))
            targets.append(f"{module}.handler")
    checked = check(StaticOptions(targets=tuple(targets), root=root))
    rules = {target.partition(".")[0]: set() for target in targets}
    for finding in checked.findings:
        rules[finding.path.removesuffix(".py")].add(finding.rule)
    return rules


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.id)
def test_the_unsafe_example_breaks_this_rule_and_the_safe_one_none(rule, found):
    assert found[f"{rule.id.lower()}_unsafe"] == {rule.id}
    assert found[f"{rule.id.lower()}_safe"] == set()


def test_the_pages_are_current():
    assert rule_pages.outdated() == [], "run `python -m scripts.rule_pages`"


def test_a_page_that_is_changed_missing_or_too_many_is_outdated(tmp_path):
    rule_pages.write(tmp_path)
    assert rule_pages.outdated(tmp_path) == []
    (tmp_path / "LMI101.md").write_text("# by hand\n")
    (tmp_path / "LMI999.md").write_text("# a rule that is gone\n")
    (tmp_path / "RUN101.md").unlink()
    assert rule_pages.outdated(tmp_path) == ["LMI101.md", "LMI999.md", "RUN101.md"]
    assert rule_pages.write(tmp_path) == ["LMI101.md", "LMI999.md", "RUN101.md"]
    assert rule_pages.outdated(tmp_path) == []


def test_pages_link_to_pages():
    pages = rule_pages.pages()
    for name, text in pages.items():
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert link == "../check.md" or link in pages, f"{name} links to {link}"


def test_the_corpus_has_every_static_rule_and_a_safe_twin_of_every_handler():
    labels = re.findall(r"# unsafe: ([\w, ]+)", "".join(path.read_text() for path in CORPUS.rglob("*.py")))
    labelled = {rule for label in labels for rule in label.split(", ")}
    assert labelled == {rule.id for rule in STATIC}
    handlers = [path.with_suffix("") for path in CORPUS.glob("*/*") if path.name != "__pycache__"]
    unsafe = {str(path).removesuffix("_unsafe") for path in handlers if path.name.endswith("_unsafe")}
    safe = {str(path).removesuffix("_safe") for path in handlers if path.name.endswith("_safe")}
    assert unsafe == safe
    assert len(handlers) == len(unsafe) + len(safe) >= 200
