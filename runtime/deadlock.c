#include "deadlock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOLD_MOST = 32 };

typedef struct telling {
    const hd_sim *sim;
    unsigned count;
} telling;

static bool tell(const hd_task_info *info, void *arg) {
    telling *self = arg;
    if (++self->count > TOLD_MOST)
        return true;
    fprintf(stderr, "heddle:   task %" PRIu64 " \"%s\" ", hd_sim_relative_id(self->sim, info->id),
            info->name);
    if (info->state != HD_TASK_WAITING)
        fprintf(stderr, "is %s\n", hd_task_state_name(info->state));
    else if (info->waits_for == HD_WAITS_TASK && info->waits_detail)
        fprintf(stderr, "waits for task %" PRIu64 "\n", hd_sim_relative_id(self->sim, info->waits_detail));
    else
        fprintf(stderr, "waits for a %s\n", hd_wait_kind_name(info->waits_for));
    return true;
}

static void tell_all(hd_runtime *runtime, const char *what) {
    telling all = {.sim = runtime->sim};
    fprintf(stderr, "heddle: simulated runtime \"%s\", seed %" PRIu64 ": %s\n", runtime->name,
            hd_sim_seed(runtime->sim), what);
    hd_runtime_tasks(runtime, tell, &all);
    if (all.count > TOLD_MOST)
        fprintf(stderr, "heddle:   and %u more\n", all.count - TOLD_MOST);
}

void hd_deadlock_report(hd_runtime *runtime) {
    tell_all(runtime, "deadlock: every task waits, and nothing will wake one");
}

void hd_deadlock_end(hd_runtime *runtime) {
    tell_all(runtime, "deadlock, and tasks that were cancelled wait on");
    abort();
}
