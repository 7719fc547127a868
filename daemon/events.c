/* The ring. Its memory is touched as it fills. */
#include "events.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

bool events_init(struct events *events, size_t kept) {
    *events = (struct events){.kept = kept, .next = 1};
    events->ring = calloc(kept, sizeof *events->ring);
    events->arrived = hd_event_create();
    return events->ring && events->arrived;
}

void events_fini(struct events *events) {
    for (size_t i = 0; events->ring && i < events->kept; i++)
        free(events->ring[i].error);
    free(events->ring);
    hd_event_destroy(events->arrived);
    *events = (struct events){0};
}

void events_add(struct events *events, const struct job *job, wire_state from) {
    struct event *event = &events->ring[events->next++ % events->kept];
    free(event->error);
    *event = (struct event){
        .time_ns = text_epoch_ns(),
        .id = job->id,
        .uid = job->uid,
        .attempt = job->attempt,
        .from = (uint8_t)from,
        .to = job->state,
        .error = job->error ? strdup(job->error) : NULL, /* without memory the event has no text */
    };
    if (events->waiting)
        hd_event_set(events->arrived);
}

uint64_t events_oldest(const struct events *events) {
    return events->next > events->kept ? events->next - events->kept : 1;
}

const struct event *events_at(const struct events *events, uint64_t number) {
    return &events->ring[number % events->kept];
}

int events_wait(struct events *events, uint64_t number) {
    int result = 0;
    /* Between the look at `next` and the await nothing else runs on this loop: no event is missed. */
    while (!result && events->next <= number) {
        hd_event_clear(events->arrived);
        events->waiting++;
        result = hd_event_wait(events->arrived, HD_NEVER);
        events->waiting--;
    }
    return result;
}
