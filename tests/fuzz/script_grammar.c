#include "script_grammar.h"

#include <stdlib.h>
#include <string.h>

/* Deeper than this, and beyond half of the room, only the first forms of a rule are taken, which hold no others. */
enum { DEPTH = 7, SHORT_FORMS = 4 };

typedef struct rule {
    char letter; /* "$s" in a form stands for the rule of that letter */
    const char *const *forms;
} rule;

/* A program is some of these: an error in one does not end it, in most. */
static const char *const parts[] = {"try(function(...) $s end)",
                                    "try(function(...) $s $s end)",
                                    "try(function(...) $s $s $s end)",
                                    "keep(spawn(function(...) $s $s end))",
                                    "keep(spawn(function(...) $s $s $s end, $e))",
                                    "$s",
                                    "yield()",
                                    NULL};

static const char *const statements[] = {
    /* these hold no statements, nor expressions that do */
    "yield()", "sleep($d)", "await(t($i))", "t($i):cancel()",
    /* tasks */
    "keep(spawn($f, $e))", "keep(spawn($f))", "print(pcall($f))", "print(pcall(await, t($i)))",
    "print(xpcall($f, $f, $e))", "current():cancel()", "await(current())", "error($e, $n)",
    "do return $e end", "print(t($i), t($i):done(), t($i):cancelled(), t($i).id)",
    "print(pcall(t($i).result, t($i)))", "print(pcall(t($i).error, t($i)))", "t($i).name = $e",
    "print(gather{$m, $m, $m})", "print(pcall(gather, {$m, $m, errors = true}))",
    "print(pcall(wait, {$m, $m}, $o, $d))", "print(pcall(wait, {$m, $m, $m}, $o))",
    "print(pcall(timeout, $d, $m, $e))", "timeout($d, $f)", "print(pcall(shield, $m))", "shield($f, $e)",
    "print(pcall(scope, function(s) Z = s keep(s:spawn($f)) $s $s end))",
    "scope(function(s) s:spawn($f) s:spawn($f) $s end)", "keep(Z:spawn($f))", "T[$i] = nil",
    /* locks, queues */
    "M[$j]:lock()", "M[$j]:unlock()", "M[$j]:with($f)", "S[$j]:acquire()", "S[$j]:release()",
    "S[$j]:with($f)", "E[$j]:wait()", "E[$j]:set()", "E[$j]:clear()", "Q[$j]:put($e)", "print(Q[$j]:get())",
    "print(Q[$j]:try_put($e), Q[$j]:try_get())", "Q[$j]:task_done()", "Q[$j]:join()",
    "M[$j], S[$j], E[$j], Q[$j] = mutex(), semaphore($n), event(), queue($n)",
    /* coroutines */
    "W[$j] = coroutine.wrap($f)", "print(W[$j]($e))", "C[$j] = coroutine.create($f)",
    "print(coroutine.resume(C[$j], $e))", "print(coroutine.status(C[$j]), coroutine.close(C[$j]))",
    "print(coroutine.yield($e))", "print(coroutine.running())",
    "print(pcall(coroutine.close, coroutine.running()))", "C[$j] = coroutine.running()",
    /* blocks */
    "for i = 1, $n do $s $s end", "for a, b in $f do $s end", "for k, v in pairs($e) do $s end",
    "repeat $s until $e", "if $e then $s else $s end", "local v = $e $s", "local v <close> = closes($f) $s",
    "do local v <close> = closes($f) $s end", "for a in $f, nil, nil, closes($f) do $s break end",
    "O = setmetatable({}, {$M = $f, $M = $f}) $u", "$u", "x = function(...) $s $s end", "print(x($e))",
    /* what calls back */
    "print(string.gsub($k, $p, $f))", "table.sort({3, 1, 2, 4}, $f)",
    "print(load($k .. ' ' .. $k, 'k', 't', $e))", "print(load($f))",
    "print(pcall(string.format, $k, $e, $e))",
    "print(pcall(string.find, $k, $p), pcall(string.match, string.rep($k, $n), $p))",
    "for w in string.gmatch($k, $p) do $s end", "print(pcall(string.rep, $k, $N, $k))",
    "print(pcall(table.concat, {$e, $e}, $k))", "print(pcall(table.unpack, {$e}, $n, $N))",
    "print(pcall(table.move, {$e}, $n, $N, $n))",
    "print(pcall(string.pack, $k, $e), pcall(string.unpack, $k, $k))",
    "print(pcall(utf8.char, $N), pcall(utf8.len, $k))", "collectgarbage($g)", "print(require($k))",
    /* libraries */
    "print(pcall(json.encode, $e))", "print(pcall(json.decode, $J))",
    "print(pcall(time.format, $n, $k), pcall(time.parse, $k, $k))", "print(pcall(fs.write, $a, $e))",
    "print(pcall(fs.append, $a, $k))", "print(pcall(fs.read, $a))",
    "print(pcall(fs.list, $a), pcall(fs.stat, $a))", "for line in fs.lines($a) do $s end",
    "print(pcall(fs.mkdir, $a), pcall(fs.remove, $a), pcall(fs.rename, $a, $a))",
    "print(pcall(exec, {$k, $k, stdin = $e}))", "print(pcall(io.popen, $k), pcall(os.execute, $k))",
    "H = io.popen($k)", "print(pcall(H.read, H, $e))", "for w in H:lines($n) do $s end", "print(H:close())",
    "D = sql.open($b)", "print(pcall(D.run, D, $q, $e))", "print(pcall(D.query, D, $q, $e))",
    "print(pcall(D.transaction, D, $f, $e))", "print(D:transaction(function(t) $v $s end))",
    "do local D <close> = sql.open($b) $s end", "print(D:close())",
    "keep(spawn(function() D:run($q, $e) $s end))", "io.write($e)", "log($e)",
    "print(os.time(), os.clock(), os.date($k), os.getenv($k))",
    /* what is rude */
    "setmetatable(_G, {__index = $f})", "setmetatable(_G, nil)", "$G = $e", "getmetatable('').__index = $e",
    "x = function() return x() + 1 end x()", "x = string.rep($k, $N)", "A = {A, A, $e}",
    "pcall(pcall, pcall, pcall, error, $e)", "pcall(string.rep)", "while true do $s end",
    "for i = 1, 1e9 do pcall(spawn, $f) end", NULL};

static const char *const expressions[] = {"nil",
                                          "$n",
                                          "$k",
                                          "t($i)",
                                          "$n",
                                          "$k",
                                          "t($i)",
                                          "true",
                                          "false",
                                          "cancelled",
                                          "timed_out",
                                          "...",
                                          "{}",
                                          "{$e, $e}",
                                          "{x = $e, [$e] = $e}",
                                          "$f",
                                          "O",
                                          "#T > 4",
                                          "current()",
                                          "now()",
                                          "Q[$j]:size()",
                                          "M[$j]:locked()",
                                          "select('#', ...)",
                                          "x",
                                          "json.null",
                                          "json.array({$e})",
                                          "O + $e",
                                          "$e .. $e",
                                          "$e == $e",
                                          "$e < $e",
                                          "-$e",
                                          "not $e",
                                          "($e)",
                                          "$e and $e",
                                          "coroutine.isyieldable()",
                                          "T",
                                          "Z",
                                          "print",
                                          "spawn",
                                          "await",
                                          "C[$j]",
                                          "_G",
                                          "args",
                                          "0/0",
                                          "1e308",
                                          "math.maxinteger",
                                          NULL};

static const char *const functions[] = {"yield",
                                        "current",
                                        "print",
                                        "error",
                                        "function(...) $s end",
                                        "function(...) $s $s end",
                                        "function(...) $s return $e end",
                                        "function(...) return $e end",
                                        "function() $s $s $s end",
                                        "function() sleep($d) return $e end",
                                        "function() yield() error($e) end",
                                        "coroutine.wrap($f)",
                                        "spawn",
                                        "await",
                                        "gather",
                                        "sleep",
                                        "x",
                                        NULL};

static const char *const members[] = {"t($i)", "yield", "t($i)", "yield", "$f", "spawn($f)", "$e", NULL};
static const char *const numbers[] = {"1", "0", "2", "3", "-1", "1.5", "7", NULL};
static const char *const counts[] = {"1", "10", "1000", "100000", "1 << 20", "1 << 40", "-1", NULL};
static const char *const durations[] = {"0", "0.001", "0.002", "0.01", "1", "-1", "3600", "math.huge", NULL};
static const char *const indices[] = {"0", "1", "2", "3", "4", "5", "6", "7", NULL};
static const char *const places[] = {"1", "2", "1", "2", NULL};
static const char *const modes[] = {"'all'", "'first'", "'error'", "nil", "$e", NULL};
static const char *const strings[] = {
    "'abc'",        "''",           "'a b\\0c'", "'%d %s %q'", "'%a+'",
    "'\\xff\\xfe'", "'return ...'", "'i4z'",     "'x=1'",      "string.rep('ab', 20)",
    "'(a*)*b'",     "tostring($e)", NULL};
static const char *const patterns[] = {"'.'",      "'%w+'",  "'(a*(.-)b)'", "'()'", "'[a'",
                                       "'%f[%a]'", "'%b()'", "'a-a-a-a-b'", "$k",   NULL};
static const char *const metas[] = {"__index",  "__call",      "__close",    "__add",      "__eq",    "__lt",
                                    "__concat", "__len",       "__newindex", "__tostring", "__pairs", "__unm",
                                    "__name",   "__metatable", "__mode",     "__gc",       NULL};
static const char *const uses[] = {"x = O.x",         "O.x = 1",
                                   "x = O + 1",       "x = O .. 'a'",
                                   "x = #O",          "x = O < O",
                                   "x = O()",         "print(O)",
                                   "x = -O",          "for k in pairs(O) do break end",
                                   "x = {} == O",     "do local v <close> = O end",
                                   "x = tostring(O)", NULL};
static const char *const collections[] = {"'collect'",      "'step'",        "'count'", "'stop'", "'restart'",
                                          "'generational'", "'incremental'", "$e",      NULL};
static const char *const documents[] = {
    "'{}'", "'[1,2,{\"a\":null}]'", "'[[[[[['", "'\"\\\\u00e9\\\\ud800\"'", "'1e999'", "string.rep('[', 500)",
    "$k",   "json.encode($e)",      NULL};
static const char *const paths[] = {"'a'", "'b'", "'d'", "'d/a'", "'.'", "'/'", "''", "$e", NULL};
static const char *const databases[] = {"':memory:'", "'q'", "'q'", "'/tmp/q', {timeout = 0.01}", "$e", NULL};
static const char *const queries[] = {
    "'SELECT 1 AS a'",
    "'SELECT ? AS a'",
    "'SELECT :x AS a, :x AS b'",
    "'CREATE TABLE IF NOT EXISTS t (v)'",
    "'INSERT INTO t VALUES (?)'",
    "'SELECT * FROM t'",
    "'BEGIN IMMEDIATE'",
    "'COMMIT'",
    "'ROLLBACK'",
    "'DELETE FROM t; SELECT 1; -- '",
    "'PRAGMA journal_mode = WAL'",
    "'VACUUM'",
    "'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c'",
    "'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c'",
    "'SELECT zeroblob(10000000) AS a'",
    "$k",
    NULL};
static const char *const within[] = {
    "t:run($q)", "print(pcall(t.query, t, $q, $e))", "D = t",   "D:query($q)",
    "$v $v",     "keep(spawn(t.run, t, $q, $e))",    "yield()", "error($e)",
    NULL};
static const char *const commands[] = {
    "'echo a; echo b >&2'", "'cat'", "'sleep 10'", "'yes'", "{'cat'}", "{'true'}", "$k", NULL};
static const char *const talk[] = {"c:write($k)",
                                   "print(c:read())",
                                   "print(c:read_line())",
                                   "print(c:read_exactly($n))",
                                   "c:shutdown()",
                                   "c:close()",
                                   "keep(spawn(function() $w end))",
                                   "c:write($e)",
                                   "$w $w",
                                   NULL};
static const char *const globals[] = {"error", "t", "pcall",      "print", "spawn", "T[$i]",     "x",
                                      "Z",     "O", "string.rep", "keep",  "await", "cancelled", NULL};

static const rule rules[] = {
    {'P', parts},       {'s', statements}, {'e', expressions}, {'f', functions}, {'m', members},
    {'n', numbers},     {'N', counts},     {'d', durations},   {'i', indices},   {'j', places},
    {'o', modes},       {'k', strings},    {'p', patterns},    {'M', metas},     {'u', uses},
    {'g', collections}, {'J', documents},  {'a', paths},       {'c', commands},  {'w', talk},
    {'G', globals},     {'b', databases},  {'q', queries},     {'v', within},
};

static const char prelude[] =
    "local T, kept, C, W, M, S, E, Q = {current()}, 0, {}, {}, {mutex(), mutex()},\n"
    "    {semaphore(1), semaphore(2)}, {event(), event()}, {queue(), queue(1)}\n"
    "local function try(f) print(pcall(f)) end\n"
    "local function keep(t) kept = kept % 8 + 1 T[kept] = t return t end\n"
    "local function t(i) return T[i % #T + 1] end\n"
    "local function closes(f) return setmetatable({}, {__close = f}) end\n"
    "O, Z, x, L = {}, {}, print, {port = 2000}\n"
    "keep(spawn(sleep, 0.01, 'slept'))\n"
    "keep(spawn(function() sleep(0.005) error('failed') end))\n"
    "keep(spawn(function() return pcall(E[1].wait, E[1]) end))\n";

typedef struct writer {
    const uint8_t *next, *end;
    char *text;
    size_t used;
} writer;

static void put(writer *self, const char *bytes, size_t count) {
    if (self->used + count > SCRIPT_GRAMMAR_BYTES)
        return;
    memcpy(self->text + self->used, bytes, count);
    self->used += count;
}

static const rule *rule_of(char letter) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].letter == letter)
            return &rules[i];
    abort(); /* a form of ours names no rule */
}

static const char *choose(writer *self, const rule *from, int depth) {
    size_t count = 0;
    while (from->forms[count])
        count++;
    if ((depth >= DEPTH || self->used > SCRIPT_GRAMMAR_BYTES / 2) && count > SHORT_FORMS)
        count = SHORT_FORMS;
    return from->forms[self->next < self->end ? *self->next++ % count : 0];
}

static void expand(writer *self, const char *form, int depth) {
    while (*form) {
        size_t plain = strcspn(form, "$");
        put(self, form, plain);
        form += plain;
        if (!*form)
            return;
        expand(self, choose(self, rule_of(form[1]), depth), depth + 1);
        form += 2;
    }
}

size_t script_grammar(const uint8_t *bytes, size_t count, char *text) {
    writer self = {.next = bytes, .end = bytes + count, .text = text};
    put(&self, prelude, sizeof prelude - 1);
    while (self.next < self.end && self.used < SCRIPT_GRAMMAR_BYTES / 2) {
        expand(&self, "$P", 0);
        put(&self, "\n", 1);
    }
    return self.used;
}
