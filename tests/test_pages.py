"""The pages in a real browser: offline, accessible, operable by keyboard, also on a phone."""

import contextlib
import functools
import http.server
import json
import re
import threading
from importlib.resources import files

import pypdfium2
import pytest
from playwright.sync_api import expect

from evidence.report.html_pages import METADATA, Page, render_notebook, resolve_row_links
from evidence.report.search_index import page_texts, search_index
from evidence.tables.html_table import ReportTable
from tests.conftest import ROOT

NAMES = ["index", *(path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb")))]
PARTS = ["figures", "figures/fig-shares", "tables/tab-studies"]
ALL_PAGES = [*NAMES, "sources", "glossary", *PARTS]
KILOBYTES_WITHOUT_FIGURES = 1250
"""Half of the largest pages are footnotes that link each number to its rows. As most of that is
repeated, a server that compresses sends about a tenth."""
PHONE = 390
MAX_SHEETS = 80
"""Sheets of A4 for the ten reports and the index."""


@pytest.fixture(scope="module")
def context(browser):
    context = browser.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    context.tabs = []
    yield context
    context.close()


def new_tab(context):
    page = context.new_page()
    page.on("console", lambda message: page.messages.append(message.text))
    page.on("pageerror", lambda error: page.messages.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    return page


@contextlib.contextmanager
def opened(context, report, name, fragment="", width=1200):
    """A page in a tab of a test that passed, as a new tab takes longer than most pages."""
    page = context.tabs.pop() if context.tabs else new_tab(context)
    page.set_viewport_size({"width": width, "height": 900})
    page.messages, page.requests = [], []
    page.goto((report / f"{name}.html").as_uri() + fragment)
    yield page
    page.goto("about:blank")
    page.mouse.move(0, 0)
    page.emulate_media(media="null", color_scheme="null")
    context.tabs.append(page)


@pytest.fixture
def studies(context, report):
    """The page of studies, with the rows and tools of its first table."""
    with opened(context, report, "01_studies") as page:
        page.rows = page.locator("#tab-studies tbody tr[id]:visible")
        page.tools = page.get_by_role("group", name="Rows of: Studies")
        page.status = page.tools.get_by_role("status")
        yield page


def column(page, name, table="tab-studies"):
    """The texts of a column in the rows that are shown."""
    return page.evaluate(
        """([table, name]) => {
          const cells = `#${table} tbody tr:not([hidden]) > [data-label="${name}"]`;
          return [...document.querySelectorAll(cells)].map((cell) => cell.textContent);
        }""",
        [table, name],
    )


def numbers(texts):
    return [int(text.replace(",", "")) for text in texts if re.fullmatch(r"[\d,]+", text)]


@pytest.mark.parametrize("name", ALL_PAGES)
def test_page_opens_offline_and_fits_a_phone(context, report, name):
    with opened(context, report, name) as page:
        assert page.messages == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
        assert page.title()
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("h1").count() == 1
        assert page.locator("nav a[aria-current]").count() == (name != "sources")
        for media in ("print", "screen"):
            page.emulate_media(media=media)
            scope = page.locator("h1 + .scope")
            assert name in ("glossary", *PARTS) or "% confidence" in scope.inner_text()
        for image in page.locator("figure img").all():
            assert image.evaluate("image => image.complete && image.naturalWidth > 0")
            assert len(image.get_attribute("alt")) > 40
        contents = page.locator("nav.contents a").evaluate_all("all => all.map((a) => a.hash)")
        headings = page.locator("main :is(h2, h3)").evaluate_all(
            "all => all.map((h) => '#' + h.id)"
        )
        assert contents == headings
        assert len(contents) > (3 if name in NAMES else 1)
        page.set_viewport_size({"width": PHONE, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    without_figures = re.sub(
        rb'\bsrc(?:set)?="data:image/[^"]+"', b"", (report / f"{name}.html").read_bytes()
    )
    assert len(without_figures) < KILOBYTES_WITHOUT_FIGURES * 1000


@pytest.mark.parametrize(("width", "limit"), [(1280, 1600), (PHONE, 3500)])
def test_the_index_answers_within_a_minute(context, report, width, limit):
    """What each study found, how sure that is, and what is unknown, without much scrolling."""
    with opened(context, report, "index", width=width) as page:
        page.set_viewport_size({"width": width, "height": 800})
        lead = page.locator("h1, .lead").all_inner_texts()
        assert "Ketamine" in lead[0]
        assert "Ketamine Therapy 101" in lead[1]
        assert "not medical advice" in lead[1]
        cards = page.locator(".facts > li")
        assert cards.get_by_role("heading").all_inner_texts() == [
            "Zarate 2006", "Fava 2018", "Krupitsky 1997"
        ]  # fmt: skip
        for card in cards.all():
            assert card.locator("dt").all_inner_texts() == [
                "Question:", "Participants:", "Result:", "Certainty:", "Risk of bias:", "Caveat:"
            ]  # fmt: skip
        answers = [
            page.locator(".facts dd"),
            *(
                page.locator(f"#{name} + ul li")
                for name in ("certainty", "disagreements", "unknown")
            ),
        ]
        assert [answer.count() for answer in answers] == [18, 4, 5, 5]
        for element in (element for answer in answers for element in answer.all()):
            box = element.bounding_box()
            assert box["height"] > 0
            assert box["y"] + box["height"] <= limit, element.inner_text()
        first_result = cards.first.locator("dd").nth(2).bounding_box()
        assert first_result["y"] < 800


@pytest.mark.parametrize(
    "markup",
    [
        "<script>slipped = true</script>",
        '<script src="own.js"></script>',
        '<script src="data:text/javascript,slipped=true"></script>',
        "<svg><script>slipped = true</script></svg>",
        '<img src="data:," onerror="slipped = true">',
        '<a href="javascript:slipped = true" id="bait">bait</a>',
        """<iframe srcdoc="<script>parent.slipped = true</script>"></iframe>""",
    ],
)
def test_policy_blocks_every_other_script_in_the_markup(context, report, tmp_path, markup):
    """Only the script of the page runs, and what it makes itself: the index of the search."""
    html = (report / "01_studies.html").read_text("utf-8")
    (tmp_path / "own.js").write_text("slipped = true", "utf-8")
    (tmp_path / "01_studies.html").write_text(html.replace("<h1", markup + "<h1", 1), "utf-8")
    with opened(context, tmp_path, "01_studies") as page:
        for bait in page.locator("#bait").all():
            bait.dispatch_event("click")
        page.get_by_role("search").wait_for()
        page.wait_for_timeout(100)
        assert page.evaluate("window.slipped") is None
        assert any("Content Security Policy" in message for message in page.messages)


@pytest.mark.parametrize("name", ALL_PAGES)
def test_axe_finds_no_violation(context, report, name):
    """Rows of a table and items of a list are alike: a few of each are enough, and much faster."""
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    with opened(context, report, name) as page:
        page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
        page.evaluate(
            "document.querySelectorAll('tbody tr:nth-child(n+5), li:nth-child(n+9)')"
            ".forEach((element) => element.remove())"
        )
        if name in NAMES:
            page.locator("main a.number").first.click()
        page.evaluate(axe)
        for scheme, rules in (("light", ""), ("dark", "runOnly: ['color-contrast'], ")):
            page.emulate_media(color_scheme=scheme)
            result = page.evaluate(f"axe.run(document, {{{rules}resultTypes: ['violations']}})")
            violations = [
                f"{rule['id']}: {node['target']} {node['failureSummary']}"
                for rule in result["violations"]
                for node in rule["nodes"][:3]
            ]
            assert violations == []
            assert "color-contrast" in {rule["id"] for rule in result["passes"]}


@pytest.mark.parametrize("name", ["index", "05_claims"])
def test_controls_are_large_enough_to_hit(context, report, name):
    with opened(context, report, name, width=PHONE) as page:
        boxes = page.evaluate("""[...document.querySelectorAll(
            "nav a, summary, button, input, select")].filter((e) => e.checkVisibility())
            .map((e) => [e.textContent, e.getBoundingClientRect().height])""")
        assert len(boxes) > 10
        assert [box for box in boxes if box[1] < 24] == []


def test_navigation_leads_to_every_report(context, report):
    with opened(context, report, "index") as page:
        links = page.get_by_role("navigation", name="Reports").get_by_role("link")
        addresses = links.evaluate_all("all => all.map((link) => link.getAttribute('href'))")
        assert addresses[: len(NAMES)] == [f"{name}.html" for name in NAMES]
        links.nth(1).click()
        page.wait_for_url(f"**/{NAMES[1]}.html")
    for name in NAMES:
        (current,) = re.findall(
            r'<a href="([^"]+)" aria-current="page">', (report / f"{name}.html").read_text("utf-8")
        )
        assert current == f"{name}.html"


def test_the_first_tab_stop_skips_the_navigation(context, report):
    with opened(context, report, "index") as page:
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_column_sorts_by_mouse_up_down_and_back(studies):
    written, head = (
        column(studies, "study"),
        studies.locator("#tab-studies th", has_text="participants"),
    )
    button = head.get_by_role("button")
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    people = column(studies, "participants")
    assert numbers(people) == sorted(numbers(people))
    assert len(set(numbers(people))) > 5
    assert not numbers(people[-1:])
    assert "sorted by participants, ascending" in studies.status.inner_text()
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    people = column(studies, "participants")
    assert numbers(people) == sorted(numbers(people), reverse=True)
    assert not numbers(people[-1:])
    button.click()
    assert head.get_attribute("aria-sort") is None
    assert column(studies, "study") == written


def test_times_sort_by_length_and_not_by_letter(studies):
    studies.locator("#tab-studies th", has_text="follow-up").get_by_role("button").click()
    cells = [span for span in column(studies, "follow-up") if span != "not stated"]
    spans = [span.removeprefix("at least ") for span in cells]
    days = {"hour": 1 / 24, "day": 1, "week": 7, "month": 365 / 12, "year": 365}
    length = [float(n) * days[unit.rstrip("s")] for n, unit in map(str.split, spans)]
    assert length == pytest.approx(sorted(length), rel=0.01)
    assert len({span.split()[1].rstrip("s") for span in spans}) > 2


def test_a_column_sorts_by_keyboard(studies):
    studies.tools.get_by_role("searchbox").focus()
    for _ in range(12):
        studies.keyboard.press("Tab")
        if studies.locator(":focus").inner_text() == "study":
            break
    studies.keyboard.press("Enter")
    names = column(studies, "study")
    assert names == sorted(names, key=str.lower)
    assert studies.locator(":focus").inner_text() == "study"
    assert studies.locator(":focus").evaluate("e => getComputedStyle(e).outlineWidth") == "3px"


def test_search_keeps_the_rows_with_all_the_words(studies):
    all_of_them = studies.rows.count()
    studies.tools.get_by_role("searchbox").press_sequentially("CROSSOVER saline")
    texts = [
        studies.locator(f"#{row.get_attribute('id')}, #{row.get_attribute('id')} + .more")
        for row in studies.rows.all()
    ]
    texts = [" ".join(rows.all_inner_texts()).lower() for rows in texts]
    assert 0 < len(texts) < all_of_them
    assert all("crossover" in text and "saline" in text for text in texts)
    assert f"{len(texts)} of {all_of_them} rows" in studies.status.inner_text()
    studies.tools.get_by_role("button", name="Clear").press("Enter")
    assert studies.rows.count() == all_of_them


def test_a_filter_keeps_the_rows_of_a_word_by_mouse_and_keyboard(studies):
    select = studies.tools.get_by_label("condition")
    select.select_option("depression")
    conditions = column(studies, "condition")
    assert conditions
    assert all("depression" in text.split("; ") for text in conditions)
    assert len(conditions) < studies.locator("#tab-studies tbody tr[id]").count()
    select.focus()
    studies.keyboard.press("Home")
    assert studies.rows.count() == studies.locator("#tab-studies tbody tr[id]").count()
    studies.keyboard.press("ArrowDown")
    assert 0 < studies.rows.count() < studies.locator("#tab-studies tbody tr[id]").count()


def test_results_are_found_by_study_and_outcome(context, report):
    with opened(context, report, "01_studies") as page:
        tools = page.get_by_role("group", name="Rows of: Results")
        tools.get_by_label("study").select_option("Zarate 2006")
        outcomes = column(page, "outcome", "tab-results")
        tools.get_by_label("outcome").select_option(outcomes[0])
        assert set(column(page, "study", "tab-results")) == {"Zarate 2006"}
        assert column(page, "outcome", "tab-results") == [
            outcome for outcome in outcomes if outcome == outcomes[0]
        ]
        assert len(set(outcomes)) > 1


TABLES_OUTSIDE = """() => [...document.querySelectorAll("table")].filter((table) =>
    table.getBoundingClientRect().width > table.parentElement.clientWidth + 1 ||
    /auto|scroll/.test(getComputedStyle(table.parentElement).overflow)).map((table) => table.id)"""


BROKEN_INTERVALS = """() => [...document.querySelectorAll("td[data-label$=CI]")].filter((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getClientRects().length > 1;
}).map((cell) => cell.textContent)"""


@pytest.mark.parametrize("name", NAMES)
def test_tables_fit_a_page_and_are_cards_on_a_phone(context, report, name):
    with opened(context, report, name, width=1280) as page:
        page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
        for width in (1280, 1100, 900, 700, PHONE):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(TABLES_OUTSIDE) == [], width
            assert page.evaluate(BROKEN_INTERVALS) == [], width
        shown = page.locator(".table tbody tr[id]:not([hidden])")
        for row in shown.all()[:3]:
            assert row.evaluate("e => getComputedStyle(e).display") == "block"
            assert row.get_attribute("role") == "row"
            assert all(row.locator("td").evaluate_all(
                "all => all.map((e) => getComputedStyle(e, '::before').content"
                ".includes(e.dataset.label))"
            ))  # fmt: skip


def test_certainty_sorts_by_its_order(context, report):
    header = "certainty (suggested)"
    with opened(context, report, "08_appraisal", "#tab-summary-of-findings") as page:
        table = page.locator("#tab-summary-of-findings")
        table.get_by_role("button", name=header).click()
        levels = column(page, header, "tab-summary-of-findings")
        order = ["very low", "low", "moderate", "high"]
        places = [order.index(level) for level in levels]
        assert places == sorted(places)


def test_a_search_for_a_duration_finds_it_in_every_unit(studies):
    tools = studies.get_by_role("group", name="Rows of: Results")
    tools.get_by_role("searchbox").fill("1 day")
    assert {"1 day", "24 hours"} <= set(column(studies, "time", "tab-results"))


def test_search_filters_and_order_stand_in_the_address(context, report, studies):
    studies.tools.get_by_role("searchbox").fill("saline")
    studies.tools.get_by_label("condition").select_option("depression")
    header = studies.locator("#tab-studies thead button", has_text="participants")
    header.click()
    header.click()
    shown = column(studies, "study")
    query = re.search(r"\?.*", studies.url).group()
    assert "tab-studies.sort=-participants" in query
    with opened(context, report, "01_studies", query) as page:
        assert column(page, "study") == shown
        assert page.messages == []
        row = page.locator("#tab-results tbody tr[id]").last
        assert not row.is_visible()
        page.evaluate("id => location.hash = id", row.get_attribute("id"))
        row.wait_for(state="visible")
        assert column(page, "study") == shown
        page.get_by_role("group", name="Rows of: Studies").get_by_role(
            "button", name="Clear"
        ).click()
        expect(page).not_to_have_url(re.compile(r"tab-studies\.search"))


def test_a_long_table_shows_its_first_rows_and_all_on_request(studies):
    rows = studies.locator("#tab-results tbody tr[id]:visible")
    assert rows.count() == 25
    studies.get_by_role("button", name=re.compile("Show all .* rows")).click()
    assert rows.count() == studies.locator("#tab-results tbody tr[id]").count()


def test_without_script_all_rows_are_there_and_links_replace_controls(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "01_studies.html").as_uri())
    assert page.locator("#tab-results tbody tr").count() > 100
    assert page.locator("button, input, select").count() == 0
    page.locator("#tab-studies tbody th a").first.click()
    expect(page.locator("li:target")).to_be_visible()
    page.goto((report / "index.html").as_uri())
    page.locator("main a.number").first.click()
    page.wait_for_url("**/sources.html#why-*")
    page.locator(":target").wait_for(state="visible")
    page.go_back()
    page.locator("main a.term").first.click()
    page.wait_for_url("**/glossary.html#term-*")
    context.close()


@pytest.mark.parametrize("width", [1280, PHONE])
@pytest.mark.parametrize(
    ("name", "link", "key", "expected"),
    [
        ("index", ".facts a.number", "Enter", "How computed"),
        ("05_claims", "p a.number", "Space", "Source rows"),
        ("01_studies", "#tab-studies tbody th a.number", "Enter", "data/designs.csv:"),
        ("index", "a.term", "Space", "Glossary"),
    ],
)
def test_a_number_or_term_answers_beside_it(context, report, name, link, key, expected, width):
    with opened(context, report, name, width=width) as page:
        panel, opener = page.locator("#panel"), page.locator(f"main {link}").first
        opener.focus()
        position = page.evaluate("scrollY")
        page.keyboard.press(key)
        expect(panel).to_contain_text(expected)
        assert not re.search(r"\b\w+\.\w+\.\w+\b(?<!\.csv)", panel.inner_text())
        box, place = panel.bounding_box(), opener.evaluate("e => e.getClientRects()[0].toJSON()")
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        gaps = box["y"] - place["bottom"], place["top"] - box["y"] - box["height"]
        assert 0 <= max(gaps) < 10
        expect(panel).to_be_focused()
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(opener).to_be_focused()
        assert page.evaluate("scrollY") == position


def test_a_panel_leads_on_to_the_footnote_and_the_fold_around_it_opens(context, report):
    with opened(context, report, "02_comparison") as page:
        link = page.locator("main a.number").first
        note = page.locator(link.get_attribute("href").replace(".", r"\."))
        assert not note.is_visible()
        link.click()
        assert not note.is_visible()
        page.locator("#panel").get_by_role("link", name="All numbers and sources").click()
        expect(note).to_be_visible()
        expect(page.locator("#panel")).to_be_hidden()
        expect(note).to_be_in_viewport()
        page.reload()
        expect(note).to_be_visible()


def test_a_link_to_a_footnote_of_the_index_opens_its_panel(context, report):
    with opened(context, report, "index") as page:
        link = page.locator("main a.number").nth(20)
        fragment, text = link.evaluate("e => [e.hash, e.textContent]")
    with opened(context, report, "index", fragment) as page:
        expect(page.locator("#panel-title")).to_have_text(text)


def test_numbers_in_print_have_the_number_of_their_footnote(context, report):
    with opened(context, report, "index") as page:
        page.emulate_media(media="print")
        listed = page.locator(".addresses li:visible")
        assert listed.count() == page.locator("#numbers-text > li").count() > 50
        pairs = page.locator("main a.number").evaluate_all("""all => all.map((link) => {
          const note = document.getElementById(link.hash.slice(1)).closest("li");
          return [getComputedStyle(link, "::after").content.replaceAll('"', ""),
            String([...note.parentElement.children].indexOf(note) + 1)];
        })""")
        assert all(printed == number for printed, number in pairs)
        in_order = list(dict.fromkeys(int(number) for _, number in pairs))
        assert in_order == sorted(in_order)


def test_a_link_shows_a_row_that_was_filtered_away(context, report):
    with opened(context, report, "05_claims") as page:
        row = page.locator("#tab-claims tbody tr").first
        page.locator(".fold", has=page.locator("#tab-claims")).locator("summary").first.click()
        page.get_by_role("group", name="Rows of: Claims").get_by_role("searchbox").fill("no row")
        assert not row.is_visible()
        page.evaluate("id => location.hash = id", row.get_attribute("id"))
        row.wait_for(state="visible")


def test_claims_and_unknowns_lead_to_each_other(context, report):
    unknowns = json.loads((report / "unknowns.json").read_text("utf-8"))
    listed = next(entry for entry in unknowns if entry["claims"] and entry["origin"] == "listed")
    with opened(context, report, "06_unknowns", f"#tab-unknowns-{listed['unknown']}") as page:
        row = page.locator("tr:target")
        expect(row.locator("th")).to_have_text(f"{listed['unknown']}: {listed['question']}")
        row.get_by_role("link", name=listed["claims"][0], exact=True).click()
        page.wait_for_url(f"**/05_claims.html#tab-claims-{listed['claims'][0]}")
        expect(page.locator("tr:target th")).to_have_text(listed["claims"][0])
        page.locator("tr:target + .more").get_by_role("link", name=listed["unknown"]).click()
        page.wait_for_url(f"**/06_unknowns.html#tab-unknowns-{listed['unknown']}")


def test_every_claim_of_every_unknown_is_linked_both_ways(report):
    pages = {name: (report / f"{name}.html").read_text("utf-8") for name in ALL_PAGES}
    unknowns = json.loads((report / "unknowns.json").read_text("utf-8"))
    pairs = sum(len(entry["claims"]) for entry in unknowns)
    forth = re.findall(r'href="05_claims.html#(tab-claims-[^"]+)"', pages["06_unknowns"])
    back = re.findall(r'href="06_unknowns.html#(tab-unknowns-[^"]+)"', pages["05_claims"])
    assert len(forth) == len(back) == pairs
    for name, page in pages.items():
        for target, fragment in re.findall(r'href="(\w+)\.html#([^"]+)"', page):
            assert f'id="{fragment}"' in pages[target], f"{name} to {target}#{fragment}"


def test_index_leads_to_rows_of_claims_and_unknowns(report):
    index = (report / "index.html").read_text("utf-8")
    assert 'href="05_claims.html#tab-claims-' in index
    assert 'href="06_unknowns.html#tab-unknowns-' in index


@pytest.fixture(scope="module")
def address(report):
    """The reports as a server on this machine offers them; from files nothing is downloaded."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Silent, directory=report)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("form", ["svg", "pdf", "eps", "png", "csv"])
def test_a_figure_is_downloaded_byte_for_byte(context, report, address, form, tmp_path):
    page = context.new_page()
    page.goto(f"{address}/figures/fig-shares.html")
    link = page.locator(f'a[href="fig-shares.{form}"]')
    with page.expect_download() as arriving:
        link.click()
    arriving.value.save_as(tmp_path / "arrived")
    content = (report / "figures" / f"fig-shares.{form}").read_bytes()
    assert (tmp_path / "arrived").read_bytes() == content
    page.close()


def test_every_figure_leads_to_its_page_and_its_numbers(context, report):
    with opened(context, report, "02_comparison") as page:
        figures = page.locator("figure").all()
        assert figures
        for figure in figures:
            identity = figure.get_attribute("id")
            links = page.locator(f"#{identity} + .files a").evaluate_all(
                "all => all.map((a) => a.getAttribute('href'))"
            )
            assert links == [f"figures/{identity}.html", f"#numbers-{identity}"]
            assert (report / links[0]).is_file()


@pytest.mark.parametrize("name", ["05_claims", "06_unknowns"])
def test_paper_shows_what_is_folded_and_no_navigation(browser, report, name):
    """With `emulate_media` no print event runs: style alone must unfold what is folded."""
    context = browser.new_context(viewport={"width": 1000, "height": 1400})
    page = context.new_page()
    page.goto((report / f"{name}.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("nav:visible, .tools:visible, .skip:visible, .files:visible").count() == 0
    assert page.locator(".table tbody tr:not(:visible)").count() == 0
    folded = page.locator(".fold:not([open]) > .table")
    assert folded.count() > 1
    assert all(folded.evaluate_all("all => all.map((e) => e.getBoundingClientRect().height > 0)"))
    cut = page.locator(".table").evaluate_all(
        "all => all.filter((e) => e.scrollHeight > e.clientHeight + 1"
        " || e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText.slice(0, 40))"
    )
    assert cut == []
    assert page.locator(".references a:visible").count() == 0
    assert page.evaluate("""[...document.querySelectorAll("a[href^=http]")]
        .every((link) => getComputedStyle(link, "::after").content === "none")""")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    context.close()


def test_reports_print_on_80_sheets_without_a_heading_at_the_foot(context, report, tmp_path):
    sheets, alone = 0, []
    for name in NAMES:
        with opened(context, report, name) as page:
            page.pdf(path=tmp_path / f"{name}.pdf", format="A4")
            headings = page.locator("main :is(h2, h3, caption), summary").all_text_contents()
        headings = {"".join(text.split()) for text in headings}
        with pypdfium2.PdfDocument(tmp_path / f"{name}.pdf") as document:
            sheets += len(document)
            for number in range(len(document) - 1):
                lines = document[number].get_textpage().get_text_bounded().split("\r\n")
                last = "".join([line for line in lines if line.strip()][-1].split())
                # A long heading takes several lines, of which the last is at the foot.
                if len(last) > 4 and any(heading.endswith(last) for heading in headings):
                    alone.append((name, number + 1, last))
    assert alone == []
    assert sheets <= MAX_SHEETS


@pytest.mark.parametrize("name", ["05_claims", "06_unknowns", "08_appraisal", "09_reading_list"])
def test_long_pages_lead_with_a_summary_and_fold_the_rest(context, report, name):
    with opened(context, report, name) as page:
        row = page.locator(".fold .table tbody tr:not(.more)").first
        fold = row.locator("xpath=ancestor::details[@class='fold'][1]")
        heading = fold.locator("summary :is(h2, h3)").first
        assert not row.is_visible()
        fold.locator("summary").first.focus()
        page.keyboard.press("Enter")
        expect(row).to_be_visible()
        page.keyboard.press("Enter")
        expect(row).to_be_hidden()
        link = f'nav.contents a[href="#{heading.get_attribute("id")}"]'
        page.locator(link).click()
        row.wait_for(state="visible")
        identity = row.get_attribute("id")
    with opened(context, report, name, f"#{identity}") as page:
        page.locator("tr:target").wait_for(state="visible")


@pytest.mark.parametrize("width", [1200, PHONE])
def test_search_finds_a_row_of_another_page_by_keyboard(context, report, width):
    with opened(context, report, "02_comparison", width=width) as page:
        search = page.get_by_role("search")
        assert not any("search-index" in url for url in page.requests)
        search.get_by_role("searchbox").focus()
        page.keyboard.type("minimal impor")
        results = search.get_by_role("link")
        first = "Risk of bias and certainty\nMinimal important differences"
        # Results for the first letters stand there until the script has read the last one.
        expect(results.first).to_have_text(first.replace("\n", " "), use_inner_text=True)
        expect(search.get_by_role("status")).to_have_text(re.compile(r"^\d+ results"))
        assert results.filter(has=page.locator("mark")).count() == results.count()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        expect(page.locator(":focus")).to_have_text(first.replace("\n", " "), use_inner_text=True)
        page.keyboard.press("Escape")
        expect(results).to_have_count(0)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/08_appraisal.html#section-minimal-important-differences")
        expect(page.locator("#tab-minimal-important-differences")).to_be_visible()
        assert page.messages == []


def test_search_says_what_it_needs_and_what_it_did_not_find(context, report, tmp_path):
    (tmp_path / "index.html").write_bytes((report / "index.html").read_bytes())
    for folder, message in (
        (report, "No results"),
        (tmp_path, "Search needs the file search-index.js beside this page."),
    ):
        with opened(context, folder, "index") as page:
            page.get_by_role("search").get_by_role("searchbox").fill("zzz")
            page.get_by_text(message).wait_for()


def test_the_search_index_has_each_text_once_with_the_nearest_anchor():
    page = (
        "<title>T</title><nav><p>Menu</p></nav><main><h1>Bread</h1><h2 id=b>Loaf</h2><p>It rises.</p>"
        "<table><thead><tr><th>what</th></tr></thead><tr id=r><th>A</th><td><p>one</p></td></tr>"
        "</table><ol class=footnotes><li>key</li></ol><p>See <a id=at-1>71%</a></p></main>"
    )
    assert page_texts(page) == [
        (0, "", "Bread"), (1, "b", "Loaf"), (4, "b", "It rises."), (4, "r", "A · one"),
        (4, "at-1", "See 71%"),
    ]  # fmt: skip
    index = search_index({"one": page, "two": "<main><h1>Two</h1><p>It rises.</p></main>"})
    assert '[1,0,"","Two"]]' in index


def test_links_to_rows_of_no_page_become_words():
    page = (
        '<a href="#tab-claims-C1">C1</a> <a href="#tab-x-1">x</a> <tr id="tab-x-1"> '
        '<a href="#why-a">7</a> <li id="why-a">'
    )
    claims = '<tr id="tab-claims-C2"> <a class="row" href="#tab-x-1">the row</a>'
    pages = resolve_row_links({"one": page, "two": claims})
    assert pages["one"] == page.replace('<a href="#tab-claims-C1">C1</a>', "C1")
    assert pages["two"] == claims.replace('"#tab-x-1"', '"one.html#tab-x-1"')


def page_of(*cells, figures=()):
    """The page of a notebook with these Markdown cells (texts, or with metadata) and outputs."""
    cells = [(cell, {}) if isinstance(cell, str) else cell for cell in cells]
    book = {
        "cells": [
            {"cell_type": "markdown", "source": cell[0], "metadata": cell[1]}
            if isinstance(cell[0], str)
            else {"cell_type": "code", "source": "x", "outputs": [
                {"output_type": "display_data", "data": cell[0], "metadata": cell[1]}
            ]}
            for cell in cells
        ]
    }  # fmt: skip
    pages = [Page("01_a", "First", "What?"), Page("02_b", "Second", "Why?")]
    return render_notebook(book, pages[0], pages, [], {}, "", figures)


def test_headings_have_unique_ids_and_are_listed():
    page = page_of(
        "# T\n\n## One\n\ntext\n\n## One\n\n### One & `two`",
        ({"text/html": "<h3 id='x'>Own</h3>"}, {METADATA: {"headings": [[3, "x", "Own"]]}}),
    )
    assert '<h3 id="section-one-two">One &amp; <code>two</code></h3>' in page
    contents = re.findall(r'<li class="level(\d)"><a href="#([^"]+)">([^<]+)</a>', page)
    assert contents == [
        ("2", "section-one", "One"),
        ("2", "section-one-2", "One"),
        ("3", "section-one-two", "One &amp; two"),
        ("3", "x", "Own"),
    ]


def test_a_tagged_heading_folds_its_section_up_to_the_next_of_its_level():
    page = page_of(
        "# T",
        ("## A\n\ntext", {"tags": ["fold"]}),
        "### In A",
        ({"text/html": "<p>x</p>"}, {}),
        "## B",
        ("## C", {"tags": ["fold"]}),
    )
    main = re.sub(r"\s+", "", page.split("</h1>")[1].split('<details class="technical">')[0])
    assert main == (
        '<detailsclass="fold"><summary><h2id="section-a">A</h2></summary><p>text</p>'
        '<h3id="section-in-a">InA</h3><p>x</p></details><h2id="section-b">B</h2>'
        '<detailsclass="fold"><summary><h2id="section-c">C</h2></summary></details>'
    )


def test_links_to_notebooks_lead_to_their_pages():
    page = page_of("# T\n\n[b](02_b.ipynb), [c](03_c.ipynb), [d](https://d.example/e.ipynb)")
    assert '<a href="02_b.html">b</a>, c, <a href="https://d.example/e.ipynb">d</a>' in page


def test_a_list_of_notebooks_becomes_a_list_of_pages():
    page = page_of(({"text/html": '<a href="02_b.ipynb">'}, {METADATA: {"lists_pages": True}}))
    assert '<li><a href="02_b.html">Second</a>: Why?</li>' in page
    assert '.ipynb"' not in page.split('<details class="technical">')[0]


def test_a_figure_leads_to_its_page_if_it_has_one():
    figure = ({"text/html": '<figure id="fig-x"></figure>'}, {METADATA: {"figure": "fig-x"}})
    notes = ({"text/html": '<ol id="numbers-fig-x"></ol>'}, {})
    links = re.findall(r'<p class="files">.*?</p>', page_of(figure, notes, figures={"fig-x"}))
    assert re.findall(r'href="([^"]+)"', links[0]) == ["figures/fig-x.html", "#numbers-fig-x"]
    assert '<p class="files">' not in page_of(figure, figures={"fig-y"})


def test_keys_links_and_filters_of_a_table_are_in_its_cells():
    import pandas as pd

    frame = pd.DataFrame({"name": ["a", "b"], "size": ["1,200", "—"], "see": ["x; y", "z"]})
    table = ReportTable(
        "tab-t", "Caption", frame, pd.DataFrame({"name": ["a", "b"], "address": ["", ""]}),
        links={(0, "see"): {"x": "tab-u-x", "y": "tab-u-y"}, (1, "see"): "tab-u-z"},
        sort_keys={"size": [1200, None]}, filter_columns=("see",), second_line=("see",),
    )  # fmt: skip
    html = table.to_html()
    assert '<td role="cell" data-label="size" data-sort="1200">1,200</td>' in html
    assert '<td role="cell" data-label="size" data-sort="">—</td>' in html
    assert '<dd data-label="see"><a href="#tab-u-x">x</a>; <a href="#tab-u-y">y</a></dd>' in html
    assert '<dd data-label="see"><a href="#tab-u-z">z</a></dd>' in html
    assert 'data-filters="[&quot;see&quot;]"' in html
    assert '<caption id="tab-t-caption">Caption</caption>' in html
