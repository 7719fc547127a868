/* See compare_workload.h. Each workload stresses one part of a runtime: the timers, waiting descriptors, computing, the
 * pool for calls that block. What differs from job to job follows from its number, so both runtimes get the very same. */
#include "compare_workload.h"

#include <link.h>
#include <string.h>
#include <sys/stat.h>

enum { HASH_BYTES = 16 << 20, HASH_FILES_MAX = 256, FETCHES_AT_ONCE = 100 };

static void timer_job(wire_job *job, size_t number, const struct workload_needs *needs) {
    (void)number, (void)needs;
    job->kind = WIRE_SLEEP;
    job->u.sleep.duration_ns = WORKLOAD_DELAY_MS * UINT64_C(1000000);
}

static void http_job(wire_job *job, size_t number, const struct workload_needs *needs) {
    (void)number;
    job->kind = WIRE_HTTP;
    job->u.http.url = needs->url;
    job->group = "http";
    job->parallel = FETCHES_AT_ONCE;
}

static void cpu_job(wire_job *job, size_t number, const struct workload_needs *needs) {
    (void)needs;
    job->kind = WIRE_CPU;
    job->u.cpu.units = 20 + number * 7 % 31; /* 20 to 50, neighbours unlike */
}

static void hash_job(wire_job *job, size_t number, const struct workload_needs *needs) {
    (void)number;
    job->kind = WIRE_HASH;
    job->u.hash.paths = needs->files;
}

/* Of 100: 75 timers, 20 fetches, 4 computations, 1 hash. */
static void mixed_job(wire_job *job, size_t number, const struct workload_needs *needs) {
    if (number % 25 == 0)
        cpu_job(job, number / 25, needs);
    else if (number % 100 == 1)
        hash_job(job, number, needs);
    else if (number % 5 == 2)
        http_job(job, number, needs);
    else
        timer_job(job, number, needs);
}

const struct workload workloads[WORKLOADS + 1] = {
    {"timers", "each sleeps 100 ms", 10000, false, timer_job},
    {"http", "each fetches from a server that answers after 100 ms; 100 at a time", 1000, true, http_job},
    {"cpu", "each computes for 20 to 50 ms", 64, false, cpu_job},
    {"blocking", "each hashes files of 16 MiB, on the pool for calls that block", 32, false, hash_job},
    {"mixed", "all of these together", 1000, true, mixed_job},
    {0}};

const struct workload *workload_find(const char *name) {
    for (const struct workload *workload = workloads; workload->name; workload++) {
        if (strcmp(workload->name, name) == 0)
            return workload;
    }
    return NULL;
}

const char *workload_name(unsigned index) {
    return index < WORKLOADS ? workloads[index].name : NULL;
}

wire_job *workload_jobs(const struct workload *workload, size_t count, const struct workload_needs *needs,
                        struct scratch *memory) {
    wire_job *jobs = scratch_alloc(memory, (count + 1) * sizeof *jobs);
    for (size_t i = 0; i < count; i++)
        workload->job(&jobs[i], i, needs);
    return jobs;
}

typedef struct largest {
    const char *path;
    off_t bytes;
} largest;

static int consider_library(struct dl_phdr_info *library, size_t size, void *arg) {
    (void)size;
    largest *found = arg;
    struct stat status;
    if (library->dlpi_name[0] != '/' || stat(library->dlpi_name, &status) < 0)
        return 0;
    bool readable = S_ISREG(status.st_mode) && (status.st_mode & S_IROTH);
    if (readable && status.st_size > found->bytes)
        *found = (largest){library->dlpi_name, status.st_size};
    return 0;
}

wire_strings workload_files(struct scratch *memory) {
    largest found = {"/proc/self/exe", HASH_BYTES}; /* of a static program: the service itself, once */
    largest library = {0};
    dl_iterate_phdr(consider_library, &library);
    if (library.bytes > 0)
        found = (largest){scratch_copy(memory, library.path, strlen(library.path)), library.bytes};
    size_t count = (size_t)((HASH_BYTES + found.bytes - 1) / found.bytes);
    count = count < HASH_FILES_MAX ? count : HASH_FILES_MAX;
    wire_strings files = {.items = scratch_alloc(memory, count * sizeof *files.items), .count = count};
    for (size_t i = 0; i < count; i++)
        files.items[i] = found.path;
    return files;
}
