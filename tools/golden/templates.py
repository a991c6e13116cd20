"""What Python's jinja2 makes of templates: for Tests/TemplatesTests.

    tools/golden/templates.py                     # writes Fixtures/rendered.json
    tools/golden/templates.py --random SEED COUNT # cases one a line, for a long comparison

Needs jinja2 3.1.6, set up as transformers does for chat templates.
"""
import datetime, json, pathlib, random, sys

import jinja2
import jinja2.ext
import jinja2.sandbox

FOLDER = pathlib.Path(__file__).parent.parent.parent / "Tests/TemplatesTests/Fixtures"
# The moment that both sides take for now.
NOW = datetime.datetime(2026, 9, 21, 14, 13, 20)


class Generation(jinja2.ext.Extension):
    """`{% generation %}`: in transformers it marks what the assistant wrote; the text is the same."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_text")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def refuse(message):
        raise jinja2.exceptions.TemplateError(message)

    made.filters["tojson"] = lambda value, ensure_ascii=False, indent=None, separators=None, sort_keys=False: \
        json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return made


JINJA = environment()


def case(template, context):
    """The template with what it gives, or the message with which it fails."""
    found = {"template": template, "context": context}
    try:
        found["text"] = JINJA.from_string(template).render(json.loads(json.dumps(context)))
    except RecursionError:
        raise
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}"
    return found


# MARK: Conversations

def user(text): return {"role": "user", "content": text}
def assistant(text, **more): return {"role": "assistant", "content": text, **more}
def called(name, arguments, id="a1b2c3d4e"):
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


SYSTEM = {"role": "system", "content": "  Answer in «one» line.\n"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": " The weather of a place. ",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A town, <b>any</b> & \"all\""},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                "days": {"type": "array", "items": {"type": "integer"}, "nullable": True},
                "more": {"type": "object", "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "number"}},
                         "required": ["a"]},
                "either": {"oneOf": [{"type": "string", "description": "one", "default": 1.5}, {"type": "boolean"}]},
            },
            "required": ["place"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {}}}
TOOLS = [
    SYSTEM, user("What is the weather in Köln?"),
    assistant("Let me see.", tool_calls=[called("get_weather", {"place": "Köln", "days": [1, 2], "ok": True, "x": None})],
              reasoning_content="\nI need the tool.\n", thinking="I need the tool."),
    {"role": "tool", "tool_call_id": "a1b2c3d4e", "name": "get_weather", "content": "{\"t\": 11.5}"},
]
CONVERSATIONS = {
    "question": [user("Hello")],
    "system": [SYSTEM, user("Hello "), assistant("Hi."), user("How are\nyou?")],
    "reasoning": [user("1 + 1?"), assistant("<think>\nWell.\n</think>\n\n2"), user("And 2 + 2?"),
                  assistant("<think>\nHm.\n</think>\n\n4")],
    "tools": TOOLS,
    "answered": TOOLS + [assistant("11.5 °C, 🌧"), user("And now?")],
    "two tools": [user("Both"), assistant("", tool_calls=[called("get_weather", {"place": "Bern"}), called("now", {})]),
                  {"role": "tool", "tool_call_id": "1", "content": "3"}, {"role": "tool", "tool_call_id": "2", "content": "4"}],
    "parts": [user([{"type": "text", "text": "Look "}, {"type": "image"}, {"type": "text", "text": "here."}])],
    "turns": [user("a"), user("b"), assistant("c")],
    "odd": [{"role": "other", "content": "x"}],
}


def families():
    """Every family's template with every conversation: with tools where these belong to it, and without."""
    for path in sorted((FOLDER / "Families").glob("*.jinja")):
        for name, messages in CONVERSATIONS.items():
            for hasTools in (False, True) if "tool" in name or name in ("answered", "question") else (False,):
                for options in ({"add_generation_prompt": True}, {"add_generation_prompt": False, "enable_thinking": False}):
                    context = {"messages": messages, "bos_token": "<s>", "eos_token": "</s>", **options}
                    if hasTools:
                        context["tools"] = [WEATHER, CLOCK]
                    found = case(path.read_text(), context)
                    about = {"family": path.stem, "conversation": name, "hasTools": hasTools, "options": options}
                    yield about, found


# MARK: Random templates

CONTEXT = {
    "s": "Hello, Wörld", "e": "", "p": "a,b,,c", "w": "  two  words\n", "q": "it's \"so\"", "n": 7, "m": -3, "z": 0,
    "f": 2.5, "g": -0.1, "t": True, "u": False, "nothing": None, "l": [3, 1, 2], "names": ["b", "A", "c", "a"],
    "d": {"k": 1, "name": "x", "items": [1, 2], "é": None}, "empty": [], "nested": [[1, "a"], [2, "b"]],
    "people": [{"name": "Ann", "age": 31, "tags": ["x", "y"]}, {"name": "bob", "age": 4, "tags": []},
               {"name": "Cid", "age": 31}],
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes", "tool_calls": [{"id": 1}]}],
}


class Maker:
    """Random templates, most of which mean something."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = []

    def pick(self, *options): return self.random.choice(options)

    def text(self, depth):
        if depth <= 0:
            return self.pick("s", "e", "p", "w", "q", "'x'", '"a\\nb"', "'%s-%d'", "people[0].name", "d.name", "'it' 's'",
                             "d['name']", "messages[0]['content']", "'\\u00e9'")
        t, i = lambda: self.text(depth - 1), lambda: self.integer(depth - 1)
        return self.pick(
            lambda: f"{t()} ~ {self.any(depth - 1)}", lambda: f"({t()} + {t()})", lambda: f"{t()}|upper",
            lambda: f"{t()}|{self.pick('lower', 'capitalize', 'title', 'trim', 'string', 'reverse', 'safe')}",
            lambda: f"({t()}).{self.pick('strip', 'upper', 'lower', 'title', 'capitalize', 'swapcase', 'lstrip', 'rstrip')}()",
            lambda: f"({t()}).{self.pick('strip', 'lstrip', 'rstrip')}({t()})",
            lambda: f"({t()}).replace({t()}, {t()})", lambda: f"({t()})|replace({t()}, {t()}, {i()})",
            lambda: f"({t()})[{self.slice(depth)}]", lambda: f"({t()})[{i()}]", lambda: f"{self.any(depth - 1)}|tojson",
            lambda: f"{self.any(depth - 1)}|tojson(indent={self.pick('2', '0', '4', 'none')})",
            lambda: f"{self.any(depth - 1)}|tojson(ensure_ascii=true, sort_keys={self.pick('true', 'false')})",
            lambda: f"{self.list(depth - 1)}|join({t()})", lambda: f"({t()}).join({self.list(depth - 1)})",
            lambda: f"({t()} if {self.truth(depth - 1)} else {t()})", lambda: f"({t()} if {self.truth(depth - 1)})",
            lambda: f"({t()}).split({t()})[{self.pick('0', '-1', '1')}]",
            lambda: f"{self.any(depth - 1)}|default({t()}{self.pick('', ', true')})", lambda: f"({t()}) * {self.pick('0', '2', '3', '-1')}",
            lambda: f"({t()})|indent({self.pick('2', '4, true', 'first=true', '3, blank=true', t())})",
            lambda: f"'%s|%{self.pick('5', '-5', '.2', '')}s' % ({t()}, {self.any(depth - 1)})",
            lambda: f"'%{self.pick('d', '03d', '.2f', '+d', 'x', '8.3f', '-6d')}|' % {i()}",
            lambda: f"({t()}).{self.pick('removeprefix', 'removesuffix')}({t()})",
            lambda: f"({t()})|center({self.pick('5', '12')})", lambda: f"({t()}).{self.pick('ljust', 'rjust', 'zfill', 'center')}(9)",
            lambda: f"{self.any(depth - 1)}|string", lambda: f"({t()}).partition({t()})[{self.pick('0', '1', '2')}]",
        )()

    def integer(self, depth):
        if depth <= 0:
            return self.pick("n", "m", "z", "0", "1", "2", "10", "-1", "d.k", "people[1].age", "loop.index", "1_000", "0x1f")
        i = lambda: self.integer(depth - 1)
        return self.pick(
            lambda: f"({i()} {self.pick('+', '-', '*', '//', '%', '/', '**')} {i()})", lambda: f"{self.text(depth - 1)}|length",
            lambda: f"{self.list(depth - 1)}|length", lambda: f"{self.list(depth - 1)}|{self.pick('sum', 'max', 'min', 'count')}",
            lambda: f"-{i()}", lambda: f"({i()}|abs)", lambda: f"{self.any(depth - 1)}|int", lambda: f"{self.any(depth - 1)}|float",
            lambda: f"({i()})|round{self.pick('', '(1)', '(2, %s)' % repr(self.pick('floor', 'ceil', 'common')))}",
            lambda: f"({self.text(depth - 1)}).{self.pick('find', 'count', 'rfind', 'index')}({self.text(depth - 1)})",
            lambda: self.pick("f", "g", "1.5", "2e3", "1e-7", "1e16", "123456789.125"), lambda: f"{self.text(depth - 1)}|wordcount",
            lambda: f"({self.list(depth - 1)}).count({self.any(depth - 1)})",
        )()

    def list(self, depth):
        if depth <= 0:
            return self.pick("l", "names", "empty", "people", "nested", "[1, 'b', none]", "[]", "(1, 2)", "range(3)", "messages",
                             "d.keys()|list", "d.values()|list", "[true, 2.0]", "d")
        a = lambda: self.list(depth - 1)
        return self.pick(
            lambda: f"({a()} + {a()})", lambda: f"({a()})[{self.slice(depth)}]", lambda: f"{a()}|list", lambda: f"{a()}|reverse|list",
            lambda: f"{a()}|sort{self.pick('', '(reverse=true)', '(case_sensitive=true)')}", lambda: f"people|sort(attribute='{self.pick('age', 'name')}')",
            lambda: f"people|map(attribute='{self.pick('name', 'age', 'tags', 'tags.0')}')|list",
            lambda: f"people|map(attribute='tags', default={self.any(depth - 1)})|list",
            lambda: f"{a()}|map('{self.pick('string', 'upper', 'length', 'int', 'tojson', 'trim')}')|list",
            lambda: f"people|{self.pick('selectattr', 'rejectattr')}('{self.pick('age', 'tags', 'name')}'{self.pick('', ', ' + repr('equalto') + ', 31', ', ' + repr('defined'))})|list",
            lambda: f"{a()}|{self.pick('select', 'reject')}{self.pick('', '(%s)' % repr(self.pick('string', 'number', 'odd', 'none', 'mapping')))}|list",
            lambda: f"{a()}|unique|list", lambda: f"({self.text(depth - 1)}).split({self.text(depth - 1)})",
            lambda: f"({self.text(depth - 1)}).{self.pick('split', 'rsplit')}({self.pick('', 'none, 1', repr(',') + ', 1', 'maxsplit=1')})",
            lambda: f"({self.text(depth - 1)}).splitlines({self.pick('', 'true')})", lambda: f"{self.text(depth - 1)}|list",
            lambda: f"{a()}|batch({self.pick('2', '3, ' + repr('-'))})|list", lambda: f"{a()}|slice({self.pick('2', '3, 0')})|list",
            lambda: f"[{self.any(depth - 1)}, {self.any(depth - 1)}]", lambda: f"({self.any(depth - 1)}, {self.any(depth - 1)},)",
            lambda: f"range({self.pick('5', '1, 4', '5, 0, -2', self.integer(depth - 1))})", lambda: f"{self.dict(depth - 1)}|{self.pick('dictsort', 'items|list', 'list')}",
            lambda: f"people|groupby('{self.pick('age', 'name')}')|list", lambda: f"{a()} * {self.pick('2', '0')}",
            lambda: f"{self.dict(depth - 1)}.{self.pick('items', 'keys', 'values')}()",
        )()

    def dict(self, depth):
        if depth <= 0:
            return self.pick("d", "people[0]", "{}", "{'a': 1, 2: 'b', none: [true]}", "dict(a=1, b='x')", "messages[1]")
        return self.pick(
            lambda: f"{{{self.text(depth - 1)}: {self.any(depth - 1)}, 'z': {self.any(depth - 1)}}}",
            lambda: f"dict({self.dict(depth - 1)}, extra={self.any(depth - 1)})", lambda: f"{self.dict(depth - 1)}.copy()",
            lambda: f"people[{self.pick('0', '1', '-1')}]",
        )()

    def slice(self, depth):
        part = lambda: self.pick("", "", "1", "-1", "2", "-2", "0", self.integer(max(0, min(depth - 1, 1))))
        return self.pick(f"{part()}:{part()}", f"{part()}:{part()}:{self.pick('1', '-1', '2', '-2', '')}")

    def truth(self, depth):
        a = lambda: self.any(depth - 1)
        if depth <= 0:
            return self.pick("t", "u", "nothing", "missing", "l", "e", "d", "true", "False", "none")
        return self.pick(
            lambda: f"({a()} {self.pick('==', '!=')} {a()})", lambda: f"({self.integer(depth - 1)} {self.pick('<', '<=', '>', '>=')} {self.integer(depth - 1)})",
            lambda: f"({self.integer(depth - 1)} < {self.integer(depth - 1)} {self.pick('<=', '!=', '==')} {self.integer(depth - 1)})",
            lambda: f"({self.text(depth - 1)} {self.pick('in', 'not in')} {self.pick(self.text(depth - 1), self.list(depth - 1), self.dict(depth - 1))})",
            lambda: f"({self.truth(depth - 1)} {self.pick('and', 'or')} {self.truth(depth - 1)})", lambda: f"not {self.truth(depth - 1)}",
            lambda: f"({a()} is {self.pick('', 'not ')}{self.pick('defined', 'none', 'string', 'mapping', 'iterable', 'sequence', 'number', 'integer', 'float', 'boolean', 'true', 'false', 'undefined', 'odd', 'even', 'callable', 'lower', 'upper', 'divisibleby 2', 'in [1, 2]', 'eq(1)', 'sameas none', 'ge 2')})",
            lambda: f"({self.text(depth - 1)}).{self.pick('startswith', 'endswith')}({self.text(depth - 1)})",
            lambda: f"({self.text(depth - 1)}).{self.pick('isdigit', 'isalpha', 'isupper', 'islower', 'isspace', 'isalnum', 'isnumeric')}()",
            lambda: f"({self.text(depth - 1)} < {self.text(depth - 1)})",
        )()

    def any(self, depth):
        if depth <= 0:
            return self.pick("missing", "nothing", self.text(0), self.integer(0), self.list(0), self.dict(0), "d.missing", "t", "f")
        kinds = [self.text, self.integer, self.list, self.dict, self.truth]
        kinds += [lambda d: f"{self.list(d - 1)}|{self.pick('first', 'last')}", lambda d: f"{self.dict(d - 1)}.get({self.text(d - 1)}{self.pick('', ', 1')})",
                  lambda d: f"({self.any(d - 1)} {self.pick('or', 'and')} {self.any(d - 1)})", lambda d: f"{self.dict(d - 1)}[{self.text(d - 1)}]",
                  lambda d: self.pick(*self.names) if self.names else "n", lambda d: f"d.{self.pick('items', 'k', 'name', 'keys')}"]
        return self.random.choice(kinds)(depth)

    def sign(self): return self.pick("", "", "", "-", "+")

    def tag(self, inside):
        return "{%" + self.sign() + " " + inside + " " + self.sign() + "%}" + self.pick("", "\n", "  \n", " ")

    def space(self): return self.pick("", "", " ", "\n", "\n  ", "x", "é\n", "  y  ", "\t\n", "{# c #}", "{#- c -#}\n", "  {# d\n #}\n")

    def variable(self, depth):
        end = self.pick("", "", "-")
        return "{{" + self.pick("", "", "-") + " " + self.any(depth) + " " + end + "}}"

    def body(self, depth, loops=False):
        return "".join(self.space() + self.statement(depth, loops) for _ in range(self.random.randint(1, 3))) + self.space()

    def statement(self, depth, loops):
        if depth <= 0 or self.random.random() < 0.3:
            return self.variable(self.random.randint(0, 3))
        name = self.pick("a", "b", "c")
        inner = lambda: self.body(depth - 1, False)
        make = self.pick("if", "for", "for", "set", "set", "block", "macro", "namespace", "with", "raw", "leave", "call", "filter", "else", "generation")
        if make == "if":
            return self.tag(f"if {self.truth(2)}") + self.body(depth - 1, loops) + self.pick("", self.tag(f"elif {self.truth(2)}") + self.body(depth - 1, loops)) \
                + self.pick("", self.tag("else") + self.body(depth - 1, loops)) + self.tag("endif")
        if make == "for":
            target, items = self.pick((name, self.list(2)), (f"{name}, b2", self.pick("nested", "d.items()", "{'x': 1}|items", "people|map(attribute='name')|map('list')")))
            self.names.append(name)
            loop = self.pick("", "{{ loop.index }}/{{ loop.length }}", "{{ loop.first ~ loop.last }}", "{{ loop.previtem }}|{{ loop.nextitem }}",
                             "{{ loop.cycle('u', 'v') }}", "{{ loop.revindex0 }}", "{{ loop.changed(loop.index // 2) }}")
            return self.tag(f"for {target} in {items}{self.pick('', '', ' if ' + self.truth(1))}") + loop + self.body(depth - 1, True) \
                + self.pick("", self.tag("else") + inner()) + self.tag("endfor")
        if make == "set":
            self.names.append(name)
            return self.tag(self.pick(f"set {name} = {self.any(2)}", f"set {name}, b3 = {self.pick('1, 2', 'nested[0]', repr('xy'))}"))
        if make == "block":
            self.names.append(name)
            return self.tag(f"set {name}{self.pick('', '', ' | upper', ' | trim | length')}") + inner() + self.tag("endset")
        if make == "macro":
            return self.tag(f"macro m(x, y={self.any(1)}{self.pick('', ', k=none')})") + "[{{ x }}{{ y }}" + self.pick("", "{{ varargs }}", "{{ kwargs }}", "{{ caller is defined }}") \
                + inner() + "]" + self.tag("endmacro") + "{{ m(" + self.pick("1", "s, n", "x=2", "y=3", "1, 2, 3", "*l", "**{'x': 1}", "1, k=2") + ") }}"
        if make == "call":
            return self.tag("macro o(x)") + "<{{ caller(" + self.pick("", "x", "1, 2") + ") }}{{ x }}>" + self.tag("endmacro") \
                + self.tag(f"call{self.pick('', '(v)', '(v=9)')} o({self.any(1)})") + "{{ v }}" + inner() + self.tag("endcall")
        if make == "namespace":
            return "{% set ns = namespace(v=" + self.any(1) + ") %}" + self.tag(f"for i in {self.list(1)}") + "{% set ns.v = " + self.pick("i", "loop.index", "ns.v ~ i") \
                + " %}" + self.tag("endfor") + "{{ ns.v }}{{ ns.w }}"
        if make == "with":
            return self.tag(f"with {self.pick('v = ' + self.any(1), 'v = 1, k = v', '')}") + "{{ v }}" + inner() + self.tag("endwith")
        if make == "raw":
            return self.tag("raw") + " {{ x }} {% if %}\n" + self.tag("endraw")
        if make == "leave":
            if not loops:
                return "{{ n }}"
            return self.tag(f"if {self.truth(1)}") + self.tag(self.pick("break", "continue")) + self.tag("endif")
        if make == "filter":
            return self.tag(f"filter {self.pick('upper', 'trim', 'replace(%s, %s)' % (repr('a'), repr('b')), 'indent | length')}") + inner() + self.tag("endfilter")
        if make == "generation":
            return self.tag("generation") + inner() + self.tag("endgeneration")
        return "{{ raise_exception('no') if " + self.truth(1) + " else 'yes' }}"


def rough(text):
    """Whether a text has what is the machine's alone, such as an address."""
    return " at 0x" in text or "object" in text and "<" in text or "<function" in text or "<built-in" in text or "<generator" in text \
        or "<dict" in text or "<list" in text or "<Macro" in text or "<bound" in text or "<class" in text


def random_case(seed):
    return case(Maker(seed).body(3), CONTEXT)


def main():
    if sys.argv[1:2] == ["--random"]:
        first, count = int(sys.argv[2]), int(sys.argv[3])
        for seed in range(first, first + count):
            found = random_case(seed)
            if not rough(found.get("text", "")):
                print(json.dumps({"seed": seed, **found}))
        return
    cases, seed = [], 0
    while len(cases) < 240:
        seed += 1
        found = random_case(seed)
        # Those that work are worth more than the others.
        if rough(found.get("text", "")) or ("error" in found and seed % 5) or len(found["template"]) > 500:
            continue
        del found["context"]
        cases.append({"seed": seed, **found})
    made = [{**about, **{key: found[key] for key in ("text", "error") if key in found}} for about, found in families()]
    noise = random.Random(5)
    numbers = [0.0, -0.0, 1.0, 1e15, 1e16, 1e17, 123456789012345680.0, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, 0.1, 2.5, 3.5, 1e22]
    numbers += [noise.uniform(-1, 1) * 10 ** noise.randint(-20, 20) for _ in range(60)]
    (FOLDER / "rendered.json").write_text(json.dumps({
        "context": CONTEXT, "conversations": CONVERSATIONS, "tools": [WEATHER, CLOCK], "families": made, "random": cases,
        "numbers": [[number.hex(), repr(number), "%.3f" % number, str(round(number, 2))] for number in numbers],
    }, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
