/* Look-ups of host names.
 *
 * libcurl would look names up by itself, with a thread for each transfer that asks. A slow name server and a thousand
 * jobs make a thousand threads of that; so names are looked up here, before the transfer starts, and curl is told the
 * answer. The first who asks for a name starts the call; all who ask meanwhile wait for the entry. An entry whose call
 * failed, or was given up by a cancelled task before it ran, leaves the table with that: who waited for the latter asks again.
 *
 * Entries are in one list under one mutex, the newest first; what was looked up longest ago goes if there are too many. An
 * entry is held by the table, by its call, and by each who waits; whoever lets go last frees it. */
#include "http_names.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_NS HD_SECONDS(60)
enum { KEPT_MAX = 500 }; /* so that looking through them takes no time, and little memory */

typedef struct entry {
    struct entry *next; /* the lock */
    unsigned references;
    bool done, given_up;
    uint64_t expires_ns;
    int failure; /* of getaddrinfo */
    hd_event *ready;
    char *host; /* constant */
    char list[HTTP_NAMES_BYTES];
} entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry *entries;

/* Under the lock. */
static void entry_put(entry *self) {
    if (--self->references > 0)
        return;
    hd_event_destroy(self->ready);
    free(self->host);
    free(self);
}

/* Takes what is too old, or too much, and `gone` if it is there, out of the table. Under the lock. */
static void table_purge(uint64_t now_ns, const entry *gone) {
    size_t kept = 0;
    for (entry **link = &entries; *link;) {
        entry *self = *link;
        kept += self->done;
        if (self == gone || (self->done && (self->expires_ns <= now_ns || kept > KEPT_MAX))) {
            *link = self->next;
            entry_put(self);
        } else {
            link = &self->next;
        }
    }
}

/* The entry of `host`, with a reference for the caller; a new one, `*is_new`, has one for its call too. NULL: no memory.
 * Under the lock. */
static entry *table_find(const char *host, bool *is_new) {
    table_purge(hd_now(), NULL);
    for (entry *self = entries; self; self = self->next) {
        if (strcasecmp(self->host, host) == 0) {
            self->references++;
            return self;
        }
    }
    entry *self = calloc(1, sizeof *self);
    char *copy = strdup(host);
    hd_event *ready = hd_event_create();
    if (!self || !copy || !ready) {
        hd_event_destroy(ready);
        free(copy);
        free(self);
        return NULL;
    }
    *self = (entry){.next = entries, .references = 3, .host = copy, .ready = ready};
    entries = self;
    *is_new = true;
    return self;
}

/* ---- the call, on a pool thread ---- */

static void append_address(char *list, const struct addrinfo *address) {
    char text[64];
    size_t used = strlen(list);
    if (getnameinfo(address->ai_addr, address->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST))
        return;
    bool six = address->ai_family == AF_INET6;
    if (used + strlen(text) + 4 < HTTP_NAMES_BYTES)
        snprintf(list + used, HTTP_NAMES_BYTES - used, "%s%s%s%s", used ? "," : "", six ? "[" : "", text,
                 six ? "]" : "");
}

static void finish(entry *self, int failure, bool given_up) {
    pthread_mutex_lock(&lock);
    self->done = true;
    self->given_up = given_up;
    self->failure = failure;
    self->expires_ns = hd_after(KEPT_NS);
    if (failure || given_up)
        table_purge(0, self);
    hd_event_set(self->ready);
    pthread_mutex_unlock(&lock);
}

static int64_t look_up(void *arg) {
    entry *self = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int failure = getaddrinfo(self->host, NULL, &hints, &found);
    for (struct addrinfo *address = found; address; address = address->ai_next)
        append_address(self->list, address);
    if (found)
        freeaddrinfo(found);
    finish(self, failure, false);
    return 0;
}

/* After look_up; or without it, when the task that asked was cancelled in time. */
static void look_up_disposed(void *arg) {
    entry *self = arg;
    pthread_mutex_lock(&lock);
    bool ran = self->done;
    pthread_mutex_unlock(&lock);
    if (!ran)
        finish(self, 0, true);
    pthread_mutex_lock(&lock);
    entry_put(self);
    pthread_mutex_unlock(&lock);
}

/* ---- who asks ---- */

static int answer(const entry *self, char *list, char *error, size_t error_bytes) {
    int failure = self->failure;
    if (failure)
        snprintf(error, error_bytes, "could not resolve host \"%s\": %s", self->host,
                 failure == EAI_SYSTEM ? "system error" : gai_strerror(failure));
    else if (!self->list[0])
        snprintf(error, error_bytes, "host \"%s\" has no address", self->host);
    if (failure || !self->list[0])
        return -EHOSTUNREACH;
    memcpy(list, self->list, HTTP_NAMES_BYTES);
    return 0;
}

int http_names_look_up(const char *host, char list[HTTP_NAMES_BYTES], char *error, size_t error_bytes) {
    for (;;) {
        bool is_new = false;
        pthread_mutex_lock(&lock);
        entry *self = table_find(host, &is_new);
        pthread_mutex_unlock(&lock);
        if (!self)
            return HD_ENOMEM;
        int64_t code = is_new ? hd_blocking_abandon(HD_POOL_DNS, look_up, self, look_up_disposed)
                              : hd_event_wait(self->ready, HD_NEVER);
        pthread_mutex_lock(&lock);
        bool again = code == 0 && self->given_up;
        pthread_mutex_unlock(&lock);
        if (code == 0 && !again)
            code = answer(self, list, error, error_bytes);
        pthread_mutex_lock(&lock);
        entry_put(self);
        pthread_mutex_unlock(&lock);
        if (!again)
            return (int)code;
    }
}

void http_names_fini(void) {
    pthread_mutex_lock(&lock);
    for (entry *self; (self = entries);)
        table_purge(0, self);
    pthread_mutex_unlock(&lock);
}
