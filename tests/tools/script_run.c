/* Runs a script without the service, for tests: what it prints goes to stdout and stderr.
 *
 * usage: script_run [--single] [--loops N] [--virtual] [--memory BYTES] [--tasks N] [--descriptors N] [--cpu SECONDS] [--output BYTES]
 *                   [--timeout SECONDS] [--grace SECONDS] [--report] [--module NAME=FILE]... FILE [ARG...]
 *
 * Exits with 0; 1: it failed (then its error and traceback are on stderr); 2: usage; 3: it was cancelled, by --timeout.
 * --report: what was found besides on stderr, a line each, and a last line of figures. */
#include "script.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODULES = 64 };

static struct {
    hd_runtime_options runtime;
    script_options script;
    script_file modules[MODULES];
    uint64_t timeout_ns;
    bool tells;
} set = {.script.grace_ns = HD_SECONDS(5), .timeout_ns = HD_NEVER};

static void die(const char *what) {
    perror(what);
    exit(2);
}

static script_file read_file(const char *name, const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status))
        die(path);
    size_t bytes = (size_t)status.st_size, used = 0;
    char *code = malloc(bytes + 1);
    for (ssize_t got; used < bytes && (got = read(fd, code + used, bytes - used)) > 0;)
        used += (size_t)got;
    close(fd);
    return (script_file){.name = name, .code = code, .bytes = used};
}

static int write_out(void *arg, bool is_stderr, const void *bytes, size_t length) {
    (void)arg;
    const char *next = bytes;
    while (length) {
        ssize_t written = write(is_stderr ? STDERR_FILENO : STDOUT_FILENO, next, length);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            next += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

static void tell(const script_report *report) {
    for (size_t i = 0; i < report->finding_count; i++) {
        const script_finding *found = &report->findings[i];
        const char *text = found->text ? found->text : "";
        fprintf(stderr, "%s: %s%s%.*s\n", found->kind == SCRIPT_NOT_AWAITED ? "not awaited" : "still ran",
                found->task, *text ? ": " : "", (int)strcspn(text, "\n"), text);
    }
    if (report->more_findings)
        fprintf(stderr, "and %zu more\n", report->more_findings);
    fprintf(stderr, "report: %llu tasks, %zu bytes at most\n", (unsigned long long)report->tasks,
            report->memory_peak_bytes);
}

static int64_t strand(void *arg) {
    script_report report;
    (void)arg;
    int result = script_run(&set.script, &report);
    if (result == SCRIPT_FAILED)
        fprintf(stderr, "error: %s\n%s%s", report.error, report.traceback ? report.traceback : "",
                report.traceback ? "\n" : "");
    if (set.tells)
        tell(&report);
    script_report_free(&report);
    return result;
}

static int64_t root(void *arg) {
    (void)arg;
    hd_task *task =
        hd_spawn_with(&(hd_spawn_options){.name = "script", .stack_bytes = SCRIPT_STACK_BYTES}, strand, NULL);
    if (!task)
        return -errno;
    int64_t result = hd_await_until(task, set.timeout_ns == HD_NEVER ? HD_NEVER : hd_after(set.timeout_ns));
    hd_release(task);
    return result;
}

static uint64_t seconds(const char *text) {
    return (uint64_t)(strtod(text, NULL) * 1e9);
}

static void add_module(char *text) {
    char *equals = strchr(text, '=');
    if (!equals || set.script.file_count == MODULES) {
        fprintf(stderr, "script_run: --module NAME=FILE, at most %d\n", MODULES);
        exit(2);
    }
    *equals = '\0';
    set.modules[set.script.file_count++] = read_file(text, equals + 1);
}

static void parse(int argc, char **argv) {
    enum { SINGLE, LOOPS, VIRTUAL, MEMORY, TASKS, DESCRIPTORS, CPU, OUTPUT, TIMEOUT, GRACE, REPORT, MODULE };
    static const struct option options[] = {
        {"single", no_argument, 0, SINGLE},
        {"loops", required_argument, 0, LOOPS},
        {"virtual", no_argument, 0, VIRTUAL},
        {"memory", required_argument, 0, MEMORY},
        {"tasks", required_argument, 0, TASKS},
        {"cpu", required_argument, 0, CPU},
        {"output", required_argument, 0, OUTPUT},
        {"timeout", required_argument, 0, TIMEOUT},
        {"grace", required_argument, 0, GRACE},
        {"report", no_argument, 0, REPORT},
        {"module", required_argument, 0, MODULE},
        {"descriptors", required_argument, 0, DESCRIPTORS},
        {0, 0, 0, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        switch (option) {
        case SINGLE: set.runtime.loops = 1; break;
        case LOOPS: set.runtime.loops = (unsigned)atoi(optarg); break;
        case VIRTUAL: set.script.virtual_clock = true; break;
        case MEMORY: set.script.memory_bytes = strtoull(optarg, NULL, 0); break;
        case TASKS: set.script.tasks = strtoull(optarg, NULL, 0); break;
        case DESCRIPTORS: set.script.descriptors = strtoull(optarg, NULL, 0); break;
        case CPU: set.script.cpu_ns = seconds(optarg); break;
        case OUTPUT: set.script.output_bytes = strtoull(optarg, NULL, 0); break;
        case TIMEOUT: set.timeout_ns = seconds(optarg); break;
        case GRACE: set.script.grace_ns = seconds(optarg); break;
        case REPORT: set.tells = true; break;
        case MODULE: add_module(optarg); break;
        default: exit(2);
        }
    }
    if (optind == argc) {
        fprintf(stderr, "usage: script_run [OPTION...] FILE [ARG...]\n");
        exit(2);
    }
    const char *slash = strrchr(argv[optind], '/');
    set.script.program = read_file(slash ? slash + 1 : argv[optind], argv[optind]);
    set.script.files = set.modules;
    set.script.args = (const char *const *)argv + optind + 1;
    set.script.arg_count = (size_t)(argc - optind - 1);
    set.script.write = write_out;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    parse(argc, argv);
    int64_t result = hd_run(&set.runtime, root, NULL);
    free((void *)set.script.program.code);
    for (size_t i = 0; i < set.script.file_count; i++)
        free((void *)set.modules[i].code);
    return result >= 0 ? 0 : result == HD_ECANCELED || result == HD_ETIMEDOUT ? 3 : 1;
}
