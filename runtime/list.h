/* A doubly linked list whose links lie in its members. The head is a link that points to itself when empty; a link that
 * is in no list points to itself too, so that removing twice is harmless. Not synchronised. */
#ifndef HD_LIST_H
#define HD_LIST_H

#include "base.h"

typedef struct hd_list {
    struct hd_list *next, *previous;
} hd_list;

#define hd_list_entry(link, type, member) hd_container_of(link, type, member)

static inline void hd_list_init(hd_list *list) {
    list->next = list->previous = list;
}

static inline bool hd_list_empty(const hd_list *list) {
    return list->next == list;
}

static inline void hd_list_append(hd_list *list, hd_list *link) {
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

static inline void hd_list_remove(hd_list *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    hd_list_init(link);
}

#endif
