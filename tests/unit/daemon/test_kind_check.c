/* What the kinds make of what a client sends: refused with a reason, or shown in one line. */
#include "kind.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static wire_strings strings(const char **items) {
    wire_strings list = {.items = items};
    while (items[list.count])
        list.count++;
    return list;
}

#define STRINGS(...) strings((const char *[]){__VA_ARGS__, NULL})

static void expect_good(const wire_job *job, const char *summary) {
    char text[256] = "";
    const kind *what = kind_of(job->kind);
    bool good = what->check(job, text, sizeof text);
    assert_string_equal(text, "");
    assert_true(good);
    what->summary(job, text, sizeof text);
    assert_string_equal(text, summary);
}

/* Refused, with a message that has each of these words. */
static void expect_bad(const wire_job *job, const char *const *words, size_t count) {
    char text[512] = "";
    assert_false(kind_of(job->kind)->check(job, text, sizeof text));
    for (size_t i = 0; i < count; i++)
        if (!strstr(text, words[i]))
            fail_msg("\"%s\" is not in: %s", words[i], text);
}

#define EXPECT_BAD(job, ...)                            \
    expect_bad(job, (const char *const[]){__VA_ARGS__}, \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static wire_job http_job(const char *url) {
    return (wire_job){
        .kind = WIRE_HTTP, .output = "", .u.http = {.url = url, .method = "", .proxy = "", .ca_file = ""}};
}

static void every_kind_is_in_the_table_under_its_own_name(void **state) {
    (void)state;
    for (int i = 1; i < WIRE_KINDS; i++) {
        const kind *what = kind_of((wire_kind)i);
        assert_non_null(what);
        assert_int_equal(what->kind, i);
        assert_non_null(what->summary);
        assert_non_null(what->run);
    }
    assert_null(kind_of(0));
    assert_null(kind_of(WIRE_KINDS));
    assert_null(kind_of((wire_kind)-1));
}

static void sleep_is_delayed_by_its_duration(void **state) {
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{0, "0s"},
                 {HD_SECONDS(7200), "2h"},
                 {HD_SECONDS(90), "90s"},
                 {HD_SECONDS(120), "2m"},
                 {HD_MS(1500), "1500ms"},
                 {HD_US(3), "3us"},
                 {7, "7ns"},
                 {UINT64_MAX, "18446744073709551615ns"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wire_job job = {.kind = WIRE_SLEEP, .output = "", .u.sleep.duration_ns = cases[i].ns};
        expect_good(&job, cases[i].text);
        assert_int_equal(kind_of(WIRE_SLEEP)->start_delay_ns(&job), cases[i].ns);
    }
}

static void an_output_file_is_for_exec_and_http_only(void **state) {
    (void)state;
    wire_job sleep = {.kind = WIRE_SLEEP, .output = "x.log", .u.sleep.duration_ns = 1};
    wire_job cpu = {.kind = WIRE_CPU, .output = "x.log", .u.cpu.units = 1};
    wire_job hash = {
        .kind = WIRE_HASH, .output = "x.log", .u.hash = {.paths = STRINGS("a"), .algorithm = ""}};
    wire_job exec = {.kind = WIRE_EXEC, .output = "x.log", .u.exec.argv = STRINGS("true")};
    EXPECT_BAD(&sleep, "output:", "\"x.log\"", "exec and http");
    EXPECT_BAD(&cpu, "output:", "\"x.log\"");
    EXPECT_BAD(&hash, "output:", "\"x.log\"");
    expect_good(&exec, "true");
}

static void exec_wants_a_command(void **state) {
    (void)state;
    wire_job job = {.kind = WIRE_EXEC, .output = ""};
    EXPECT_BAD(&job, "argv:", "no command");
    job.u.exec.argv = STRINGS("", "x");
    EXPECT_BAD(&job, "argv:", "\"\"");
    job.u.exec.argv = STRINGS("sh", "-c", "echo 'a b' > x");
    expect_good(&job, "sh -c 'echo '\\''a b'\\'' > x'");
}

static void hash_knows_its_algorithms(void **state) {
    (void)state;
    wire_job job = {
        .kind = WIRE_HASH, .output = "", .u.hash = {.paths = STRINGS("a b", "c"), .algorithm = ""}};
    expect_good(&job, "sha256 'a b' c");
    job.u.hash.algorithm = "blake2b512";
    expect_good(&job, "blake2b512 'a b' c");
    job.u.hash.algorithm = "sha257";
    EXPECT_BAD(&job, "algorithm:", "\"sha257\"", "sha256", "blake2b512");
    job.u.hash = (typeof(job.u.hash)){.algorithm = "md5"};
    EXPECT_BAD(&job, "paths:", "no file");
    job.u.hash.paths = STRINGS("a", "");
    EXPECT_BAD(&job, "paths:", "\"\"");
}

static void cpu_wants_work(void **state) {
    (void)state;
    wire_job job = {.kind = WIRE_CPU, .output = "", .u.cpu.units = 0};
    EXPECT_BAD(&job, "units:", "\"0\"");
    job.u.cpu.units = 1;
    expect_good(&job, "1 unit");
    job.u.cpu.units = UINT64_MAX;
    expect_good(&job, "18446744073709551615 units");
}

static wire_bytes bytes_of(const char *text) {
    return (wire_bytes){(const uint8_t *)text, strlen(text)};
}

static wire_job lua_job(const char *program) {
    return (wire_job){
        .kind = WIRE_LUA, .output = "", .u.lua = {.program = program, .code = bytes_of("print(1)")}};
}

static void lua_takes_source_text_below_the_scripts_folder(void **state) {
    (void)state;
    static const char *const bad[] = {"/etc/x.lua", "../x.lua", "a/../b.lua", "a/..", "..", "a\nb.lua"};
    wire_script_file file = {"lib/a.lua", bytes_of("return {}")};
    wire_job job = lua_job("fetch.lua");
    job.u.lua.args = STRINGS("a b", "c");
    job.u.lua.files = &file;
    job.u.lua.file_count = 1;
    expect_good(&job, "fetch.lua 'a b' c");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        file.name = bad[i];
        EXPECT_BAD(&job, "file: \"");
        wire_job program = lua_job(bad[i]);
        EXPECT_BAD(&program, "program: \"");
    }
    file.name = "..a/b..c/...lua";
    expect_good(&job, "fetch.lua 'a b' c");
    file.code = bytes_of("\033Lua\124");
    EXPECT_BAD(&job, "file: \"..a/b..c/...lua\" is compiled");
    job = lua_job("fetch.lua");
    job.u.lua.code = bytes_of("#!/usr/bin/lua\n\033Lua\124");
    EXPECT_BAD(&job, "program: \"fetch.lua\" is compiled");
    job.u.lua.code = bytes_of("#!/usr/bin/lua");
    expect_good(&job, "fetch.lua");
    job.u.lua.code = (wire_bytes){(const uint8_t *)"a\0b", 3};
    EXPECT_BAD(&job, "program: \"fetch.lua\" holds a NUL byte");
    job.u.lua.code = (wire_bytes){0};
    expect_good(&job, "fetch.lua");
    job.output = "x.log";
    EXPECT_BAD(&job, "output:", "\"x.log\"");
}

static void lua_asks_for_no_more_than_the_service_gives(void **state) {
    (void)state;
    kind_settings settings = {.http_connections = 1,
                              .script_memory = {1 << 20, 2 << 20},
                              .script_cpu = {0, HD_SECONDS(2)},
                              .script_output = {100, 1000},
                              .script_tasks = {0, 0}};
    assert_int_equal(kinds_init(&settings), 0);
    wire_job job = lua_job("x.lua");
    job.u.lua.memory_bytes = 2 << 20;
    job.u.lua.cpu_ns = HD_SECONDS(2);
    job.u.lua.output_bytes = 1000;
    job.u.lua.tasks = UINT64_MAX;
    expect_good(&job, "x.lua");
    job.u.lua.output_bytes = 1001;
    EXPECT_BAD(&job, "max-output: 1001 is more than", "(script_output_max is 1000)");
    job.u.lua.cpu_ns = HD_SECONDS(3);
    EXPECT_BAD(&job, "max-cpu: 3s is more than", "(script_cpu_max is 2s)");
    job.u.lua.memory_bytes = 1 << 30;
    EXPECT_BAD(&job, "max-memory: 1GiB is more than", "(script_memory_max is 2MiB)");
    kinds_fini();
    assert_int_equal(kinds_init(&(kind_settings){.http_connections = 1}), 0);
    expect_good(&job, "x.lua");
    kinds_fini();
}

static void http_takes_http_urls_only(void **state) {
    (void)state;
    static const char *const bad[] = {"ftp://x", "file:///etc/passwd", "/just/a/path", "http://",
                                      "",        "http://a b/",        "http://[::1",  "gopher://x",
                                      "x",       "http://x:99999/",    "http://x/\ny"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wire_job job = http_job(bad[i]);
        EXPECT_BAD(&job, "url: \"");
    }
    wire_job job = http_job("ftp://x");
    EXPECT_BAD(&job, "url: \"ftp://x\" is not http:// or https://");
    job = http_job("http://127.0.0.1:80/a?b=c&d=%20#e");
    expect_good(&job, "'http://127.0.0.1:80/a?b=c&d=%20#e'");
    job = http_job("HTTPS://[::1]/");
    expect_good(&job, "'HTTPS://[::1]/'");
}

static void http_shows_its_method_and_no_password(void **state) {
    (void)state;
    wire_job job = http_job("http://me:secret@x/y@z:1");
    expect_good(&job, "'http://me:***@x/y@z:1'");
    job = http_job("http://me@x/");
    expect_good(&job, "http://me@x/");
    job = http_job("http://x/");
    job.u.http.method = "DELETE";
    expect_good(&job, "DELETE http://x/");
    job.u.http.method = "";
    job.u.http.body = (wire_bytes){.data = (const uint8_t *)"x", .length = 1};
    expect_good(&job, "POST http://x/");
}

static void http_methods_and_headers_cannot_smuggle(void **state) {
    (void)state;
    wire_job job = http_job("http://x/");
    job.u.http.method = "GET / HTTP/1.1\r\nX: y";
    EXPECT_BAD(&job, "method:", "\\r\\n");
    job.u.http.method = "HEAD";
    job.u.http.body = (wire_bytes){.data = (const uint8_t *)"x", .length = 1};
    EXPECT_BAD(&job, "method:", "\"HEAD\"", "no body");
    job = http_job("http://x/");
    static const char *const bad[] = {"NoColon", ": value", "Bad Name: x", "X: a\r\nY: b", "X: a\nY: b", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        job.u.http.headers = STRINGS("A: b", bad[i]);
        EXPECT_BAD(&job, "header: \"");
    }
    static const char *const framing[] = {"Content-Length: 0", "transfer-encoding: chunked",
                                          "CONTENT-LENGTH:",   "Connection: upgrade",
                                          "Upgrade: h2c",      "TE: trailers",
                                          "Trailer: X"};
    for (size_t i = 0; i < sizeof framing / sizeof framing[0]; i++) {
        job.u.http.headers = STRINGS("A: b", framing[i]);
        EXPECT_BAD(&job, "header: \"", "cannot be set");
    }
    job.u.http.headers = STRINGS("A: b", "X-Empty:", "X-Spaced:   c", "Content-Length-X: 1");
    expect_good(&job, "http://x/");
    job.u.http.headers = (wire_strings){0};
    job.u.http.method = "Connect";
    EXPECT_BAD(&job, "method:", "\"Connect\"");
}

static void http_numbers_are_within_reason(void **state) {
    (void)state;
    wire_job job = http_job("http://x/");
    job.u.http.expect = 99;
    EXPECT_BAD(&job, "expect: \"99\"");
    job.u.http.expect = 600;
    EXPECT_BAD(&job, "expect: \"600\"");
    job.u.http.expect = 404;
    expect_good(&job, "http://x/");
    job.u.http.redirects = 51;
    EXPECT_BAD(&job, "redirects: \"51\"", "50");
}

static void http_proxies_have_a_scheme(void **state) {
    (void)state;
    wire_job job = http_job("http://x/");
    static const char *const bad[] = {"127.0.0.1:80", "ftp://x", "http://", "socks5://"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        job.u.http.proxy = bad[i];
        EXPECT_BAD(&job, "proxy: \"", "http://HOST:PORT");
    }
    job.u.http.proxy = "socks5h://p:1080";
    expect_good(&job, "http://x/");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_in_the_table_under_its_own_name),
        cmocka_unit_test(sleep_is_delayed_by_its_duration),
        cmocka_unit_test(an_output_file_is_for_exec_and_http_only),
        cmocka_unit_test(exec_wants_a_command),
        cmocka_unit_test(hash_knows_its_algorithms),
        cmocka_unit_test(cpu_wants_work),
        cmocka_unit_test(lua_takes_source_text_below_the_scripts_folder),
        cmocka_unit_test(lua_asks_for_no_more_than_the_service_gives),
        cmocka_unit_test(http_takes_http_urls_only),
        cmocka_unit_test(http_shows_its_method_and_no_password),
        cmocka_unit_test(http_methods_and_headers_cannot_smuggle),
        cmocka_unit_test(http_numbers_are_within_reason),
        cmocka_unit_test(http_proxies_have_a_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
