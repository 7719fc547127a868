/* What other threads leave for the strand. */
#include "strand.h"

bool inbox_init(strand *self) {
    self->arrived = hd_event_create();
    self->inbox_end = &self->inbox;
    return self->arrived && pthread_mutex_init(&self->inbox_lock, NULL) == 0;
}

void inbox_fini(strand *self) {
    if (!self->arrived)
        return;
    pthread_mutex_lock(&self->inbox_lock); /* whoever posted last is out of it then */
    pthread_mutex_unlock(&self->inbox_lock);
    pthread_mutex_destroy(&self->inbox_lock);
    hd_event_destroy(self->arrived);
}

void strand_post(strand *self, post *post) {
    post->next = NULL;
    pthread_mutex_lock(&self->inbox_lock);
    bool first = self->inbox == NULL;
    *self->inbox_end = post;
    self->inbox_end = &post->next;
    if (first)
        hd_event_set(self->arrived);
    pthread_mutex_unlock(&self->inbox_lock);
}

static post *take_all(strand *self) {
    pthread_mutex_lock(&self->inbox_lock);
    post *first = self->inbox;
    if (first) {
        self->inbox = NULL;
        self->inbox_end = &self->inbox;
        hd_event_clear(self->arrived);
    }
    pthread_mutex_unlock(&self->inbox_lock);
    return first;
}

void inbox_take(strand *self) {
    if (self->held == 0) /* nobody may post */
        return;
    for (post *next, *posted = take_all(self); posted; posted = next) {
        next = posted->next;
        posted->run(self, posted);
    }
}

int inbox_wait(strand *self, uint64_t deadline_ns) {
    return hd_event_wait(self->arrived, deadline_ns);
}

void strand_hold(strand *self) {
    self->held++;
}

void strand_unhold(strand *self) {
    self->held--;
}
