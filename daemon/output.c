/* Output as two lists of segments: the head, which fills up once, and the tail, which is cut at its old end. Each segment
 * is of one stream; a write goes on in the last one if it can. Streams that alternate in single bytes would make a
 * segment a byte, so the number of segments is limited too (one for 64 bytes of limit).
 *
 *      head                         dropped            tail
 *      [0 ....... limits.head)      (a gap)            [....... produced)
 *                                                        ▲ never beyond what a follower has acknowledged
 *
 * `space` is set when a follower has come nearer, and cleared, under the lock, by a writer that finds it too far away;
 * `readable` the same for readers. */
#include "output.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT_LEAST = 128, SEGMENT_MOST = 64 << 10, BYTES_A_SEGMENT = 64, SEGMENTS_LEAST = 16 };

struct segment {
    struct segment *next;
    uint64_t offset; /* of bytes[start] */
    uint32_t start, length, room;
    bool is_stderr;
    uint8_t bytes[];
};

struct part {
    struct segment *first, *last;
    uint64_t bytes, segments;
};

struct limits {
    uint64_t head, tail, window;
};

struct output {
    pthread_mutex_t lock;
    struct outputs *outputs;
    struct limits limits;
    struct part head, tail;
    bool head_full;
    bool ended;
    bool reader_waits, writer_waits;
    uint64_t produced;
    uint64_t dropped;
    struct links followers;
    struct links link; /* among the ended */
    hd_event *space, *readable;
};

/* ---- segments (under the lock) ----------------------------------------------------------------------------------- */

static void account(struct output *output, int64_t bytes) {
    /* relaxed: a sum to compare with a limit, ordered with nothing */
    atomic_fetch_add_explicit(&output->outputs->bytes, (uint64_t)bytes, memory_order_relaxed);
}

static bool over_total(const struct outputs *outputs) {
    return atomic_load_explicit(&outputs->bytes, memory_order_relaxed) >
           atomic_load_explicit(&outputs->total, memory_order_relaxed);
}

static uint64_t segments_max(uint64_t limit) {
    return limit / BYTES_A_SEGMENT > SEGMENTS_LEAST ? limit / BYTES_A_SEGMENT : SEGMENTS_LEAST;
}

/* A segment at the end of `part`, with room for `length` bytes or as much as one takes. */
static struct segment *extend(struct output *output, struct part *part, bool is_stderr, size_t length) {
    struct segment *last = part->last;
    if (last && last->is_stderr == is_stderr && last->start + last->length < last->room)
        return last;
    size_t room = last ? (size_t)last->length * 2 : 0; /* twice what the one before came to hold */
    if (room > SEGMENT_MOST / 4)
        room = SEGMENT_MOST / 4;
    if (room < length)
        room = length < SEGMENT_MOST ? length : SEGMENT_MOST;
    if (room < SEGMENT_LEAST)
        room = SEGMENT_LEAST;
    struct segment *segment = malloc(sizeof *segment + room);
    if (!segment)
        return NULL;
    *segment = (struct segment){.offset = output->produced, .room = (uint32_t)room, .is_stderr = is_stderr};
    account(output, (int64_t)(sizeof *segment + room));
    if (last)
        last->next = segment;
    else
        part->first = segment;
    part->last = segment;
    part->segments++;
    return segment;
}

static void drop_first(struct output *output, struct part *part) {
    struct segment *segment = part->first;
    part->first = segment->next;
    if (!part->first)
        part->last = NULL;
    part->bytes -= segment->length;
    part->segments--;
    output->dropped += segment->length;
    account(output, -(int64_t)(sizeof *segment + segment->room));
    free(segment);
}

/* The offset from which on a follower still needs everything. */
static uint64_t needed_from(const struct output *output) {
    uint64_t from = UINT64_MAX;
    for (const struct links *at = output->followers.next; at != &output->followers; at = at->next) {
        const struct follower *follower = links_item(at, struct follower, of_output);
        if (follower->acknowledged < from)
            from = follower->acknowledged;
    }
    return from;
}

static void cut_tail(struct output *output) {
    struct part *tail = &output->tail;
    uint64_t needed = needed_from(output), segments = segments_max(output->limits.tail);
    while (tail->first && tail->first->offset < needed) {
        struct segment *first = tail->first;
        uint64_t over = tail->bytes > output->limits.tail ? tail->bytes - output->limits.tail : 0;
        if (!over && tail->segments <= segments)
            break;
        if (first->offset + first->length <= needed && (over >= first->length || tail->segments > segments)) {
            drop_first(output, tail);
            continue;
        }
        if (over > needed - first->offset)
            over = needed - first->offset;
        if (over >= first->length || !over)
            break;
        first->start += (uint32_t)over;
        first->offset += over;
        first->length -= (uint32_t)over;
        tail->bytes -= over;
        output->dropped += over;
        break;
    }
}

static bool append(struct output *output, bool is_stderr, const uint8_t *bytes, size_t length) {
    while (length) {
        if (output->head.bytes >= output->limits.head ||
            output->head.segments >= segments_max(output->limits.head))
            output->head_full = true;
        struct part *part = output->head_full ? &output->tail : &output->head;
        size_t piece = length;
        if (!output->head_full && piece > output->limits.head - output->head.bytes)
            piece = (size_t)(output->limits.head - output->head.bytes);
        struct segment *segment = extend(output, part, is_stderr, piece);
        if (!segment)
            return false;
        size_t room = segment->room - segment->start - segment->length;
        if (piece > room)
            piece = room;
        memcpy(segment->bytes + segment->start + segment->length, bytes, piece);
        segment->length += (uint32_t)piece;
        part->bytes += piece;
        output->produced += piece;
        bytes += piece;
        length -= piece;
        cut_tail(output);
    }
    return true;
}

static void drop_all(struct output *output) {
    while (output->head.first)
        drop_first(output, &output->head);
    while (output->tail.first)
        drop_first(output, &output->tail);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Where memory is short, followers are given less ahead. */
static uint64_t window(const struct output *output) {
    uint64_t least = SEGMENT_MOST;
    return over_total(output->outputs) && output->limits.window > least ? least : output->limits.window;
}

static uint64_t lag(const struct output *output) {
    uint64_t needed = needed_from(output);
    return needed < output->produced ? output->produced - needed : 0;
}

/* Returns with the lock held. A cancelled writer may still write down its last words, up to another window. */
static int lock_for_writing(struct output *output, bool *room) {
    int result = 0;
    pthread_mutex_lock(&output->lock);
    while (!result && lag(output) >= window(output)) {
        hd_event_clear(output->space);
        output->writer_waits = true;
        pthread_mutex_unlock(&output->lock);
        result = hd_event_wait(output->space, HD_NEVER);
        pthread_mutex_lock(&output->lock);
    }
    *room = !result || lag(output) < 2 * window(output);
    return result;
}

int output_write(struct output *output, bool is_stderr, const void *bytes, size_t length) {
    const uint8_t *from = bytes;
    int result = 0;
    while (length && !result) {
        bool room;
        size_t piece = length < SEGMENT_MOST ? length : SEGMENT_MOST;
        result = lock_for_writing(output, &room);
        if (room && !append(output, is_stderr, from, piece))
            result = HD_ENOMEM;
        if (output->reader_waits) {
            output->reader_waits = false;
            hd_event_set(output->readable);
        }
        pthread_mutex_unlock(&output->lock);
        from += piece;
        length -= piece;
    }
    return result;
}

static void let_writers_go(struct output *output) {
    if (output->writer_waits && lag(output) < window(output)) {
        output->writer_waits = false;
        hd_event_set(output->space);
    }
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

void output_follow(struct output *output, struct follower *follower, uint64_t offset) {
    pthread_mutex_lock(&output->lock);
    follower->acknowledged = offset;
    links_append(&output->followers, &follower->of_output);
    pthread_mutex_unlock(&output->lock);
}

void output_unfollow(struct output *output, struct follower *follower) {
    pthread_mutex_lock(&output->lock);
    links_remove(&follower->of_output);
    cut_tail(output);
    let_writers_go(output);
    pthread_mutex_unlock(&output->lock);
}

void output_acknowledge(struct output *output, struct follower *follower, uint64_t offset) {
    pthread_mutex_lock(&output->lock);
    follower->acknowledged = offset;
    cut_tail(output);
    let_writers_go(output);
    pthread_mutex_unlock(&output->lock);
}

struct copying {
    struct arena *arena;
    struct output_piece *piece;
    size_t room; /* chunks */
    size_t most; /* bytes left to copy */
};

/* One chunk from where the piece has come to; false: no memory. */
static bool copy_chunk(struct copying *copying, const struct segment *segment) {
    struct output_piece *piece = copying->piece;
    wire_chunk *chunks =
        arena_grow(copying->arena, piece->chunks, piece->count, &copying->room, sizeof *piece->chunks);
    if (!chunks)
        return false;
    piece->chunks = chunks;
    uint64_t gap = segment->offset > piece->next ? segment->offset - piece->next : 0;
    uint64_t skip = segment->offset < piece->next ? piece->next - segment->offset : 0;
    size_t length = segment->length - (size_t)skip;
    if (length > copying->most)
        length = copying->most;
    uint8_t *bytes = arena_alloc(copying->arena, length);
    if (!bytes)
        return false;
    memcpy(bytes, segment->bytes + segment->start + skip, length);
    chunks[piece->count++] =
        (wire_chunk){.is_stderr = segment->is_stderr, .bytes = {bytes, length}, .gap = gap};
    piece->next += gap + length;
    copying->most -= length;
    return true;
}

/* What was dropped behind the last byte that is there. */
static bool copy_last_gap(struct copying *copying, uint64_t produced) {
    struct output_piece *piece = copying->piece;
    if (piece->next >= produced)
        return true;
    wire_chunk *chunks =
        arena_grow(copying->arena, piece->chunks, piece->count, &copying->room, sizeof *piece->chunks);
    if (!chunks)
        return false;
    piece->chunks = chunks;
    chunks[piece->count++] = (wire_chunk){.gap = produced - piece->next};
    piece->next = produced;
    return true;
}

static bool copy_part(struct copying *copying, const struct part *part) {
    for (const struct segment *at = part->first; at && copying->most; at = at->next)
        if (at->length && at->offset + at->length > copying->piece->next && !copy_chunk(copying, at))
            return false;
    return true;
}

bool output_read(struct output *output, uint64_t offset, size_t most, struct arena *arena,
                 struct output_piece *piece) {
    struct copying copying = {.arena = arena, .piece = piece, .most = most};
    pthread_mutex_lock(&output->lock);
    *piece = (struct output_piece){.next = offset < output->produced ? offset : output->produced};
    bool good = copy_part(&copying, &output->head) && copy_part(&copying, &output->tail);
    if (good && copying.most)
        good = copy_last_gap(&copying, output->produced);
    piece->end = output->ended && piece->next == output->produced;
    pthread_mutex_unlock(&output->lock);
    return good;
}

int output_wait(struct output *output, uint64_t offset) {
    int result = 0;
    pthread_mutex_lock(&output->lock);
    while (!result && !output->ended && output->produced <= offset) {
        hd_event_clear(output->readable);
        output->reader_waits = true;
        pthread_mutex_unlock(&output->lock);
        result = hd_event_wait(output->readable, HD_NEVER);
        pthread_mutex_lock(&output->lock);
    }
    pthread_mutex_unlock(&output->lock);
    return result;
}

void output_counts(struct output *output, uint64_t *bytes, uint64_t *dropped) {
    pthread_mutex_lock(&output->lock);
    *bytes = output->produced;
    *dropped = output->dropped;
    pthread_mutex_unlock(&output->lock);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static struct output *create(struct outputs *outputs) {
    struct output *output = calloc(1, sizeof *output);
    if (!output)
        return NULL;
    output->space = hd_event_create();
    output->readable = hd_event_create();
    if (!output->space || !output->readable) {
        hd_event_destroy(output->space);
        hd_event_destroy(output->readable);
        free(output);
        return NULL;
    }
    pthread_mutex_init(&output->lock, NULL);
    output->outputs = outputs;
    /* relaxed: each limit stands for itself */
    output->limits.head = atomic_load_explicit(&outputs->head, memory_order_relaxed);
    output->limits.tail = atomic_load_explicit(&outputs->tail, memory_order_relaxed);
    output->limits.window = atomic_load_explicit(&outputs->window, memory_order_relaxed);
    links_init(&output->followers);
    links_init(&output->link);
    return output;
}

struct output *output_at(_Atomic(struct output *) *place, struct outputs *outputs) {
    /* acquire [O1]: what the maker put into it */
    struct output *there = atomic_load_explicit(place, memory_order_acquire);
    if (there)
        return there;
    struct output *made = create(outputs);
    /* release [O1]: with the load above, and its own failure, on other threads */
    if (!made || atomic_compare_exchange_strong_explicit(place, &there, made, memory_order_release,
                                                         memory_order_acquire))
        return made;
    output_destroy(made);
    return there;
}

void output_destroy(struct output *output) {
    if (!output)
        return;
    drop_all(output);
    links_remove(&output->link);
    hd_event_destroy(output->space);
    hd_event_destroy(output->readable);
    pthread_mutex_destroy(&output->lock);
    free(output);
}

void output_end(struct output *output) {
    pthread_mutex_lock(&output->lock);
    output->ended = true;
    hd_event_set(output->readable);
    pthread_mutex_unlock(&output->lock);
    links_append(&output->outputs->ended, &output->link);
}

void outputs_trim(struct outputs *outputs) {
    struct links *at = outputs->ended.next;
    while (over_total(outputs) && at != &outputs->ended) {
        struct output *output = links_item(at, struct output, link);
        at = at->next;
        pthread_mutex_lock(&output->lock);
        bool followed = !links_empty(&output->followers);
        if (!followed) {
            drop_all(output);
            links_remove(&output->link);
        }
        pthread_mutex_unlock(&output->lock);
    }
}
