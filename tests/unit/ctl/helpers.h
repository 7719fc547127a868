/* A service for tests: answers requests by a function, on a thread of its own, over an ipc socket in a folder of its own. */
#ifndef TEST_CTL_HELPERS_H
#define TEST_CTL_HELPERS_H

#include "wire.h"

#include <stdbool.h>

struct fake_service;

/* Fills in *reply; false: no answer at all. Runs on the service's thread: no assertions there. */
typedef bool fake_answer(const wire_request *request, wire_reply *reply, void *arg);

struct fake_service *fake_service_start(fake_answer *answer, void *arg);
const char *fake_service_url(const struct fake_service *service);
/* The connection breaks, as when the service dies; nothing answers any more. */
void fake_service_kill(struct fake_service *service);
void fake_service_stop(struct fake_service *service);

#endif
