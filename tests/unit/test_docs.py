"""The pages under docs/ are about what is there."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_owners import leaves

from labctl import __version__
from labctl.topology import builtin

DOCS = Path(__file__).parents[2] / "docs"
LABS = (DOCS / "labs.md").read_text()


@pytest.mark.parametrize("name", builtin.names())
def test_every_topology_has_its_section_and_its_picture(name):
    assert f"\n## {name}\n" in LABS
    assert f"labctl up {name if name != builtin.DEFAULT else ''}".strip() in LABS
    picture = re.search(rf"!\[{name}\]\((\S+\.svg)\)", LABS)
    assert picture, f"docs/labs.md shows no picture of {name}"
    drawn = CliRunner().invoke(leaves()["graph"], [name, "--format", "svg"])
    assert drawn.exit_code == 0, drawn.stderr
    assert (DOCS / picture[1]).read_text() == drawn.stdout, f"labctl graph {name} --format svg -o docs/{picture[1]}"


@pytest.mark.parametrize("page", sorted(path.name for path in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]))
def test_links_lead_somewhere(page):
    path = DOCS / page if (DOCS / page).exists() else DOCS.parent / page
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), f"{page}: {target}"


def test_the_changelog_has_a_section_for_this_version():
    sections = re.findall(r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$", (DOCS.parent / "CHANGELOG.md").read_text(), re.M)
    assert sections[:2] == ["Unreleased", __version__]
