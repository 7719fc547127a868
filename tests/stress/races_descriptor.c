/* Descriptors: each byte is read once, and whoever waits for one hears of its data, of its room and of its closing.
 *
 * Readiness is told once, so data and room have one victim a direction; only for a closing several may wait, of which all
 * but one are refused. */
#include "base.h"
#include "stage.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BLOCK = 4096, /* what the pipes hold, and what is written to them at once */
    /* Numbers that only this driver uses: while closing and waiting race, a number must not become another file's. */
    OWN_NUMBERS = 1500,
    OWN = 2,
};

static int checked(round *r, int code) {
    must(r, code == 0 || code == HD_ECANCELED || code == HD_ETIMEDOUT);
    return code;
}

/* What comes between EAGAIN and the waiting must not get lost. */
static void linger(const victim *v) {
    if (v->variant / 2 % 4 == 0)
        (void)hd_yield();
}

/* ---- data ---- */

typedef struct byte_world {
    int (*pairs)[2];
    _Atomic uint32_t written, had;
} byte_world;

static int64_t read_byte(victim *v) {
    byte_world *world = v->round->world;
    int fd = world->pairs[v->number % PAIRS][0];
    uint64_t deadline = victim_deadline(v);
    bool plainly = deadline == HD_NEVER && v->variant % 2;
    for (;;) {
        char byte;
        int64_t got = plainly ? hd_read(fd, &byte, 1) : recv(fd, &byte, 1, MSG_DONTWAIT);
        if (got == 1) {
            atomic_fetch_add_explicit(&world->had, 1, memory_order_relaxed);
            return 0;
        }
        int code = (int)got;
        if (!plainly) {
            must(v->round, errno == EAGAIN);
            linger(v);
            code = hd_fd_wait(fd, HD_READABLE, deadline);
        }
        if (checked(v->round, code))
            return code;
    }
}

static void write_byte(byte_world *world, round *r, uint32_t which) {
    must(r, send(world->pairs[which % PAIRS][1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1);
    atomic_fetch_add_explicit(&world->written, 1, memory_order_relaxed);
}

static void write_some(action *self) {
    write_byte(self->round->world, self->round, self->number);
}

static void write_enough(round *self, uint32_t left) {
    for (uint32_t which = 0; which < PAIRS; which++)
        for (uint32_t i = 0; i < left; i++)
            write_byte(self->world, self, which);
}

/* Each byte that was written is there once. */
static void play_bytes(round *self, const contest *rules) {
    driver *d = self->driver;
    for (int i = 0; i < PAIRS; i++)
        if (d->pairs[i][0] < 0)
            must(self, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, d->pairs[i]) == 0);
    byte_world world = {.pairs = d->pairs};
    self->world = &world;
    round_contest(self, rules);
    char byte;
    for (int i = 0; i < PAIRS; i++)
        while (recv(d->pairs[i][0], &byte, 1, MSG_DONTWAIT) == 1)
            world.had++;
    must(self, world.had == world.written);
}

void play_readable(round *self) {
    static const contest rules = {
        .attempt = read_byte,
        .actions = {write_some},
        .finale = write_enough,
        .victims = PAIRS,
        .deadlines = true,
    };
    play_bytes(self, &rules);
}

/* ---- small writes, some of which are put off ---- */

static int64_t hand_over(victim *v) {
    byte_world *world = v->round->world;
    int64_t put = hd_write(world->pairs[v->number % PAIRS][1], "", 1);
    if (put != 1)
        return checked(v->round, (int)put);
    atomic_fetch_add_explicit(&world->written, 1, memory_order_relaxed);
    return 0;
}

void play_write(round *self) {
    static const contest rules = {.attempt = hand_over, .actions = {write_some}, .victims = 4 * PAIRS};
    play_bytes(self, &rules);
}

/* ---- room ---- */

typedef struct write_world {
    int ends[2];
    _Atomic uint32_t written, had; /* blocks */
    _Atomic bool close_begun;
} write_world;

static int64_t write_block(victim *v) {
    static const char block[BLOCK];
    write_world *world = v->round->world;
    uint64_t deadline = victim_deadline(v);
    bool plainly = deadline == HD_NEVER && v->variant % 2;
    for (;;) {
        int64_t put = plainly ? hd_write(world->ends[1], block, BLOCK) : write(world->ends[1], block, BLOCK);
        if (put < 0 && !plainly)
            put = -errno;
        if (put == BLOCK) {
            atomic_fetch_add_explicit(&world->written, 1, memory_order_relaxed);
            return 0;
        }
        must(v->round, put != -EPIPE || atomic_load_explicit(&world->close_begun, memory_order_relaxed));
        if (put == -EPIPE)
            return put;
        if (!plainly) {
            must(v->round, put == -EAGAIN);
            linger(v);
            put = hd_fd_wait(world->ends[1], HD_WRITABLE, deadline);
        }
        if (checked(v->round, (int)put))
            return put;
    }
}

static bool read_block(write_world *world, round *r) {
    char block[BLOCK];
    ssize_t got = read(world->ends[0], block, BLOCK);
    must(r, got == BLOCK || (got < 0 && errno == EAGAIN));
    if (got == BLOCK)
        atomic_fetch_add_explicit(&world->had, 1, memory_order_relaxed);
    return got == BLOCK;
}

static void make_room(action *self) {
    read_block(self->round->world, self->round);
}

/* All that was written is there; who still wants to write learns that nobody reads. */
static void close_for_reading(round *self, uint32_t left) {
    write_world *world = self->world;
    if (left == 0)
        return;
    atomic_store_explicit(&world->close_begun, true, memory_order_relaxed);
    must(self, hd_close(world->ends[0]) == 0);
    world->ends[0] = -1;
}

void play_writable(round *self) {
    static const char block[BLOCK];
    static const contest rules = {
        .attempt = write_block,
        .actions = {make_room},
        .finale = close_for_reading,
        .victims = 1,
        .deadlines = true,
    };
    write_world world = {.written = 1};
    must(self, pipe2(world.ends, O_NONBLOCK | O_CLOEXEC) == 0);
    must(self, fcntl(world.ends[1], F_SETPIPE_SZ, BLOCK) == BLOCK);
    must(self, write(world.ends[1], block, BLOCK) == BLOCK);
    self->world = &world;
    round_contest(self, &rules);
    while (world.ends[0] >= 0 && read_block(&world, self)) {}
    must(self, world.ends[0] < 0 || world.had == world.written);
    must(self, world.ends[0] < 0 || hd_close(world.ends[0]) == 0);
    must(self, hd_close(world.ends[1]) == 0);
}

/* ---- closing ---- */

typedef struct close_world {
    int first; /* of the own numbers */
    int peers[OWN];
    _Atomic bool close_begun[OWN];
} close_world;

/* Waits for the descriptor, reads from it, or writes to it. To close it beside a system call is a bug of the program, and
 * ThreadSanitizer calls it one; it is harmless here, as the number is nobody else's. */
static int await_own(victim *v, int fd) {
#ifdef HD_TSAN
    uint32_t way = 0;
#else
    uint32_t way = v->variant % 3;
#endif
    uint64_t deadline = victim_deadline(v);
    char byte = 0;
    if (deadline != HD_NEVER || way == 0)
        return hd_fd_wait(fd, HD_READABLE, deadline);
    ssize_t done = way == 1 ? hd_read(fd, &byte, 1) : hd_write(fd, &byte, 1);
    return done == 1 ? 0 : (int)done;
}

static int64_t wait_to_read(victim *v) {
    close_world *world = v->round->world;
    uint32_t which = v->number % OWN;
    int code = await_own(v, world->first + (int)which);
    if (code == HD_EBADF)
        must(v->round, atomic_load_explicit(&world->close_begun[which], memory_order_relaxed));
    else if (code == HD_EAGAIN)
        must(v->round, v->round->victim_count > OWN);
    else
        checked(v->round, code);
    return code;
}

static void close_own(close_world *world, round *r, uint32_t which) {
    if (!atomic_exchange_explicit(&world->close_begun[which], true, memory_order_relaxed))
        must(r, hd_close(world->first + (int)which) == 0);
}

static void close_one(action *self) {
    close_own(self->round->world, self->round, self->number % OWN);
}

static void tell_one(action *self) {
    close_world *world = self->round->world;
    (void)!send(world->peers[self->number % OWN], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void close_all(round *self, uint32_t left) {
    (void)left;
    for (uint32_t which = 0; which < OWN; which++)
        close_own(self->world, self, which);
}

void play_close(round *self) {
    static const contest rules = {
        .attempt = wait_to_read,
        .actions = {tell_one, close_one},
        .finale = close_all,
        .victims = OWN + 1,
        .deadlines = true,
    };
    close_world world = {.first = OWN_NUMBERS + (int)self->driver->index * OWN};
    for (int which = 0; which < OWN; which++) {
        int pair[2];
        must(self, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
        must(self, dup3(pair[0], world.first + which, O_CLOEXEC) == world.first + which);
        must(self, hd_close(pair[0]) == 0);
        world.peers[which] = pair[1];
    }
    self->world = &world;
    round_contest(self, &rules);
    for (int which = 0; which < OWN; which++)
        must(self, hd_close(world.peers[which]) == 0);
}
