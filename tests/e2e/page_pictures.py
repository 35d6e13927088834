"""Takes the pictures of the page that the docs show, of a lab that it brings up for them: `make pictures`.

A segment from alice to bob is lost and comes again: in slow motion, then the packet that repeats it, dark and in
Chinese, and a host on a phone.
"""

import sys
from pathlib import Path

import docker
from browsing import Chromium, Page, chromium, is_recorded, open_host, row, type_at
from conftest import DEBIANS, up
from outside import ROOT, Lab
from playwright.sync_api import expect

FOLDER = ROOT / "docs" / "pictures"
UNDER_WAY = 480  # ms, in which a mark is more than half of its way on
PHONE = {"width": 390, "height": 844}


def take(browser: Chromium, lab: Lab, folder: Path) -> None:
    page = Page(browser, lab)
    try:
        lost_and_repeated(page, folder / "page.png")
        a_packet(page, folder / "page-dark.png")
        on_a_phone(page, folder / "page-phone.png")
    finally:
        page.end()


def lost_and_repeated(page: Page, file: Path) -> None:
    tab = page.tab()
    is_recorded(tab)
    with page.lab.journal("bob") as journal:
        type_at(tab, "alice", "hi")
        journal.wait("bob", "message", text="hi")
        tab.locator("[data-link=bob]").click()
        tab.locator("[data-once=dropNext]").click()
        expect(tab.locator(".faults li", has_text="in force").first).to_be_visible()
        type_at(tab, "alice", "lost once")
        journal.wait("bob", "message", text="lost once")
    expect(row(tab, "! retransmission")).to_be_visible()
    tab.evaluate("labctl.openLink('alice', 'bob')")
    expect(tab.locator(".faults li", has_text="done").first).to_be_visible()
    tab.locator("#slow").click()
    # From what was lost on: it falls, and what repeats it is under way.
    tab.evaluate("labctl.player.go(labctl.run.items.findIndex(({value}) => value.fate === 'lost'))")
    for _ in range(3):
        tab.evaluate("labctl.player.forward()")
        if tab.evaluate("Boolean(labctl.player.current.value.retransmits)"):
            break
    tab.wait_for_timeout(UNDER_WAY)
    tab.screenshot(path=file)


def a_packet(page: Page, file: Path) -> None:
    tab = page.tab(page.context(color_scheme="dark", locale="zh"))
    row(tab, "! 重传").click()
    expect(tab.locator("summary", has_text="TCP")).to_be_visible()
    tab.screenshot(path=file)


def on_a_phone(page: Page, file: Path) -> None:
    tab = page.tab(page.context(viewport=PHONE))
    open_host(tab, "alice")
    expect(tab.locator("#keyboard")).to_be_visible()
    tab.screenshot(path=file)


def main(folder: Path) -> None:
    engine = docker.from_env()
    debian = next(name for name in DEBIANS if engine.images.list(name))
    with chromium(engine, debian, {}) as browser, up(engine, "sockets") as lab:
        take(browser, lab, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
