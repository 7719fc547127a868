/* What a script holds outside of its state, through a userdata: files, processes, databases. Its finalizer lets go of it;
 * but Lua passes over finalizers for which there is no memory or stack left. So it is in a list of the strand as well, and
 * what is left there goes when the state has been closed. On the strand. */
#ifndef KEPT_H
#define KEPT_H

#include "chain.h"

struct strand;

typedef struct kept {
    chain link; /* unlinked: nobody holds it in this way */
    void (*drop)(struct kept *self);
} kept;

/* `drop` is called, once it is out of the list, when the script's end finds it there. */
void kept_add(struct strand *strand, kept *self, void (*drop)(kept *self));

/* Takes it out; also one that never was in, if it is zeroed memory. False: it was not in. */
bool kept_remove(kept *self);

void kept_drop_all(struct strand *strand);

#endif
