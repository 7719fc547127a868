/* Doubly linked lists whose nodes lie in what they link. A node that is in no list points to itself. */
#ifndef HEDDLED_LINKS_H
#define HEDDLED_LINKS_H

#include <stdbool.h>
#include <stddef.h>

struct links {
    struct links *next, *previous;
};

#define links_item(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void links_init(struct links *node) {
    node->next = node->previous = node;
}

static inline bool links_empty(const struct links *node) {
    return node->next == node;
}

static inline void links_append(struct links *head, struct links *node) {
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}

static inline void links_remove(struct links *node) {
    node->previous->next = node->next;
    node->next->previous = node->previous;
    links_init(node);
}

/* All nodes of `from` to the end of `into`, which keeps their order. */
static inline void links_move(struct links *into, struct links *from) {
    if (links_empty(from))
        return;
    from->next->previous = into->previous;
    into->previous->next = from->next;
    from->previous->next = into;
    into->previous = from->previous;
    links_init(from);
}

#endif
