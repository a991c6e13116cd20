"""Readers, writers, collections and repacks at the same time: nothing wrong is read, nothing acknowledged is lost."""
import threading
from models import Model
from program import Clock, run
from report import Row
from steps import export

READERS, WRITERS = 8, 2


def crowd_lines(plan, history):
    return [("8 readers, 2 writers", None)]


def crowded(what, _, history, folder, plan):
    """The Gram sums at which commands meet are chance: the same seed gives the same commands, not the same order."""
    store, clock, gate, seed = history.copy(folder + "/S"), Clock(plan.most), threading.Lock(), plan.seed
    acknowledged = {}
    rows = {name: Row(plan, "crowd", f"{what}: {name}") for name in ("readers", "writers", "collections", "repacks")}

    def told(name, outcome, allowed):
        """Counts a command; `allowed` are words of errors that are right in a crowd."""
        problems = []
        if outcome.trapped or (outcome.code != 0 and not any(word in outcome.err for word in allowed)):
            problems = [f"{outcome}"]
        with gate:
            rows[name].tried(problems, 0, name, outcome.code == 0)
        return outcome

    def reader(number):
        source = plan.source("reader", number)
        while not clock.is_over:
            words = source.choice([["log", "--all"], ["ls", "main"], ["show", "main"], ["status"], ["verify", "--fast"], ["diff", "left", "main"]])
            told("readers", run(*words, store=store), [])
            with gate:
                known = dict(acknowledged)
            if known:
                commit = source.choice(sorted(known))
                found = export(store, commit, f"{folder}/out{number}")
                with gate:
                    rows["readers"].tried([] if found == known[commit] else [f"{commit[:12]}: {found}"], 0, "export", found == known[commit])

    def writer(number):
        model, turn = Model.made(seed + number), 0
        while not clock.is_over:
            turn += 1
            model = model.changed(seed * 1000 + 10 * turn + number, experts=10)
            path = model.write(f"{folder}/writer{number}")
            outcome = told("writers", run("commit", path, "-m", f"{turn}", "--branch", f"writer{number}", "--json", store=store), ["try again"])
            if outcome.code == 0:
                with gate:
                    acknowledged[outcome.json["id"]] = model.digest

    def keeper(name, words):
        source = plan.source(name)
        while not clock.is_over:
            told(name, run(*words(source), store=store), ["try again", "in use", "busy", "open"])

    threads = [threading.Thread(target=reader, args=(n,)) for n in range(READERS)]
    threads += [threading.Thread(target=writer, args=(n,)) for n in range(WRITERS)]
    threads.append(threading.Thread(target=keeper, args=("collections", lambda s: ["gc", "--prune", "--grace", "0"])))
    threads.append(threading.Thread(target=keeper, args=("repacks", lambda s: ["repack"] + s.choice([[], ["--compress"]]))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = Row(plan, "crowd", f"{what}: acknowledged commits, in the end")
    for commit, digest in {**acknowledged}.items():
        found = export(store, commit, folder + "/out")
        end.tried([] if found == digest else [f"{commit[:12]}: {found}"], 0, "export", found == digest)
    outcome = run("verify", store=store)
    end.tried([] if outcome.code == 0 else [f"{outcome}"], 0, "verify")
    return [*rows.values(), end]
