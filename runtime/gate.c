#include "gate.h"

void hd_gate_init(hd_gate *gate) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    gate->inside = 0;
    gate->refusing = false;
}

void hd_gate_fini(hd_gate *gate) {
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

HD_NOINLINE int hd_gate_enter(hd_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    int result = gate->refusing ? HD_ESHUTDOWN : 0;
    gate->inside += result == 0;
    pthread_mutex_unlock(&gate->lock);
    return result;
}

HD_NOINLINE void hd_gate_leave(hd_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    if (--gate->inside == 0)
        pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void hd_gate_shut(hd_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->refusing = true;
    pthread_mutex_unlock(&gate->lock);
}

bool hd_gate_is_empty(hd_gate *gate) {
    pthread_mutex_lock(&gate->lock);
    bool empty = gate->inside == 0;
    pthread_mutex_unlock(&gate->lock);
    return empty;
}

bool hd_gate_wait_empty(hd_gate *gate, uint64_t deadline_ns) {
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                .tv_nsec = (long)(deadline_ns % 1000000000u)};
    bool timed_out = false;
    pthread_mutex_lock(&gate->lock);
    while (gate->inside > 0 && !timed_out) {
        if (deadline_ns == HD_NEVER)
            pthread_cond_wait(&gate->changed, &gate->lock);
        else
            timed_out = pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline) == ETIMEDOUT;
    }
    bool empty = gate->inside == 0;
    pthread_mutex_unlock(&gate->lock);
    return empty;
}
