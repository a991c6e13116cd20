"""What is looked for on every page, in headless Chromium."""
import base64, os

from selenium import webdriver

faults = []


def check(holds, words):
    print(("ok    " if holds else "FAULT ") + words, flush=True)
    if not holds:
        faults.append(words)


def browser(width, height, scripts=True):
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    return driver


def media(driver, scheme):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})


def picture(driver, folder, name):
    """The whole page as a file."""
    if folder is None:
        return
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
    with open(os.path.join(folder, name + ".png"), "wb") as file:
        file.write(base64.b64decode(shot["data"]))


def quiet(driver, what):
    lines = driver.get_log("browser")
    check(not lines, f"{what}: nothing on the console {[line['message'] for line in lines][:2]}")


def names(driver, what):
    """Everything that can be pointed at has a name, and no id comes twice."""
    unnamed = driver.execute_script("""
        return [...document.querySelectorAll('svg,[role=region],nav,a,button,summary,section,input:not([type=hidden]),select,textarea')].filter((e) =>
          !(e.getAttribute('aria-label') || document.getElementById(e.getAttribute('aria-labelledby') || '')?.textContent
            || (e.labels && e.labels.length) || (e.matches('a,button,summary') && e.textContent.trim()))).map((e) => e.outerHTML.slice(0, 80))""")
    check(not unnamed, f"{what}: every picture, region and control has a name {unnamed[:2]}")
    ids = driver.execute_script("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    check(len(ids) == len(set(ids)), f"{what}: no id comes twice")


def overflow(driver, what):
    wide, inner = driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    check(wide <= inner, f"{what}: nothing is wider than the window ({wide} of {inner} pixels)")


def overlaps(driver, what):
    """No two texts of a picture lie on each other, and none leaves it."""
    found = driver.execute_script("""
        const found = [];
        for (const svg of document.querySelectorAll('svg.picture')) {
          if (!svg.getClientRects().length) continue;
          const boxes = [...svg.querySelectorAll('text:not([transform*=rotate])')].slice(0, 800).map((e) =>
            [e.getBoundingClientRect(), e.firstChild ? e.firstChild.textContent : '']).filter(([b]) => b.width > 0);
          const edge = svg.getBoundingClientRect();
          // Names that stand slanted, in coordinates along and across their lines.
          const slanted = [...svg.querySelectorAll('text[transform*=rotate]')].slice(0, 200).map((e) => {
            const [box, matrix] = [e.getBBox(), e.getScreenCTM()];
            const corners = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y]) =>
              new DOMPoint(box.x + x * box.width, box.y + y * box.height).matrixTransform(matrix));
            const [along, across] = [corners.map((p) => (p.x - p.y) / Math.SQRT2), corners.map((p) => (p.x + p.y) / Math.SQRT2)];
            return {words: e.firstChild.textContent, right: Math.max(...corners.map((p) => p.x)), top: Math.min(...corners.map((p) => p.y)),
              along: [Math.min(...along), Math.max(...along)], across: [Math.min(...across), Math.max(...across)]};
          });
          slanted.forEach((a, index) => {
            if (a.right > edge.right + 2 || a.top < edge.top - 2) found.push('outside: ' + a.words);
            for (const b of slanted.slice(index + 1))
              if (a.along[0] < b.along[1] - 1 && b.along[0] < a.along[1] - 1 && a.across[0] < b.across[1] - 4 && b.across[0] < a.across[1] - 4)
                found.push(a.words + ' / ' + b.words);
          });
          boxes.forEach(([a, words], index) => {
            if (a.right > edge.right + 2 || a.left < edge.left - 2) found.push('outside: ' + words);
            for (const [b, other] of boxes.slice(index + 1)) {
              if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4)
                found.push(words + ' / ' + other);
            }
          });
        }
        return found;""")
    check(not found, f"{what}: no words lie on others {found[:4]}")
