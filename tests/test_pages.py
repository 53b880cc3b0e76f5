"""The pages in a real browser: no errors, no requests, no sideways scrolling on a phone."""

import pytest

from tests.conftest import require_tool

NAMES = [
    "index", "00_start", "01_studies", "02_comparison", "03_dose_response", "04_durability",
    "05_claims", "06_unknowns",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    chromium = require_tool("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic",
                  "--disable-background-networking", "--disable-component-update"],
        )  # fmt: skip
        yield browser
        browser.close()


def opened(browser, report, name, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto((report / f"{name}.html").as_uri())
    return page


@pytest.mark.parametrize("name", NAMES)
def test_page_opens_quietly(browser, report, name):
    page = opened(browser, report, name, 1200)
    assert page.said == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert page.title()
    assert page.locator("html").get_attribute("lang") == "en"
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_page_does_not_scroll_sideways_on_a_phone(browser, report, name):
    page = opened(browser, report, name, 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


@pytest.mark.parametrize("name", NAMES[1:])
def test_pictures_are_shown_and_described(browser, report, name):
    page = opened(browser, report, name, 1200)
    for image in page.locator("figure img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
        assert len(image.get_attribute("alt")) > 40
    page.close()


def test_index_leads_to_every_report(browser, report):
    page = opened(browser, report, "index", 1200)
    for number, name in enumerate(NAMES[1:], start=1):
        page.locator("nav a").nth(number).click()
        assert page.url.endswith(f"{name}.html")
        assert page.locator("nav a[aria-current]").count() == 1
        page.go_back()
    page.close()
