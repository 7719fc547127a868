#include "turns.h"

void turns_init(turns *self) {
    pthread_mutex_init(&self->lock, NULL);
    self->first = NULL;
    self->end = &self->first;
}

void turns_fini(turns *self) {
    pthread_mutex_destroy(&self->lock);
}

bool turns_join(turns *self, turn *turn) {
    turn->come = hd_event_create();
    if (!turn->come)
        return false;
    pthread_mutex_lock(&self->lock);
    turn->next = NULL;
    *self->end = turn;
    self->end = &turn->next;
    if (self->first == turn)
        hd_event_set(turn->come);
    pthread_mutex_unlock(&self->lock);
    return true;
}

int turns_wait(turn *turn) {
    return hd_event_wait(turn->come, HD_NEVER);
}

void turns_leave(turns *self, turn *leaver) {
    if (!leaver->come)
        return;
    pthread_mutex_lock(&self->lock);
    turn **link = &self->first;
    while (*link != leaver)
        link = &(*link)->next;
    *link = leaver->next;
    if (!leaver->next)
        self->end = link;
    if (self->first)
        hd_event_set(self->first->come);
    pthread_mutex_unlock(&self->lock);
    hd_event_destroy(leaver->come);
    leaver->come = NULL;
}

bool turns_idle(turns *self) {
    pthread_mutex_lock(&self->lock);
    bool idle = !self->first;
    pthread_mutex_unlock(&self->lock);
    return idle;
}
