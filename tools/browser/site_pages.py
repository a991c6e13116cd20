"""Looks at the site of `cambium serve`: every page, a merge that is settled by clicking, a prompt on two revisions."""
import json, os, re, subprocess, urllib.error, urllib.request

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

import stores
from look import browser, check, names, overflow, overlaps, picture, quiet


def _serve(store, *words):
    """Starts the server on a free port; its process and address."""
    program = os.environ.get("CAMBIUM_SERVE") or os.path.join(os.path.dirname(stores.program), "cambium-serve")
    server = subprocess.Popen([program, "-C", store, "--port", "0", *words], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        found = re.search(r"port\W+(\d+)", line)
        if found:
            return server, f"http://127.0.0.1:{found[1]}"
    raise SystemExit("the server did not start")


def _status(address, data=None, headers={}):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def _nearest(driver, site, store):
    """The nearest experts that a page has are those of the command line, number by number."""
    driver.get(site + "/expert?rev=main&path=1/7")
    shown = driver.execute_script("""
        return [...document.querySelectorAll('section[aria-label^=Nearest] tbody tr')].map((row) =>
          [row.cells[0].textContent, ...[...row.querySelectorAll('[data-value]')].map((cell) => Number(cell.dataset.value)), row.cells[3].textContent])""")
    told = json.loads(stores.cambium(store, "show", "main:1/7", "--nearest", "8", "--json"))["nearest"]
    want = [[f"1/{one['ordinal']}", one["cosine"], one["relativeL2"], one["id"][:12]] for one in told["experts"]]
    check(len(want) == 8 and shown == want, f"the {len(shown)} nearest experts of {told['compared']} are those of --json")


def look(folder, shots):
    store = os.path.join(folder, "S")
    if not os.path.exists(store):
        store = stores.trained(folder)
    head = stores.cambium(store, "log", "main", "-n", "1", "-q").strip()
    server, site = _serve(store)
    check(_status(site + "/merge", b"from=left&into=right") == 403, "a site that only reads refuses forms")
    server.terminate()
    server.wait()
    server, site = _serve(store, "--allow-edit")
    try:
        pages = {
            "overview": "/", "history": "/log", "commit": "/commit?rev=main", "compare": "/diff?from=main~1&to=main",
            "pool": "/pool?rev=main&path=1", "expert": "/expert?rev=main&path=1/7", "merge": "/merge?from=left&into=right",
            "try": "/try?prompt=Tom+has+3&a=main&b=swahili&n=8", "runs": "/runs", "report": "/report",
        }
        for width, height in ((1280, 900), (400, 800)):
            driver = browser(width, height)
            for name, path in pages.items():
                driver.get(site + path)
                what = f"{name}, {width} px"
                quiet(driver, what)
                overflow(driver, what)
                names(driver, what)
                if name != "report":
                    overlaps(driver, what)
                picture(driver, shots, f"site-{name}-{width}")
            driver.quit()
        for words in ({}, {"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            check(_status(site + "/merge", b"from=left&into=right&token=guess", words) == 403,
                  f"a form that is not this site's own changes nothing {words}")
        driver = browser(1280, 900)
        _nearest(driver, site, store)
        driver.get(site + "/merge?from=left&into=right")
        before = stores.cambium(store, "log", "right", "-n", "1", "-q").strip()
        selects = driver.find_elements(By.CSS_SELECTOR, "td select")
        check(len(selects) > 0, f"a merge of two that edited the same experts has {len(selects)} conflicts to settle")
        for index, select in enumerate(selects):
            Select(select).select_by_index(1 + index % 2)
        driver.find_element(By.CSS_SELECTOR, "form[method=post] button[type=submit]").send_keys(Keys.ENTER)
        WebDriverWait(driver, 60).until(lambda one: "/merge" not in one.current_url)
        after = stores.cambium(store, "log", "right", "-n", "1", "-q").strip()
        check("/commit?rev=right" in driver.current_url and before != after, "settled by keyboard, it is committed")
        check(stores.cambium(store, "log", "main", "-n", "1", "-q").strip() == head, "no other branch moved")
        quiet(driver, "after the merge")
        driver.get(site + "/try?prompt=Tom+has+3&a=main&b=swahili&n=8")
        check(not driver.find_elements(By.CSS_SELECTOR, ".side"), "a link alone lets no model write")
        driver.find_element(By.CSS_SELECTOR, "form[action='/try'] button").send_keys(Keys.ENTER)
        WebDriverWait(driver, 60).until(lambda one: one.find_elements(By.CSS_SELECTOR, ".side"))
        sides = driver.find_elements(By.CSS_SELECTOR, ".side")
        check(len(sides) == 2 and all("layer" in side.text for side in sides), "two revisions, with each token's experts")
        driver.quit()
    finally:
        server.terminate()
        server.wait()
