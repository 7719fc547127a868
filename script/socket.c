#include "socket.h"
#include "descriptors.h"
#include "errand.h"

#include <lauxlib.h>
#include <stdlib.h>

/* Two operations must not wait for the same thing of a descriptor. One whose task was cancelled is on its way out for a moment,
 * and may take news along that the next would wait for in vain. So the next awaits its end, and then has the strand ask the
 * system once more. */

/* How long until a descriptor may be free again. */
#define MOMENT_NS HD_MS(100)

/* What ends a wait: news of the descriptor, a moment after which another may be free, or nothing, save that others had a turn. */
typedef enum reason { FOR_NEWS, FOR_DESCRIPTORS, FOR_A_TURN } reason;

typedef struct waiting {
    operation op;
    socket_ref *socket;
    socket_wait_kind kind;
    reason reason;
    hd_task *previous; /* that is on its way out; NULL: none */
    lua_CFunction go_on;
    int code;
} waiting;

static void put(socket_ref *self) {
    if (--self->references > 0)
        return;
    hd_close(self->fd);
    descriptors_give(self->strand, 1);
    free(self);
}

void socket_close(socket_ref *self) {
    kept_remove(&self->kept);
    if (self->references > 1)
        shutdown(self->fd, SHUT_RDWR);
    put(self);
}

static void drop(kept *kept) {
    socket_close(chain_entry(kept, socket_ref, kept));
}

socket_ref *socket_create(struct strand *strand, int fd) {
    socket_ref *self = calloc(1, sizeof *self);
    if (!self) {
        hd_close(fd);
        descriptors_give(strand, 1);
        return NULL;
    }
    *self = (socket_ref){.strand = strand, .fd = fd, .references = 1};
    kept_add(strand, &self->kept, drop);
    return self;
}

bool socket_is_waited_for(const socket_ref *self, socket_wait_kind kind) {
    return self->waits[kind] && self->waits[kind]->waiter;
}

/* ---- the operation ---------------------------------------------------------------------------------------------------- */

static void run(operation *op) {
    waiting *self = (waiting *)op;
    int direction = self->kind == SOCKET_WRITE ? HD_WRITABLE : HD_READABLE;
    if (self->previous)
        self->code = (int)hd_await(self->previous);
    else if (self->reason == FOR_DESCRIPTORS)
        self->code = hd_sleep(MOMENT_NS);
    else if (self->reason == FOR_A_TURN)
        self->code = 0;
    else
        self->code = hd_fd_wait(self->socket->fd, direction, HD_NEVER);
}

static int finish(lua_State *L, operation *op) {
    const waiting *self = (waiting *)op;
    if (self->code)
        return errand_raise(L, "%s: %s", op->class->name, hd_strerror(self->code));
    return self->go_on(L);
}

static void destroy(operation *op) {
    waiting *self = (waiting *)op;
    if (self->socket->waits[self->kind] == op)
        self->socket->waits[self->kind] = NULL;
    hd_release(self->previous);
    put(self->socket);
    free(self);
}

static int wait_for(lua_State *L, socket_ref *self, socket_wait_kind kind, lua_CFunction go_on, reason reason) {
    static const operation_class classes[SOCKET_WAITS] = {
        [SOCKET_READ] = {"tcp.read", run, finish, destroy},
        [SOCKET_WRITE] = {"tcp.write", run, finish, destroy},
        [SOCKET_ACCEPT] = {"tcp.accept", run, finish, destroy},
    };
    waiting *made = calloc(1, sizeof *made);
    if (!made)
        return errand_raise(L, "%s: not enough memory", classes[kind].name);
    *made = (waiting){.op.class = &classes[kind],
                      .socket = self,
                      .kind = kind,
                      .go_on = go_on,
                      .reason = reason};
    if (self->waits[kind] && self->waits[kind]->task)
        made->previous = hd_retain(self->waits[kind]->task);
    self->references++;
    self->waits[kind] = &made->op;
    return operation_await(L, &made->op);
}

int socket_wait(lua_State *L, socket_ref *self, socket_wait_kind kind, lua_CFunction go_on) {
    return wait_for(L, self, kind, go_on, FOR_NEWS);
}

int socket_wait_for_descriptors(lua_State *L, socket_ref *self, lua_CFunction go_on) {
    return wait_for(L, self, SOCKET_ACCEPT, go_on, FOR_DESCRIPTORS);
}

int socket_let_others(lua_State *L, socket_ref *self, socket_wait_kind kind, lua_CFunction go_on) {
    return wait_for(L, self, kind, go_on, FOR_A_TURN);
}
