"""The tables that a run prints."""
from bench_machine import human, print_end, print_rows, print_table
from storage_cases import short


def show(report):
    print_rows(report)
    if report["growth"]:
        head = ["growth, 1 commit of k = " + f"{report['growth'][0]['changes']:,}"]
        head += [f"N = {short(n)}" for n in report["growth"][0]["experts"]]
        lines = [[g["metric"], *(human(v, g["unit"]) for v in g["values"]), f"N^{g['exponent']:.2f}",
                  "yes" if g["k_log_n"] else "no"] for g in report["growth"]]
        print()
        print_table(head + ["grows as", "within k log N"],
                    [line for line in lines if len(line) == len(head) + 2])
    if report["interleaved"] is False:
        print("\nthe rounds of cambium and of ocdbt ran one after the other, not in turns")
    print_end(report)
