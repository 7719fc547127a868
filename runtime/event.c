/* An event: a flag that tasks wait for. Who was there when it was set is through, also if it is cleared before they
 * run again. */
#include "sys.h"
#include "wait.h"

struct hd_event {
    hd_biased_lock lock; /* of the rest */
    hd_list line;        /* empty while it is set */
    bool set;
};

hd_event *hd_event_create(void) {
    hd_event *event = hd_sys_zalloc(sizeof *event);
    if (!event) {
        errno = ENOMEM;
        return NULL;
    }
    hd_biased_lock_init(&event->lock);
    hd_list_init(&event->line);
    return event;
}

void hd_event_destroy(hd_event *event) {
    hd_assert(!event || hd_list_empty(&event->line));
    hd_sys_free(event);
}

int hd_event_wait(hd_event *event, uint64_t deadline_ns) {
    int code = hd_task_checkpoint();
    if (code)
        return code;
    hd_lock_acquire(&event->lock.lock);
    if (!event->set)
        return hd_wait_for_lock(&event->lock.lock, &event->line, deadline_ns);
    hd_lock_release(&event->lock.lock);
    return 0;
}

void hd_event_set(hd_event *event) {
    hd_lock_acquire(&event->lock.lock);
    event->set = true;
    for (hd_waiter *waiter; (waiter = hd_waiter_first(&event->line));)
        hd_waiter_grant(waiter);
    hd_lock_release(&event->lock.lock);
}

void hd_event_clear(hd_event *event) {
    hd_lock_acquire(&event->lock.lock);
    event->set = false;
    hd_lock_release(&event->lock.lock);
}

bool hd_event_is_set(hd_event *event) {
    hd_lock_acquire(&event->lock.lock);
    bool set = event->set;
    hd_lock_release(&event->lock.lock);
    return set;
}
