/* Calls that block: the caller's side of the pool.
 *
 * hd_blocking returns only when its call has ended, or will never run: so `arg`, and the record of the call, may lie on
 * the caller's stack. A call that is still queued when its caller is cancelled is withdrawn; one that runs is not left,
 * save by hd_blocking_abandon, whose record is on the heap and then the pool's to free. Whoever has the record when the
 * call is over disposes of `arg`, if its thread did not. */
#include "lane.h"
#include "pool.h"
#include "sys.h"

/* Gets the call to a thread or into the queue; when that is full, waits for room. */
static int call_submit(hd_lane *lane, hd_call *call, hd_pool_class pool_class) {
    hd_lock_acquire(&lane->lock);
    hd_pool_thread *idle = hd_lane_rouse(lane);
    if (idle) {
        call->state = HD_CALL_TAKEN;
        idle->given = call;
        hd_lock_release(&lane->lock);
        sem_post(&idle->post);
        return 0;
    }
    if (lane->queued >= lane->queue_max) {
        hd_waiter waiter = {.data = call};
        return hd_wait_in_line(&lane->lock, &lane->line, &waiter, HD_WAITS_POOL, pool_class, HD_NEVER);
    }
    hd_lane_push(lane, call);
    bool start = hd_lane_wants_thread(lane);
    hd_lock_release(&lane->lock);
    if (start)
        hd_lane_start(lane);
    return 0;
}

/* Leaves a call that has not ended, if it can be left. Under the lock. */
static void call_leave(hd_lane *lane, hd_call *call) {
    if (call->state == HD_CALL_QUEUED) {
        hd_lane_remove(lane, call);
        call->state = HD_CALL_WITHDRAWN;
    } else if (call->may_abandon) {
        call->state = HD_CALL_ABANDONED;
    }
}

/* Awaits that a submitted call is ENDED, WITHDRAWN or ABANDONED. */
static hd_call_state call_await(hd_lane *lane, hd_call *call, hd_pool_class pool_class) {
    hd_task *self = call->task;
    for (;;) {
        hd_lock_acquire(&lane->lock);
        if (call->state != HD_CALL_ENDED && hd_task_interrupted(self))
            call_leave(lane, call);
        hd_call_state state = call->state;
        hd_lock_release(&lane->lock);
        if (state >= HD_CALL_ENDED)
            return state;
        hd_task_park(HD_WAITS_POOL, pool_class);
    }
}

/* The whole of a call for the calling task. Once `*state` is ABANDONED, the call is not the caller's any more. */
static int64_t call_perform(hd_call *call, hd_pool_class pool_class, hd_call_state *state) {
    *state = HD_CALL_WITHDRAWN;
    int code = hd_task_checkpoint_outside();
    if (!code && (unsigned)pool_class >= HD_POOL_CLASSES)
        code = HD_EINVAL;
    if (code)
        return code;
    hd_task *self = hd_task_self();
    hd_lane *lane = hd_pool_lane(hd_runtime_pool(self->runtime), pool_class);
    hd_list_init(&call->link);
    call->task = self;
    hd_task_retain(self);
    code = call_submit(lane, call, pool_class);
    if (!code)
        *state = call_await(lane, call, pool_class);
    if (*state == HD_CALL_ENDED)
        return call->result;
    if (*state == HD_CALL_WITHDRAWN)
        hd_task_release(self);
    return HD_ECANCELED;
}

int64_t hd_blocking(hd_pool_class pool_class, hd_fn fn, void *arg) {
    hd_call call = {.fn = fn, .arg = arg};
    return call_perform(&call, pool_class, &(hd_call_state){0});
}

int64_t hd_blocking_abandon(hd_pool_class pool_class, hd_fn fn, void *arg, void (*dispose)(void *)) {
    hd_call *call = hd_sys_zalloc(sizeof *call);
    if (!call) {
        if (dispose)
            dispose(arg);
        return HD_ENOMEM;
    }
    *call = (hd_call){.fn = fn, .arg = arg, .dispose = dispose, .may_abandon = true};
    hd_call_state state;
    int64_t result = call_perform(call, pool_class, &state);
    if (state == HD_CALL_ABANDONED)
        return result;
    if (call->dispose)
        call->dispose(arg);
    hd_sys_free(call);
    return result;
}
