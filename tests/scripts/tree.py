"""Random programs as syntax trees.

A program is some functions and a main one; a function is a block and a result; a block is a list of statements; a
statement is a form (forms.py) and what its fields are. All of that is plain data, so that shrink.py can cut pieces out.

Functions call only functions before them, and loops are bounded, so a program ends, unless its tasks wait for each other."""

import random

from forms import FORMS

DEEPEST = 4
WAITS = {"awaited", "entries", "tasks"}  # kinds of fields that name tasks to wait for


class Statement:
    __slots__ = ("form", "values")

    def __init__(self, form, values):
        self.form = form
        self.values = values


class Function:
    def __init__(self, name, body, result):
        self.name = name
        self.body = body
        self.result = result  # ("none",), ("number", N), ("argument",), ("word", TEXT), ("pair", TEXT, N)


class Program:
    def __init__(self, seed):
        self.seed = seed
        self.functions = []  # the last one is main
        self.queue_sizes = []
        self.semaphores = []


class Names:
    """What is in scope in a block: names by kind."""

    def __init__(self, outer=None):
        self.of = {kind: list(names) for kind, names in outer.of.items()} if outer else {
            "task": [], "number": ["n"], "scope": []}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.program = Program(seed)
        self.callable = []  # names of the functions that may be called
        self.closing_free = []  # those of them that can run in a coroutine of Lua's own
        self.counter = 0    # of names
        self.labels = 0
        self.function = None
        self.has_finally = False
        # Some programs have much of one thing.
        self.weights = {name: form.weight * self.random.choice((0.3, 1, 1, 3)) for name, form in FORMS.items()}
        self.caution = self.random.choice((0.3, 0.6, 0.9))
        self.hurry = self.random.choice((2, 4, 9))

    def generate(self):
        program = self.program
        program.queue_sizes = [self.random.choice((0, 0, 1, 2)) for _ in range(2)]
        program.semaphores = [self.random.choice((0, 1, 1, 2)) for _ in range(2)]
        for number in range(1, self.random.randint(2, 5) + 1):
            self.add_function(f"f{number}", self.random.randint(1, 7))
        self.add_function("main", self.random.randint(4, 14))
        return program

    def opening(self, names):
        """Main begins with some tasks, so that there is something to wait for; one of them cancels those that wait in vain."""
        kinds = [self.random.choice(("spawn", "spawn known", "spawn known")) for _ in range(self.random.randint(1, 4))]
        rescue = [Statement(FORMS["rescue"], {"times": self.random.randint(2, 12)})] if self.random.random() < 0.95 else []
        return rescue + [self.fill(FORMS[kind], names, 0) for kind in kinds]

    def add_function(self, name, size):
        self.function, self.has_finally, self.labels = name, False, 0
        names = Names()
        body = self.opening(names) if name == "main" else []
        body += self.block(names, size, 0)
        self.program.functions.append(Function(name, body, self.result()))
        if name != "main":
            self.callable.append(name)
            if not self.has_finally:
                self.closing_free.append(name)

    def result(self):
        return self.random.choice((("none",), ("number", self.random.randint(1, 99)), ("argument",),
                                   ("word", self.function), ("pair", self.function, self.random.randint(1, 99))))

    def block(self, names, size, depth):
        return [self.statement(names, depth) for _ in range(size)]

    def statement(self, names, depth):
        form = self.choose(names, depth)
        caution = max(self.caution, 0.97 if self.function == "main" else 0)
        if not form.risky or depth >= DEEPEST or self.random.random() > caution:
            return self.fill(form, names, depth)
        # What it names is seen after the `try` no more.
        return self.fill(FORMS["try"], names, depth, body=[self.fill(form, Names(names), depth + 1)])

    def choose(self, names, depth):
        while True:
            form = FORMS[self.random.choices(list(self.weights), self.weights.values())[0]]
            if form.blocks and depth >= DEEPEST:
                continue
            if form.name.startswith("error") and self.function == "main" and self.random.random() < 0.9:
                continue
            if form.only_in and not names.of[form.only_in]:
                continue
            if WAITS & set(form.fields.values()) and not names.of["task"] and self.random.random() < 0.98:
                continue
            if ("call" in form.fields and not self.callable) or ("plain" in form.fields and not self.closing_free):
                continue
            return form

    def fill(self, form, names, depth, **given):
        values, inner = dict(given), Names(names)
        self.has_finally = self.has_finally or form.finally_in
        # (A name is not in scope in its own statement, save for the blocks in it.)
        order = {"block": 2, "detached": 2, "new": 1, "newnumber": 1, "newscope": 1}
        for field, kind in sorted(form.fields.items(), key=lambda item: order.get(item[1], 0)):
            if field in values:
                continue
            if kind in ("block", "detached"):
                block_names = Names() if kind == "detached" else Names(inner if field == "body" else names)
                children = self.children() if "newscope" in form.fields.values() else ()
                values[field] = [self.fill(FORMS[child], block_names, depth + 1) for child in children]
                values[field] += self.block(block_names, self.random.randint(1, 4), depth + 1)
            elif kind.startswith("new"):
                values[field] = self.name(kind, names if kind == "new" else inner)
            else:
                values[field] = getattr(self, kind)(names)
        return Statement(form, values)

    def children(self):
        kinds = ("scope spawn", "scope spawn known")
        return [self.random.choice(kinds) for _ in range(self.random.randint(0, 3))] if self.callable else []

    # ---- the kinds of fields -------------------------------------------------------------------------------------

    def name(self, kind, names):
        self.counter += 1
        if kind == "newfunction":
            return f"b{self.counter}"
        prefix, what = {"new": ("t", "task"), "newnumber": ("i", "number"), "newscope": ("g", "scope")}[kind]
        names.of[what].append(f"{prefix}{self.counter}")
        return f"{prefix}{self.counter}"

    def label(self, names):
        self.labels += 1
        return f"{self.function}.{self.labels}"

    def num(self, names):
        if self.random.random() < 0.4:
            return self.random.choice(names.of["number"])
        return self.random.randint(0, self.hurry)

    def ms(self, names):
        return self.random.randint(0, self.hurry)

    def small(self, names):
        return self.random.randint(0, 5)

    def times(self, names):
        return self.random.randint(1, 3)

    def pick(self, names):
        return self.random.randint(0, 7)

    def task(self, names):
        """To look at, or to cancel."""
        if names.of["task"] and self.random.random() < 0.5:
            return self.random.choice(names.of["task"])
        return f"known_at({self.pick(names)})"

    def awaited(self, names):
        """To wait for: mostly a task of one's own, as tasks that wait for each other go on no more."""
        if names.of["task"] and self.random.random() < 0.97:
            return self.random.choice(names.of["task"])
        return self.task(names)

    def call(self, names, among=None):
        task = None
        if names.of["task"] and self.random.random() < 0.5:
            task = self.random.choice(names.of["task"])
        return (self.random.choice(among or self.callable), self.num(names), task)

    def plain(self, names):
        return self.call(names, self.closing_free)

    def entries(self, names):
        count = self.random.choice((0, 1, 2, 2, 3, 3, 4))
        return [self.call(names) if self.callable and self.random.random() < 0.4 else self.awaited(names)
                for _ in range(count)]

    def tasks(self, names):
        return [self.awaited(names) for _ in range(self.random.choice((0, 1, 2, 2, 3, 3, 4)))]

    def mode(self, names):
        return self.random.choice(("all", "first", "error"))

    def limit(self, names):
        return self.random.choice((None, self.ms(names)))

    def scope(self, names):
        return self.random.choice(names.of["scope"])

    def error(self, names):
        return self.random.choice((("word", f"boom {self.random.randint(1, 9)}"), ("word", "bang"),
                                   ("code", self.random.randint(1, 9)), ("cancelled",), ("timed_out",)))

    def word(self, names):
        return self.random.choice(("warp", "weft", "reed"))

    def mutex(self, names):
        return self.random.choice(("m1", "m2"))

    def semaphore(self, names):
        return self.random.choice(("s1", "s2"))

    def event(self, names):
        return self.random.choice(("v1", "v2"))

    def queue(self, names):
        return self.random.choice(("q1", "q2"))
