/* See compare_load.h. Both files count in ticks (proc(5)), a hundredth of a second, which is fine enough for seconds. */
#include "compare_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool compare_load_parse_machine(const char *text, uint64_t *ticks) {
    uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
    if (sscanf(text,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64,
               &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 8)
        return false;
    *ticks = user + nice + system + irq + softirq + steal;
    return true;
}

bool compare_load_parse_process(const char *text, uint64_t *ticks) {
    const char *behind_name = strrchr(text, ')'); /* the name may hold anything, also parentheses */
    uint64_t user, system;
    int64_t children_user, children_system;
    if (!behind_name ||
        sscanf(behind_name + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64,
               &user, &system, &children_user, &children_system) != 4)
        return false;
    *ticks = user + system + (uint64_t)children_user + (uint64_t)children_system;
    return true;
}

static bool read_ticks(const char *path, bool (*parse)(const char *text, uint64_t *ticks), uint64_t *ticks) {
    char text[1024];
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return parse(text, ticks);
}

compare_load compare_load_now(uint32_t service_pid) {
    char path[64];
    uint64_t machine, service, self;
    snprintf(path, sizeof path, "/proc/%" PRIu32 "/stat", service_pid);
    if (!read_ticks("/proc/stat", compare_load_parse_machine, &machine) ||
        !read_ticks(path, compare_load_parse_process, &service) ||
        !read_ticks("/proc/self/stat", compare_load_parse_process, &self))
        return (compare_load){.known = false};
    return (compare_load){.known = true, .machine = machine, .ours = service + self};
}

double compare_load_others(const compare_load *before, const compare_load *after, uint64_t wall_ns) {
    if (!before->known || !after->known || wall_ns == 0)
        return -1;
    double all = (double)(after->machine - before->machine), ours = (double)(after->ours - before->ours);
    double wall_ticks = (double)wall_ns / 1e9 * (double)sysconf(_SC_CLK_TCK);
    double others = all > ours ? (all - ours) / wall_ticks : 0;
    double cores = (double)sysconf(_SC_NPROCESSORS_ONLN); /* ticks are coarse in short runs */
    return others < cores ? others : cores;
}
