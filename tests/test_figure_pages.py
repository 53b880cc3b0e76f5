"""The page of a figure or table: where to link to, how to cite it, and whether it is current."""

import html
import json
import re
import shutil
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from playwright.sync_api import expect

from evidence.build.build import BuildOptions, build_reports
from evidence.dataset.citations import STYLES
from evidence.dataset.dataset import read_dataset
from evidence.errors import EvidenceError
from evidence.report.cite import cited_sources
from evidence.report.figure_pages import COPIED_STYLES, PartPages
from evidence.report.html_pages import Page
from tests.conftest import CITATION, Project

NOTEBOOK = (
    "from evidence import lay_out_proportions_by_arm, tabulate_results",
    "report.figure(lay_out_proportions_by_arm(report.results))",
    "report.table(tabulate_results(report.dataset, report.results))",
)
PARTS = ["figures/fig-shares", "tables/tab-results"]
PHONE = 390
EXAMPLE = "https://example.org/our-pages"
"""The address in the note that says how to state one."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small project whose reports are built with all formats; read only."""
    project = Project(tmp_path_factory.mktemp("pages") / "bread")
    project.path("CITATION.cff").write_text(CITATION, "utf-8")
    project.notebook("10_bread", *NOTEBOOK)
    build_reports(project.root, options=BuildOptions(only=["bread"], formats="all"))
    return project


@pytest.fixture
def site(built):
    return built.path("reports")


def read(site, name):
    return (site / f"{name}.html").read_text("utf-8")


def copied(page):
    """What the buttons of a page copy, by their labels."""
    blocks = re.findall(r'data-copy="([^"]+)"[^>]*>(.*?)</(?:pre|code)>', page, re.DOTALL)
    return {label: html.unescape(text) for label, text in blocks}


def render_again(project, site, **inputs):
    """The pages of a project whose `CITATION.cff` or data may have changed after the build."""
    dataset = read_dataset(project.root)
    pages = PartPages(
        dataset,
        site,
        {"10_bread": Page("10_bread", "Bread", "")},
        {"10_bread": read(site, "10_bread")},
        inputs={"10_bread": dataset.checksums | inputs},
        audited="",
    )
    return pages.render()


class Links(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.targets, self.ids = [], set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        self.targets += [values[name] for name in ("href", "src") if name in values]


@pytest.mark.parametrize("name", ["figures", *PARTS])
def test_links_lead_to_files_and_to_elements_that_exist(site, name):
    page = (site / f"{name}.html").resolve()
    for target in Links(page.read_text("utf-8")).targets:
        if not target.startswith(("https:", "data:")):
            file, _, fragment = target.partition("#")
            path = (page.parent / file) if file else page
            assert path.is_file(), target
            assert not fragment or fragment in Links(path.read_text("utf-8")).ids, target


@pytest.mark.parametrize("name", PARTS)
def test_a_page_says_where_to_link_to_how_to_cite_and_whether_it_is_current(built, site, name):
    page, identity = read(site, name), name.partition("/")[2]
    texts = copied(page)
    assert texts["Copy link"] == f"https://example.org/bread/{name}.html"
    sources = cited_sources(built.dataset(), site, [identity])
    assert [source.key for source in sources[:-1]][-1] == "guide"
    for style, label in COPIED_STYLES.items():
        assert texts[f"Copy {label}"].split() == STYLES[style](sources).split()
    version = json.loads((site / f"{name}.json").read_text("utf-8"))["version"]
    assert f"{identity}@{version}" in page
    assert "Made from the data that these pages show." in page
    assert "data/studies.csv (SHA-256 <code>" in page
    assert f"evidence identify {identity}@{version}" in page


def test_all_formats_are_offered_and_named(site):
    links = re.findall(r'href="([^"]+)" download>([^<]+)<', read(site, "figures/fig-shares"))
    pictures = ("svg", "pdf", "eps", "png", "-600dpi.png", "tiff")
    endings = [form if form[0] == "-" else f".{form}" for form in pictures]
    assert [name for name, _ in links] == [
        f"fig-shares{width}{ending}" for width in ("", "-85mm") for ending in endings
    ] + [f"fig-shares.{form}" for form in ("csv", "json", "bib")]
    assert {label for _, label in links} >= {"PNG, 600 dpi", "TIFF, 600 dpi"}


def test_the_page_of_a_figure_has_alternative_text_numbers_studies_and_rows(site):
    page = read(site, "figures/fig-shares")
    record = json.loads((site / "figures/fig-shares.json").read_text("utf-8"))
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert text.count(record["alt"]) == 1
    data = re.search(r'<table id="data-fig-shares".*?</table>', page, re.DOTALL)[0]
    assert "0.7059" in data
    assert 'href="../10_bread.html#why-fig-shares-' in data
    assert "Baker A. Rising dough. 1990." in text
    assert all(f"<code>{address}</code>" in page for address in record["rows"])


def test_without_an_address_nothing_is_invented(built, site, tmp_path):
    project = Project(tmp_path / "bread")
    for citation, note in (
        (CITATION.replace("url: https://example.org/bread\n", ""), f"<code>url: {EXAMPLE}</code>"),
        ("", "This project has no CITATION.cff."),
    ):
        project.path("CITATION.cff").write_text(citation, "utf-8")
        page = render_again(project, site)["figures/fig-shares"]
        assert note in page
        page = page.replace(EXAMPLE, "")
        assert "example.org" not in re.sub(r"<figure.*?</figure>", "", page, flags=re.DOTALL)
        assert copied(page)["Copy link"] == ""
        assert '<iframe src="fig-shares-embed.html"' in copied(page)["Copy code"]
    project.path("CITATION.cff").write_text("title: [", "utf-8")
    with pytest.raises(EvidenceError, match=r"CITATION.cff: not valid YAML"):
        render_again(project, site)


def test_a_figure_from_earlier_data_says_so(built, site):
    page = render_again(built, site, **{"data/studies.csv": "0" * 64})["figures/fig-shares"]
    assert "The data have changed since this figure was made." in page
    assert "data/studies.csv (SHA-256 <code>0000000000000000…" in page
    # Its addresses may be those of other rows today.
    assert "data/studies.csv:2-4" in page


@pytest.mark.parametrize("name", PARTS)
def test_a_damaged_record_is_named_with_the_remedy(built, tmp_path, name):
    site = tmp_path / "reports"
    shutil.copytree(built.path("reports"), site)
    (site / f"{name}.json").write_text('{"id": ', "utf-8")
    message = rf"{name}.json: does not describe a .*rebuild the reports with: evidence report"
    with pytest.raises(EvidenceError, match=message):
        render_again(built, site)


# In a browser


@pytest.fixture
def page(browser):
    context = browser.new_context(
        viewport={"width": PHONE, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    page.messages = []
    page.on("console", lambda message: page.messages.append(message.text))
    page.on("pageerror", lambda error: page.messages.append(str(error)))
    yield page
    context.close()


@pytest.mark.parametrize("label", ["Copy link", "Copy BibTeX", "Copy code"])
def test_a_button_copies_by_keyboard_and_says_so(page, site, label):
    page.goto((site / "figures/fig-shares.html").as_uri())
    button = page.get_by_role("button", name=label)
    button.press("Enter")
    status = button.locator("xpath=..").get_by_role("status")
    expect(status).to_have_text("Copied.")
    clipboard = page.evaluate("navigator.clipboard.readText()")
    assert clipboard == copied(read(site, "figures/fig-shares"))[label].strip()


def test_without_a_clipboard_the_text_is_selected(page, site):
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto((site / "figures/fig-shares.html").as_uri())
    button = page.get_by_role("button", name="Copy RIS")
    button.click()
    status = button.locator("xpath=..").get_by_role("status")
    expect(status).to_have_text("Selected. Press Ctrl+C, or ⌘C on a Mac, to copy.")
    assert page.evaluate("getSelection().toString()").startswith("TY  - ")


def test_an_unknown_address_is_that_of_the_page(page, built, site, tmp_path):
    project = Project(tmp_path / "bread")
    (tmp_path / "a.html").write_text(render_again(project, site)["tables/tab-results"], "utf-8")
    address = (tmp_path / "a.html").as_uri()
    page.goto(f"{address}?x=1#link")
    expect(page.locator("[data-copy='Copy link']")).to_have_text(address)


@pytest.mark.parametrize("name", PARTS)
def test_an_embedded_page_alone_works_in_a_frame(page, site, tmp_path, name):
    """Copied without any other file, and shown by a page on this disk, also on a phone."""
    embed, axe = f"{name.partition('/')[2]}-embed.html", files("axe_playwright_python")
    shutil.copy(site / f"{name}-embed.html", tmp_path / embed)
    code = copied(read(site, name))["Copy code"]
    assert f'src="https://example.org/bread/{name}-embed.html"' in code
    frame = re.sub('src="[^"]+"', f'src="{embed}"', code).replace("lazy", "eager")
    (tmp_path / "blog.html").write_text(f'<html lang="en"><title>x</title>{frame}', "utf-8")
    page.goto((tmp_path / "blog.html").as_uri())
    shown = page.frames[1]
    shown.wait_for_load_state()
    assert page.messages == []
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for image in shown.locator("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    assert shown.locator("a").evaluate_all("all => all.map((a) => a.href)") == [
        f"https://example.org/bread/{name}.html"
    ]
    page.goto((tmp_path / embed).as_uri())
    page.evaluate(axe.joinpath("axe.min.js").read_text("utf-8"))
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [rule["id"] for rule in result["violations"]] == []


@pytest.mark.parametrize("name", ["figures", *PARTS])
def test_search_from_a_page_finds_pages_of_figures_and_reports(page, site, name):
    page.goto((site / f"{name}.html").as_uri())
    page.get_by_role("searchbox", name="Search all pages").fill("results each row")
    page.get_by_role("search").get_by_role("link").first.wait_for()
    links = page.get_by_role("search").get_by_role("link")
    addresses = links.evaluate_all("all => all.map((a) => a.href.split(/[?#]/)[0])")
    assert (site / "tables/tab-results.html").as_uri() in addresses
    assert (site / "10_bread.html").as_uri() in addresses
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
