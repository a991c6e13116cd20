"""What is to be tried, the counts of one line of it, and the table of all."""
import random


class Plan:
    """The seed, how many tries each line gets, and, to repeat a fault, the one line and the one try."""

    def __init__(self, seed, most, large, line=None, only=None):
        self.seed, self.most, self.large, self.line, self.only = seed, most, large, line, only

    def source(self, *words):
        """Random numbers that depend on the seed and on what they are for, not on what was tried before."""
        return random.Random(" ".join(map(str, (self.seed, *words))))

    def wants(self, what):
        """Whether a line is to be run: all, the one of this name, or those of this step."""
        line = self.line
        return line is None or line == what or what.startswith((f"{line}, ", f"{line} on ")) or line.startswith(what + ":")

    @property
    def turns(self):
        return range(self.most) if self.only is None else [self.only]


class Row:
    """One line: what was tried how often, how often the fault was met, and what went wrong then."""

    def __init__(self, plan, part, what):
        self.part, self.what, self.seed = part, what, plan.seed
        self.tries, self.met, self.problems, self.detail = 0, 0, [], ""

    def tried(self, problems, number, where="", met=True):
        """Counts a try.

        `number` is what repeats it. `problems` are the texts of what did not hold there; `met` is whether the program
        noticed the fault at all (it was killed, it told an error), without which a try shows little.
        """
        self.tries += 1
        self.met += bool(met)
        again = f"tools/campaign --seed {self.seed} --parts {self.part} --line '{self.what}' --try {number}"
        self.problems += [f"{where or self.what}: {problem}\n    again: {again}" for problem in problems]


def table(rows, seed):
    lines = [f"seed {seed}", "", "| part | what | tries | noticed | faults |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {row.part} | {row.what}{row.detail} | {row.tries:,} | {row.met:,} | {len(row.problems)} |" for row in rows]
    total = [sum(column) for column in zip(*((row.tries, row.met, len(row.problems)) for row in rows))]
    return "\n".join(lines + [f"| all | | {total[0]:,} | {total[1]:,} | {total[2]} |"])
