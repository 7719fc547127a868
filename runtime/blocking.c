/* Calls that block: the caller's side of the pool.
 *
 * hd_blocking returns only when its call has ended, or will never run: so `arg`, and the record of the call, may lie on
 * the caller's stack. A call that is still queued when its caller is cancelled is withdrawn; one that runs is not left,
 * save by hd_blocking_abandon, whose record is on the heap and then the pool's to free. Whoever has the record when the
 * call is over disposes of `arg`, if its thread did not. */
#include "crew.h"
#include "pool.h"
#include "sys.h"

/* Gets the call into the queue; when that is full, waits for room. */
static int call_submit(hd_lane *lane, hd_call *call, hd_pool_class pool_class) {
    hd_lock_acquire(&lane->lock);
    bool queued = hd_lane_append(lane, call);
    if (!queued) {
        hd_lock_release(&lane->lock);
        hd_lane_lock_both(lane);
        queued = hd_lane_append_or_line(lane, call);
        hd_lock_release(&lane->front_lock);
    }
    if (!queued) {
        hd_waiter waiter = {.data = call};
        return hd_wait_in_line(&lane->lock, &lane->line, &waiter, HD_WAITS_POOL, pool_class, HD_NEVER);
    }
    hd_crew_choice choice = hd_crew_choose(lane);
    hd_lock_release(&lane->lock);
    hd_crew_send(lane, choice);
    return 0;
}

/* Leaves a call, if it can be left: WITHDRAWN, or ABANDONED and not the caller's any more. */
static hd_call_state call_leave(hd_lane *lane, hd_call *call) {
    hd_lane_lock_both(lane);
    /* relaxed: it becomes TAKEN under the lock, and what comes after that is for the exchange to see */
    uint32_t state = atomic_load_explicit(&call->state, memory_order_relaxed);
    if (state == HD_CALL_QUEUED) {
        hd_lane_withdraw(lane, call);
        state = HD_CALL_WITHDRAWN;
    } else if (state == HD_CALL_TAKEN && call->may_abandon &&
               /* acq_rel: the thread that ends it sees what its caller did; or else it ended before [K1] */
               atomic_compare_exchange_strong_explicit(&call->state, &state, HD_CALL_ABANDONED,
                                                       memory_order_acq_rel, memory_order_relaxed)) {
        state = HD_CALL_ABANDONED;
    }
    hd_lane_unlock_both(lane);
    return (hd_call_state)state;
}

/* Awaits that a submitted call is ENDED, WITHDRAWN or ABANDONED. */
static hd_call_state call_await(hd_lane *lane, hd_call *call, hd_pool_class pool_class) {
    hd_task *self = call->task;
    for (;;) {
        /* acquire: with the end comes the result [K1] */
        if (atomic_load_explicit(&call->state, memory_order_acquire) == HD_CALL_ENDED) {
            if (call->leads)
                hd_lane_collect(lane);
            return HD_CALL_ENDED;
        }
        if (hd_task_interrupted(self)) {
            hd_call_state left = call_leave(lane, call);
            if (left == HD_CALL_WITHDRAWN || left == HD_CALL_ABANDONED)
                return left;
        }
        hd_task_park(self, HD_WAITS_POOL, pool_class);
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
    call->pinned = hd_task_is_pinned(self);
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
    hd_call *call = hd_sys_zalloc_aligned(HD_CACHE_LINE, sizeof *call);
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
