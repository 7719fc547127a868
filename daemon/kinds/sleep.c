/* sleep: a job that only waits. Its root task is not started before the time has come, so a million of them cost
 * records, and no stack. */
#include "kinds.h"

#include <stdio.h>

static bool sleep_check(const wire_job *job, char *error, size_t error_bytes) {
    return kinds_no_output_file(job, error, error_bytes);
}

static void sleep_summary(const wire_job *job, char *text, size_t bytes) {
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = {{HD_SECONDS(3600), "h"}, {HD_SECONDS(60), "m"}, {HD_SECONDS(1), "s"},
                 {HD_MS(1), "ms"},        {HD_US(1), "us"},      {1, "ns"}};
    uint64_t duration_ns = job->u.sleep.duration_ns;
    if (duration_ns == 0) {
        snprintf(text, bytes, "0s");
        return;
    }
    size_t i = 0;
    while (duration_ns % units[i].ns)
        i++;
    snprintf(text, bytes, "%llu%s", (unsigned long long)(duration_ns / units[i].ns), units[i].name);
}

static uint64_t sleep_delay_ns(const wire_job *job) {
    return job->u.sleep.duration_ns;
}

/* All is over by now; or the task was cancelled, and runs to meet that here. */
static int64_t sleep_run(run *attempt) {
    (void)attempt;
    return hd_cancelled() ? HD_ECANCELED : 0;
}

const kind kind_sleep = {
    .kind = WIRE_SLEEP,
    .check = sleep_check,
    .summary = sleep_summary,
    .start_delay_ns = sleep_delay_ns,
    .run = sleep_run,
};
