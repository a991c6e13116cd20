"""Writes the pages of the manual from the program's own help: cambium(1), and one for each command.

    python3 tools/packaging/manual.py PROGRAM FOLDER VERSION DATE
"""
import json, os, re, subprocess, sys

program, folder, version, date = sys.argv[1:]


def ask(*words):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def escaped(text):
    """Text as roff reads it: what begins a request, and what an escape would be, stands for itself."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    text = text.replace("'", "\\(aq").replace("`", "\\(ga")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def running(text):
    """A paragraph: `code` in bold."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(f"\\fB{escaped(part)}\\fR" if at % 2 else escaped(part) for at, part in enumerate(parts))


def prose(text):
    """Paragraphs; several lines together, and lines that begin as commands do, stay as they are."""
    lines = []
    for block in filter(None, (part.strip("\n") for part in (text or "").split("\n\n"))):
        literal = "\n" in block or re.match(r"(\s|cambium |export |\$ )", block)
        if literal:
            lines += [".PP", ".in +4n", ".nf", escaped(block), ".fi", ".in"]
        else:
            lines += [".PP", running(block)]
    return lines


def spelling(argument):
    if argument["kind"] == "positional":
        return f"<\\fI{escaped(argument['valueName'])}\\fR>"
    names = []
    for name in sorted(argument["names"], key=lambda name: name["kind"] == "long"):
        names.append(f"\\fB{escaped(('--' if name['kind'] == 'long' else '-') + name['name'])}\\fR")
    value = "" if argument["kind"] == "flag" else f" <\\fI{escaped(argument['valueName'])}\\fR>"
    return ", ".join(names) + value


def listed(arguments):
    lines = []
    for argument in arguments:
        text = argument.get("abstract", "")
        for key, name in (("allValues", "values"), ("defaultValue", "default")):
            found = argument.get(key + "Strings" if key == "allValues" else key)
            if found and f"({name}:" not in text.lower() and "Default:" not in text and "(default" not in text:
                text += f" ({name}: {found if isinstance(found, str) else ', '.join(found)})"
        lines += [".TP", spelling(argument), running(text.strip()) or "\\&"]
    return lines


def usage(names, arguments):
    words = [f"\\fB{escaped(' '.join(names))}\\fR"]
    if any(a["kind"] != "positional" for a in arguments):
        words.append("[\\fIoptions\\fR]")
    for argument in arguments:
        if argument["kind"] == "positional":
            word = spelling(argument) + (" ..." if argument.get("isRepeating") else "")
            words.append(f"[{word}]" if argument.get("isOptional") else word)
    return " ".join(words)


def shown(command):
    return [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]


def page(name, abstract, parts):
    title = name.upper()
    # The help ends its one line as a sentence; a page's name does not.
    head = [f'.TH "{escaped(title)}" 1 "{date}" "cambium {version}" "Cambium"', ".SH NAME",
            f"{escaped(name)} \\- {escaped(abstract.rstrip('.'))}"]
    with open(os.path.join(folder, name + ".1"), "w", encoding="utf-8") as file:
        file.write("\n".join(head + parts) + "\n")


def command_page(command):
    names = ["cambium", command["commandName"]]
    inner = [sub for sub in command.get("subcommands", []) if sub["commandName"] != "help"]
    parts = [".SH SYNOPSIS"]
    if inner:
        for sub in inner:
            parts += [usage(names + [sub["commandName"]], shown(sub)), ".br"]
    else:
        parts += [usage(names, shown(command))]
    parts += [".SH DESCRIPTION", running(command["abstract"])] + prose(command.get("discussion"))
    for sub in inner:
        parts += [f".SH {escaped(' '.join(names[1:] + [sub['commandName']]).upper())}",
                  running(sub["abstract"])] + prose(sub.get("discussion")) + listed(shown(sub))
    if not inner:
        positional = [a for a in shown(command) if a["kind"] == "positional"]
        if positional:
            parts += [".SH ARGUMENTS"] + listed(positional)
        parts += [".SH OPTIONS"] + listed(a for a in shown(command) if a["kind"] != "positional")
    parts += [".SH SEE ALSO", "\\fBcambium\\fR(1)"]
    page("-".join(names), command["abstract"], parts)
    for alias in command.get("aliases", []):
        with open(os.path.join(folder, f"cambium-{alias}.1"), "w") as file:
            file.write(f".so man1/{'-'.join(names)}.1\n")


os.makedirs(folder, exist_ok=True)
root = json.loads(ask("--experimental-dump-help"))["command"]
commands = {c["commandName"]: c for c in root["subcommands"] if c["commandName"] != "help"}
topics = [c for c in commands.values() if not c.get("shouldDisplay", True)]
# The groups, and which command is in which, are told by the overview alone.
parts = [".SH SYNOPSIS", "\\fBcambium\\fR \\fIcommand\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]",
         ".SH DESCRIPTION", running(root["abstract"])] + prose(root.get("discussion"))
for group, body in re.findall(r"^([A-Z]+) SUBCOMMANDS:\n((?:  .*\n)+)", ask("--help"), re.M):
    parts += [f".SH {group} COMMANDS"]
    for name in re.findall(r"^  ([a-z-]+)", body, re.M):
        command = commands[name]
        also = "".join(f", {escaped(alias)}" for alias in command.get("aliases", []))
        parts += [".TP", f"\\fBcambium\\-{escaped(name)}\\fR(1){also}", running(command["abstract"])]
        command_page(command)
        command["written"] = True
for topic in topics:
    title = "EXIT STATUS" if topic["commandName"] == "exit-codes" else topic["commandName"].upper()
    parts += [f".SH {title}"] + prose(topic.get("discussion"))
parts += [".SH OPTIONS"] + listed(shown(root))
page("cambium", root["abstract"], parts)
missing = [name for name, c in commands.items() if c not in topics and "written" not in c]
if missing:
    sys.exit(f"manual: in no group of the overview: {', '.join(missing)}")
