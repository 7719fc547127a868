/* Memory that operations hold beside a script's state: what they are and were given, and what they read, capture and fetch, before
 * it becomes values. All of a script's operations together may hold as much as its state may, so that many at once are no way
 * around the limit. */
#ifndef BUDGET_H
#define BUDGET_H

#include <heddle.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* The code of what found no room in it. */
enum { BUDGET_EXCEEDED = -EDQUOT };

typedef struct budget {
    _Atomic size_t used; /* relaxed everywhere: it guards nothing but itself */
    size_t most;
} budget;

/* Any thread. False: there is no room for so much. */
HD_CHECKED bool budget_take(budget *self, size_t amount);
void budget_give(budget *self, size_t amount);

/* A block of bytes that grows, within a budget. Zeroed but for `budget`, it is empty. Its owner's thread. */
typedef struct bytes {
    char *data;
    size_t length, room;
    budget *budget;
} bytes;

/* Makes room for so many more. 0, BUDGET_EXCEEDED or HD_ENOMEM. */
int bytes_reserve(bytes *self, size_t more);
int bytes_add(bytes *self, const void *data, size_t length);

/* Frees; it is empty then, and can be used again. */
void bytes_fini(bytes *self);

#endif
