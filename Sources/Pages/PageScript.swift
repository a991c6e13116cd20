/// What a page does better with a script: tables are sorted by their columns.
enum PageScript {
    static let text: StaticString = """
        "use strict";
        for (const table of document.querySelectorAll("table")) {
          const body = table.tBodies[0];
          table.querySelectorAll("thead th").forEach((head, column) => {
            const button = document.createElement("button");
            button.type = "button";
            button.textContent = head.textContent;
            head.replaceChildren(button);
            button.addEventListener("click", () => {
              const down = head.getAttribute("aria-sort") === "ascending";
              table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
              head.setAttribute("aria-sort", down ? "descending" : "ascending");
              const value = (row) => {
                const cell = row.cells[column];
                return "value" in cell.dataset ? cell.dataset.value : cell.textContent;
              };
              const order = new Intl.Collator("en", { numeric: true });
              const rows = [...body.rows].sort((a, b) => {
                const [left, right] = [value(a), value(b)];
                const difference = Number(left) - Number(right);
                return Number.isNaN(difference) ? order.compare(left, right) : difference;
              });
              if (down) rows.reverse();
              body.append(...rows);
            });
          });
        }

        """
    /// Its digest, by which a page allows this script and no other.
    static let digest = "sha256-cQ0CwqQZdOf7lX4SaRzoPJU4PnjOS2n2iT3XaeccRuU="

    /// What a page may use: what is in it, and nothing from elsewhere (Content-Security-Policy).
    static let policy = """
        default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '\(digest)'; base-uri 'none'
        """
}
