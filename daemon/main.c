/* heddled: the command line, the process, and then service.c. */
#include "log.h"
#include "options.h"
#include "service.h"
#include "socket_path.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Descriptors for thousands of commands and connections. Jobs inherit the limit, and programs that close all descriptors
 * up to it are slow with a limit of a million, and programs that use select() break beyond 1,024 only if they open as
 * many. So: not all that is allowed. */
enum { DESCRIPTORS = 65536, LARGE_ALLOCATION = 128 << 10 };

static void raise_limits(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    rlim_t wanted = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warning("the limit of descriptors stays low");
}

/* True if the settings make sense together. */
static bool check(const struct config *config) {
    char error[CONFIG_ERROR_MAX];
    if (!*config->listen || socket_path(config->listen, error, sizeof error))
        return true;
    fprintf(stderr, "heddled: %s\n", error);
    return false;
}

static int run(struct options *options) {
    struct config config;
    char error[CONFIG_ERROR_MAX];
    if (!config_load(&config, &options->sources, error)) {
        fprintf(stderr, "heddled: %s\n", error);
        return 2;
    }
    bool good = check(&config);
    if (!good || options->check_only) {
        config_free(&config);
        return good ? 0 : 2;
    }
    log_set_level(config.log_level);
    umask(027);
    signal(SIGPIPE, SIG_IGN);
    raise_limits();
    /* A fixed limit: glibc's grows with what is freed, and then large buffers leave holes. */
    mallopt(M_MMAP_THRESHOLD, LARGE_ALLOCATION);
    if (service_block_signals() != 0) {
        log_error("signals cannot be blocked");
        config_free(&config);
        return 1;
    }
    return service_run(&config, &options->sources);
}

/* A stream that the caller closed is filled: else the next descriptor that is opened takes its number, and the log goes
 * there. */
static bool fill_closed_streams(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

/* What the service was started with beyond its streams is none of its jobs' business. (Kernels before 5.11 cannot.) */
static void keep_descriptors_from_jobs(void) {
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

int main(int argc, char **argv) {
    struct options options;
    if (!fill_closed_streams())
        return 1;
    keep_descriptors_from_jobs();
    int result = options_parse(&options, argc, argv);
    if (result < 0)
        result = run(&options);
    options_free(&options);
    return result;
}
