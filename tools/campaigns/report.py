"""Counts of a part of the campaign, and the table of all."""


class Row:
    """One line: what was tried how often, how often the fault was met, and what went wrong then."""

    def __init__(self, part, what):
        self.part, self.what, self.tries, self.met, self.problems = part, what, 0, 0, []

    def tried(self, problems, where, met=True):
        """Counts a try.

        `problems` are the texts of what did not hold there; `met` is whether the program noticed the fault at all
        (it was killed, it told an error), without which a try shows little.
        """
        self.tries += 1
        self.met += bool(met)
        self.problems += [f"{where}: {problem}" for problem in problems]


def table(rows, seed):
    lines = [f"seed {seed}", "", "| part | what | tries | noticed | faults |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {row.part} | {row.what} | {row.tries:,} | {row.met:,} | {len(row.problems)} |" for row in rows]
    total = [sum(column) for column in zip(*((row.tries, row.met, len(row.problems)) for row in rows))]
    return "\n".join(lines + [f"| all | | {total[0]:,} | {total[1]:,} | {total[2]} |"])
