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
              // Numbers as numbers, words as words; what is no number, and then what is empty, comes last either way.
              const key = (row) => {
                const cell = row.cells[column];
                const isNumber = "value" in cell.dataset;
                const text = (isNumber ? cell.dataset.value : cell.textContent).trim();
                const number = isNumber ? Number(text) : NaN;
                return { row, text, number, rank: text === "" ? 2 : isNumber && Number.isNaN(number) ? 1 : 0 };
              };
              const order = new Intl.Collator("en", { numeric: true });
              const compare = (a, b) => Number.isNaN(a.number) || Number.isNaN(b.number)
                ? order.compare(a.text, b.text) : Number(a.number > b.number) - Number(a.number < b.number);
              const rows = [...body.rows].map(key).sort((a, b) =>
                a.rank - b.rank || (down ? -compare(a, b) : compare(a, b))).map((a) => a.row);
              body.append(...rows);
            });
          });
        }

        """
    /// Its digest, by which a page allows this script and no other.
    static let digest = "sha256-cNbSX94v8O/hOili84uzyY4DXMrDePqxDa9c5DcblIU="

    /// What a page may use: what is in it, and nothing from elsewhere (Content-Security-Policy).
    static let policy = """
        default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '\(digest)'; base-uri 'none'
        """
}
