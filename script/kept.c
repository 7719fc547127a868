#include "kept.h"
#include "strand.h"

void kept_add(strand *strand, kept *self, void (*drop)(kept *self)) {
    self->drop = drop;
    chain_append(&strand->kept, &self->link);
}

bool kept_remove(kept *self) {
    if (!self->link.next || chain_is_empty(&self->link))
        return false;
    chain_remove(&self->link);
    return true;
}

void kept_drop_all(strand *strand) {
    while (!chain_is_empty(&strand->kept)) {
        kept *self = chain_entry(strand->kept.next, kept, link);
        chain_remove(&self->link);
        self->drop(self);
    }
}
