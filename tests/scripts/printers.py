"""A program as Lua, and as Python."""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
MODES = {"all": "ALL_COMPLETED", "first": "FIRST_COMPLETED", "error": "FIRST_EXCEPTION"}


class Printer:
    """What both have in common: templates, blocks, indentation."""

    empty = []

    def statement(self, statement, indent):
        fields = {}
        for name, kind in statement.form.fields.items():
            if name not in statement.form.blocks:
                fields.update(self.field(name, kind, statement.values[name]))
        lines = []
        for line in self.template(statement.form):
            name = line.strip()[1:-1]
            if name in statement.form.blocks:
                lines += self.block(statement.values[name], indent + line[:len(line) - len(line.lstrip())])
            else:
                lines.append(indent + line.format(**fields))
        return lines

    def block(self, statements, indent):
        lines = [line for statement in statements for line in self.statement(statement, indent)]
        return lines or [indent + line for line in self.empty]

    def field(self, name, kind, value):
        """The texts for `{name}` and its variants."""
        special = getattr(self, kind, None)
        return special(name, value) if special else {name: str(value)}

    def label(self, name, value):
        return {name: f'"{value}"'}

    word = label

    def pick(self, name, value):
        return {name: str(value)}

    def plain(self, name, value):
        return self.call(name, value)

    def arguments(self, call):
        _, number, task = call
        return f"{number}, {task}" if task else str(number)

    def invocation(self, call):
        return f"{call[0]}({self.arguments(call)})"


class Lua(Printer):
    def template(self, form):
        return form.lua

    def call(self, name, value):
        return {name: self.invocation(value), f"{name}_spawn": f"{value[0]}, {self.arguments(value)}"}

    def entry(self, entry):
        if isinstance(entry, str):
            return entry
        return entry[0] if entry[1:] == (0, None) else f"function() return {self.invocation(entry)} end"

    def entries(self, name, value):
        entries = [self.entry(entry) for entry in value]
        return {name: "{" + ", ".join(entries) + "}",
                f"{name}_errors": "{" + ", ".join(entries + ["errors = true"]) + "}"}

    def tasks(self, name, value):
        return {name: "{" + ", ".join(value) + "}"}

    def mode(self, name, value):
        return {name: f'"{value}"'}

    def limit(self, name, value):
        return {name: "" if value is None else f", {value}/1000"}

    def error(self, name, value):
        kind = value[0]
        return {name: {"word": f'"{value[-1]}"', "code": f"{{code = {value[-1]}}}"}.get(kind, kind)}

    def result(self, result):
        return {"none": [], "argument": ["return n"], "number": [f"return {result[-1]}"],
                "word": [f'return "{result[-1]}"'], "pair": [f'return "{result[-2 % len(result)]}", {result[-1]}']}[result[0]]

    def program(self, program):
        lines = [f"local m1, m2 = mutex(), mutex()",
                 "local s1, s2 = " + ", ".join(f"semaphore({value})" for value in program.semaphores),
                 "local v1, v2 = event(), event()",
                 "local q1, q2 = " + ", ".join(f"queue({size or ''})" for size in program.queue_sizes)]
        for function in program.functions:
            if function.name == "main":
                lines += ["", "local n, t = 3, nil"] + self.block(function.body, "") + ['say("end")']
                continue
            lines += ["", f"local function {function.name}(n, t)", "  n = n or 0"]
            lines += self.block(function.body, "  ")
            lines += ["  " + line for line in self.result(function.result)] + ["end"]
        return "\n".join(lines) + "\n"


class Python(Printer):
    empty = ["pass"]

    def template(self, form):
        return form.python

    def call(self, name, value):
        return {name: self.invocation(value)}

    def entries(self, name, value):
        entries = [entry if isinstance(entry, str) else self.invocation(entry) for entry in value]
        return {name: ", ".join(entries), f"{name}_errors": ", ".join(entries + ["return_exceptions=True"])}

    def tasks(self, name, value):
        return {name: "[" + ", ".join(value) + "]"}

    def mode(self, name, value):
        return {name: f"asyncio.{MODES[value]}"}

    def limit(self, name, value):
        return {name: "" if value is None else f", timeout={value}"}

    def error(self, name, value):
        return {name: {"word": f'Failure("{value[-1]}")', "code": f"Failure({value[-1]})",
                       "cancelled": "asyncio.CancelledError()", "timed_out": "asyncio.TimeoutError()"}[value[0]]}

    def result(self, result):
        return {"none": [], "argument": ["return n"], "number": [f"return {result[-1]}"],
                "word": [f'return "{result[-1]}"'], "pair": [f'return "{result[-2 % len(result)]}", {result[-1]}']}[result[0]]

    def program(self, program):
        lines = ["m1, m2 = asyncio.Lock(), asyncio.Lock()",
                 "s1, s2 = " + ", ".join(f"asyncio.Semaphore({value})" for value in program.semaphores),
                 "v1, v2 = asyncio.Event(), asyncio.Event()",
                 "q1, q2 = " + ", ".join(f"asyncio.Queue({size})" for size in program.queue_sizes)]
        for function in program.functions:
            is_main = function.name == "main"
            lines += ["", f"async def {function.name}(n={3 if is_main else 0}, t=None):"]
            lines += self.block(function.body, "    ")
            lines += ["    " + line for line in (['say("end")'] if is_main else self.result(function.result))]
        return "\n".join(lines) + "\n"


def prelude():
    with open(os.path.join(HERE, "prelude.lua")) as file:
        return file.read()


def as_lua(program):
    return prelude() + Lua().program(program)


def as_python(program):
    return Python().program(program)
