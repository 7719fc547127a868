/* A channel with senders and receivers on both sides of everything: what was sent arrives once, what was not sent does
 * not, and no receiver sees two items of a sender in the wrong order. */
#include "stress.h"

enum { SENDERS = VICTIMS_MAX + ACTIONS_MAX, ITEMS = 3, PATTERN = 5 };

typedef struct item {
    uint32_t sender, sequence;
    uint64_t pattern[PATTERN]; /* sent or not, as the channel's items are large or small */
} item;

typedef struct channel_world {
    hd_channel *channel;
    bool large;
    _Atomic bool close_begun;
    /* of each item, 1: its sender was told that it was sent, 2: somebody has it */
    _Atomic uint8_t fate[SENDERS][ITEMS];
} channel_world;

static item item_make(uint32_t sender, uint32_t sequence) {
    item made = {sender, sequence, {0}};
    for (uint32_t i = 0; i < PATTERN; i++)
        made.pattern[i] = dice_mix((uint64_t)sender * ITEMS + sequence + i);
    return made;
}

static void item_sent(channel_world *world, const item *sent) {
    atomic_fetch_or_explicit(&world->fate[sent->sender][sent->sequence], 1, memory_order_relaxed);
}

static void item_received(round *r, channel_world *world, const item *got) {
    must(r, got->sender < SENDERS && got->sequence < ITEMS);
    uint8_t before =
        atomic_fetch_or_explicit(&world->fate[got->sender][got->sequence], 2, memory_order_relaxed);
    must(r, !(before & 2));
    item as_sent = item_make(got->sender, got->sequence);
    for (uint32_t i = 0; world->large && i < PATTERN; i++)
        must(r, got->pattern[i] == as_sent.pattern[i]);
}

static void check_code(round *r, channel_world *world, int code) {
    must(r, code == 0 || code == HD_ECANCELED || code == HD_ETIMEDOUT || code == HD_ECLOSED);
    must(r, code != HD_ECLOSED || atomic_load_explicit(&world->close_begun, memory_order_relaxed));
}

static int64_t send_some(victim *v) {
    channel_world *world = v->round->world;
    for (uint32_t sequence = 0; sequence < 1 + v->variant / 2 % ITEMS; sequence++) {
        item sent = item_make(v->number, sequence);
        int code = hd_channel_send(world->channel, &sent, victim_deadline(v));
        check_code(v->round, world, code);
        if (code)
            return code;
        item_sent(world, &sent);
    }
    return 0;
}

static int64_t receive_some(victim *v) {
    channel_world *world = v->round->world;
    uint8_t next[SENDERS] = {0};
    for (uint32_t count = 0; count < 1 + v->variant / 2 % ITEMS; count++) {
        item got;
        int code = hd_channel_receive(world->channel, &got, victim_deadline(v));
        check_code(v->round, world, code);
        if (code)
            return code;
        item_received(v->round, world, &got);
        must(v->round, got.sequence >= next[got.sender]);
        next[got.sender] = (uint8_t)(got.sequence + 1);
    }
    return 0;
}

static int64_t send_or_receive(victim *v) {
    return v->variant % 2 ? send_some(v) : receive_some(v);
}

static void try_send(action *self) {
    channel_world *world = self->round->world;
    item sent = item_make(VICTIMS_MAX + (uint32_t)(self - self->round->actions), 0);
    int code = hd_channel_try_send(world->channel, &sent);
    if (code == 0)
        item_sent(world, &sent);
    else if (code != HD_EAGAIN)
        check_code(self->round, world, code);
}

static void try_receive(action *self) {
    channel_world *world = self->round->world;
    item got;
    int code = hd_channel_try_receive(world->channel, &got);
    if (code == 0)
        item_received(self->round, world, &got);
    else if (code != HD_EAGAIN)
        check_code(self->round, world, code);
}

static void close_channel(channel_world *world) {
    atomic_store_explicit(&world->close_begun, true, memory_order_relaxed);
    hd_channel_close(world->channel);
}

static void close_rarely(action *self) {
    if (self->number % 16 == 0)
        close_channel(self->round->world);
}

static void close_at_last(round *self, uint32_t left) {
    (void)left;
    close_channel(self->world);
}

/* What was sent and not received is in the channel, and nothing else is. */
static void check_fates(round *self, channel_world *world) {
    item got;
    int code;
    while ((code = hd_channel_try_receive(world->channel, &got)) == 0)
        item_received(self, world, &got);
    must(self, code == HD_ECLOSED);
    for (uint32_t sender = 0; sender < SENDERS; sender++)
        for (uint32_t sequence = 0; sequence < ITEMS; sequence++) {
            uint8_t fate = world->fate[sender][sequence];
            must(self, fate == 0 || fate == 3);
        }
}

void play_channel(round *self) {
    static const contest rules = {
        .attempt = send_or_receive,
        .actions = {try_send, try_receive, close_rarely},
        .finale = close_at_last,
        .victims = VICTIMS_MAX,
        .deadlines = true,
    };
    static const size_t capacities[] = {0, 0, 1, 2, 3, 7};
    channel_world world = {.large = one_in(&self->dice, 4)};
    size_t capacity = capacities[below(&self->dice, sizeof capacities / sizeof *capacities)];
    world.channel = hd_channel_create(capacity, world.large ? sizeof(item) : offsetof(item, pattern));
    must(self, world.channel);
    self->world = &world;
    round_contest(self, &rules);
    close_channel(&world);
    check_fates(self, &world);
    hd_channel_destroy(world.channel);
}
