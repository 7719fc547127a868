/* cpu: a known amount of computation, for comparing runtimes and machines.
 *
 * One unit is UNIT_STEPS steps of xorshift64* (Marsaglia, Vigna): about a millisecond of one core. The state starts at
 * SEED and runs through all units in a row; the checksum is the exclusive or of all outputs. So the same number of units is
 * the same work and gives the same checksum everywhere, and no compiler can leave any of it out.
 *
 * Between units the task lets others run, as a well-mannered program would. */
#include "kinds.h"

#include <inttypes.h>
#include <stdio.h>

enum { UNIT_STEPS = 600000 };
#define SEED       UINT64_C(0x9e3779b97f4a7c15)
#define MULTIPLIER UINT64_C(0x2545f4914f6cdd1d)

static bool cpu_check(const wire_job *job, char *error, size_t error_bytes) {
    if (job->u.cpu.units == 0)
        return kinds_refuse(error, error_bytes, "units", "0",
                            "is no work (a unit is about a millisecond: try 1000)");
    return kinds_no_output_file(job, error, error_bytes);
}

static void cpu_summary(const wire_job *job, char *text, size_t bytes) {
    snprintf(text, bytes, "%" PRIu64 " unit%s", job->u.cpu.units, job->u.cpu.units == 1 ? "" : "s");
}

static uint64_t one_unit(uint64_t *state) {
    uint64_t x = *state, sum = 0;
    for (int i = 0; i < UNIT_STEPS; i++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        sum ^= x * MULTIPLIER;
    }
    *state = x;
    return sum;
}

static int64_t cpu_run(run *attempt) {
    uint64_t units = run_job(attempt)->u.cpu.units, state = SEED, sum = 0;
    for (uint64_t i = 0; i < units; i++) {
        int code = hd_yield();
        if (code)
            return code;
        sum ^= one_unit(&state);
    }
    char line[80];
    int length = snprintf(line, sizeof line, "units=%" PRIu64 " checksum=%016" PRIx64 "\n", units, sum);
    return run_write(attempt, false, line, (size_t)length);
}

const kind kind_cpu = {.kind = WIRE_CPU, .check = cpu_check, .summary = cpu_summary, .run = cpu_run};
