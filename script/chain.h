/* A list in a circle, whose links lie in the things themselves. An unlinked link points to itself. */
#ifndef CHAIN_H
#define CHAIN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct chain {
    struct chain *next, *previous;
} chain;

#define chain_entry(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline void chain_init(chain *link) {
    link->next = link->previous = link;
}

static inline bool chain_is_empty(const chain *head) {
    return head->next == head;
}

static inline void chain_append(chain *head, chain *link) {
    link->previous = head->previous;
    link->next = head;
    head->previous->next = link;
    head->previous = link;
}

static inline void chain_remove(chain *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    chain_init(link);
}

/* All of `from` goes to the end of `head`. */
static inline void chain_move_all(chain *head, chain *from) {
    if (chain_is_empty(from))
        return;
    from->next->previous = head->previous;
    head->previous->next = from->next;
    from->previous->next = head;
    head->previous = from->previous;
    chain_init(from);
}

#endif
