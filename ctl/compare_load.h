/* How much of the machine's time went to others while something was measured: figures taken beside a compiler mean
 * little, and who reads them should be told. */
#ifndef CTL_COMPARE_LOAD_H
#define CTL_COMPARE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

/* Processor time used since some start, in ticks of the system. */
typedef struct compare_load {
    bool known;
    uint64_t machine; /* by all, on all cores, also by neighbours of a virtual machine */
    uint64_t ours;    /* by this program, the service, and the commands it ran */
} compare_load;

/* Reads both now. Unknown where /proc does not tell. */
compare_load compare_load_now(uint32_t service_pid);

/* How many cores others used between two readings, `wall_ns` apart; negative: unknown. */
double compare_load_others(const compare_load *before, const compare_load *after, uint64_t wall_ns);

/* The parsers: /proc/stat, and /proc/PID/stat. False: it is not that. */
bool compare_load_parse_machine(const char *text, uint64_t *ticks);
bool compare_load_parse_process(const char *text, uint64_t *ticks);

#endif
