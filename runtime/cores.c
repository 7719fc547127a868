/* How many cores this process may really use: the smaller of its affinity and of the cpu.max of each cgroup (v2) above
 * it. Asking for more loops than that only makes them take turns. */
#include "base.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

static unsigned affinity_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    return 1;
}

/* The cores one cpu.max file allows, rounded up; UINT_MAX if it sets no limit or is not there. */
static unsigned quota_cores(const char *path) {
    unsigned long long quota, period;
    unsigned cores = UINT32_MAX;
    FILE *file = fopen(path, "re");
    if (!file)
        return cores;
    if (fscanf(file, "%llu %llu", &quota, &period) == 2 && period > 0)
        cores = (unsigned)((quota + period - 1) / period);
    fclose(file);
    return cores ? cores : 1;
}

/* This process's cgroup in the unified hierarchy: the line "0::/PATH". */
static bool own_cgroup(char *path, size_t bytes) {
    bool found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return false;
    while (!found && fgets(path, (int)bytes, file)) {
        if (strncmp(path, "0::/", 4) != 0)
            continue;
        path[strcspn(path, "\n")] = '\0';
        memmove(path, path + 3, strlen(path + 3) + 1);
        found = true;
    }
    fclose(file);
    return found;
}

unsigned hd_cores(void) {
    unsigned cores = affinity_cores();
    char group[2048], file[2304];
    if (!own_cgroup(group, sizeof group))
        return cores;
    for (;;) {
        snprintf(file, sizeof file, "/sys/fs/cgroup%s/cpu.max", group);
        unsigned allowed = quota_cores(file);
        cores = allowed < cores ? allowed : cores;
        char *slash = strrchr(group, '/');
        if (!slash || group[1] == '\0')
            return cores;
        slash[slash == group ? 1 : 0] = '\0';
    }
}
