"""Tests reports in headless Chromium; tools/browser/test starts it."""
import argparse, base64, os, sys, tempfile, time

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import expected, site_pages, stores
from look import browser, check, faults, media, names, overflow, overlaps, picture, quiet


def numbers(driver, store):
    """Each number on the page is that of `--json`."""
    for name, rows in expected.rows.items():
        want = [[number for number in row] for row in rows(stores.figure(store, name))]
        got = driver.execute_script("""
            return [...document.querySelectorAll('#' + arguments[0] + ' tbody tr')].map((row) =>
              [...row.querySelectorAll('[data-value]')].map((cell) => cell.dataset.value))""", name)
        got = [[expected.number(text) for text in row] for row in got]
        check(got == want[:300] and (bool(got) or not want), f"{name}: {sum(map(len, got))} numbers are those of --json")


def drawn(driver, store):
    """What pictures say is what `--json` has; what was cut short is there in full for who points at it."""
    for name in expected.rows:
        texts = driver.execute_script("""
            return [...document.querySelectorAll('#' + arguments[0] + ' .wide svg text, #' + arguments[0] + ' .long svg text')].flatMap((e) =>
              [e.firstChild ? e.firstChild.textContent : '', e.querySelector('title') ? e.querySelector('title').textContent : ''])""", name)
        want = expected.words(name, stores.figure(store, name))
        # What cannot be shown is spelled out in pictures.
        missing = [word for word in want if word not in texts and word.isprintable()]
        check(not missing, f"{name}: {len(want)} words of the picture are those of --json {missing[:3]}")


def keyboard(driver):
    """Everything can be reached and used without a mouse."""
    driver.execute_script("window.scrollTo(0, 0); document.activeElement.blur()")
    seen = []
    for _ in range(400):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        here = driver.execute_script(
            "const e = document.activeElement; return e === document.body ? null : e.tagName + ' ' + (e.getAttribute('aria-label') || e.textContent).slice(0, 40)")
        if here is None or (seen and here == seen[0]):
            break
        seen.append(here)
    count = driver.execute_script("""
        return [...document.querySelectorAll('a[href],summary,[tabindex="0"],button')].filter((e) => e.checkVisibility()).length""")
    check(len(seen) >= count, f"keyboard: {len(seen)} of {count} controls are reached by the tab key")
    check(seen[:1] == ["A Go to the figures"], "keyboard: the first leads past the contents")
    summary = driver.find_element(By.CSS_SELECTOR, "#storage summary")
    summary.send_keys(Keys.ENTER)
    check(driver.execute_script("return document.querySelector('#storage details').open"), "keyboard: Enter opens a table")
    button = driver.find_elements(By.CSS_SELECTOR, "#storage th button")[4]
    button.send_keys(Keys.ENTER)
    values = driver.execute_script(
        "return [...document.querySelectorAll('#storage tbody tr')].map((r) => Number(r.cells[4].dataset.value))")
    check(values == sorted(values), "keyboard: Enter on a heading sorts the table")
    outline = driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    check(outline != "none", "keyboard: what has the focus is seen")


def hostile(driver):
    check("taken" != driver.title and not driver.execute_script("return document.querySelector('svg script,table script')"),
          "hostile names are words")
    text = driver.execute_script("return document.querySelector('#history table').textContent")
    check("<script>" in text and "\\u{202e}" in text and "\x1b" not in text, "hostile names are shown as they are spelled")


def small(folder, shots):
    store = stores.trained(folder)
    page = os.path.join(folder, "report.html")
    stores.cambium(store, "report", "-o", page)
    with open(page, "rb") as file:
        first = file.read()
    stores.cambium(store, "report", "-o", page)
    with open(page, "rb") as file:
        check(first == file.read(), f"the same store gives the same page ({len(first):,} bytes)")
    for word in (b"http://", b"https://", b"@import", b"url("):
        rest = first.replace(b"http://www.w3.org/2000/svg", b"")
        check(word not in rest, f"nothing comes from elsewhere: no {word.decode()}")
    for width, height in ((1280, 900), (400, 800)):
        driver = browser(width, height)
        driver.get("file://" + page)
        quiet(driver, f"{width} px")
        overflow(driver, f"{width} px")
        overlaps(driver, f"{width} px")
        names(driver, f"{width} px")
        picture(driver, shots, f"report-{width}")
        media(driver, "dark")
        picture(driver, shots, f"report-{width}-dark")
        ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        check(ground == "rgb(17, 21, 26)", f"{width} px: dark where the reader prefers it")
        media(driver, "light")
        if width == 1280:
            numbers(driver, store)
            drawn(driver, store)
            hostile(driver)
            keyboard(driver)
            quiet(driver, "after all of it")
            pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
            sheets = pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page/") + pdf.count(b"/Type /Page ")
            check(1 <= sheets <= 8, f"on paper it is {sheets} pages")
            if shots:
                with open(os.path.join(shots, "report.pdf"), "wb") as file:
                    file.write(pdf)
        driver.quit()
    driver = browser(1280, 900, scripts=False)
    driver.get("file://" + page)
    check(len(driver.find_elements(By.CSS_SELECTOR, "section")) == len(expected.rows)
          and not driver.find_elements(By.CSS_SELECTOR, "th button"), "without scripts everything is there")
    driver.quit()


def empty(folder):
    store = os.path.join(folder, "E")
    page = os.path.join(folder, "empty.html")
    stores.cambium(store, "init", store)
    stores.cambium(store, "report", "-o", page)
    driver = browser(400, 800)
    driver.get("file://" + page)
    quiet(driver, "an empty store")
    overflow(driver, "an empty store")
    missing = [element.text for element in driver.find_elements(By.CSS_SELECTOR, ".missing")]
    check(len(missing) == len(expected.rows) and all("cambium " in words for words in missing),
          "an empty store: each figure says what is missing, and what records it")
    driver.quit()


def long(folder, shots):
    store = stores.large(folder)
    page = os.path.join(folder, "large.html")
    start = time.monotonic()
    stores.cambium(store, "report", "-o", page)
    made = time.monotonic() - start
    driver = browser(1280, 900)
    times = []
    for _ in range(3):
        driver.get("about:blank")
        start = time.monotonic()
        driver.get("file://" + page)
        driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))")
        times.append(time.monotonic() - start)
    size = os.path.getsize(page)
    check(min(times) < 2, f"10,000 commits and 1,000 branches: {size / 1e6:.1f} MB, made in {made:.1f} s, "
          f"open and drawn in {', '.join(f'{one:.2f}' for one in times)} s")
    quiet(driver, "10,000 commits")
    overflow(driver, "10,000 commits")
    if shots:
        driver.save_screenshot(os.path.join(shots, "large.png"))
    driver.quit()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--screenshots", metavar="FOLDER", help="keep pictures of what was seen")
parser.add_argument("--only", choices=["small", "empty", "long", "site"], help="one part")
arguments = parser.parse_args()
if arguments.screenshots:
    os.makedirs(arguments.screenshots, exist_ok=True)
with tempfile.TemporaryDirectory(prefix="cambium-browser-") as folder:
    if arguments.only in (None, "small"):
        small(folder, arguments.screenshots)
    if arguments.only in (None, "empty"):
        empty(folder)
    if arguments.only in (None, "long"):
        long(folder, arguments.screenshots)
    if arguments.only in (None, "site"):
        site_pages.look(folder, arguments.screenshots)
print(f"{len(faults)} faults")
sys.exit(1 if faults else 0)
