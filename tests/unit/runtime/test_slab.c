/* The slab: records are what they were made or left as, memory comes and goes by chunks, and records may outlive it. */
#include "inside.h"
#include "slab.h"
#include "sys.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

enum { CHUNK_BYTES = 64 << 10, PAGE_BYTES = 4096, MAGIC = 0x5ab };

typedef struct record {
    _Atomic uint64_t magic; /* what `make` writes, and nobody changes */
    hd_slab_link link;
    uint64_t left; /* what its last user wrote */
    _Atomic bool out;
    char rest[400];
} record;

static _Atomic uint64_t made;

static void make(void *memory, void *arg) {
    record *self = memory;
    hd_assert(self->magic == 0 && self->left == 0 && arg == &made);
    self->magic = MAGIC;
    made++;
}

static hd_slab *create(void) {
    made = 0;
    hd_slab *slab = hd_slab_create(sizeof(record), offsetof(record, link), make, &made);
    assert_non_null(slab);
    return slab;
}

static uintptr_t chunk_of(const void *memory) {
    return (uintptr_t)memory & ~(uintptr_t)(CHUNK_BYTES - 1);
}

static record *take(hd_slab *slab, hd_slab_cache *cache) {
    record *self = hd_slab_take(slab, cache);
    assert_non_null(self);
    assert_int_equal(self->magic, MAGIC);
    assert_false(atomic_exchange(&self->out, true));
    return self;
}

static void give(hd_slab_cache *cache, record *self) {
    assert_true(atomic_exchange(&self->out, false));
    hd_slab_give(cache, self);
}

static void a_record_is_made_once_and_then_as_its_last_user_left_it(void **state) {
    (void)state;
    hd_slab *slab = create();
    for (int cached = 0; cached < 2; cached++) {
        hd_slab_cache own = {.slab = slab}, *cache = cached ? &own : NULL;
        record *one = take(slab, cache), *two = take(slab, cache);
        assert_ptr_not_equal(one, two);
        assert_ptr_equal(hd_slab_of(one), slab);
        uint64_t so_far = made;
        one->left = 11 + (uint64_t)cached;
        give(cache, one);
        assert_ptr_equal(take(slab, cache), one);
        assert_int_equal(one->left, 11 + cached);
        assert_int_equal(made, so_far);
        give(cache, one);
        give(cache, two);
        one->left = two->left = 0;
        hd_slab_cache_flush(&own);
        assert_int_equal(slab->taken, 0);
    }
    hd_slab_retire(slab);
    hd_slab_retire(NULL);
}

static bool kernel_can_populate(void) {
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char resident = 0;
    hd_sys_populate(&(struct iovec){page, PAGE_BYTES}, 1);
    assert_int_equal(mincore(page, PAGE_BYTES, &resident), 0);
    munmap(page, PAGE_BYTES);
    return resident & 1;
}

static int resident_pages(uintptr_t chunk) {
    unsigned char resident[CHUNK_BYTES / PAGE_BYTES] = {0};
    int pages = 0;
    assert_int_equal(mincore((void *)chunk, CHUNK_BYTES, resident), 0);
    for (size_t i = 0; i < sizeof resident; i++)
        pages += resident[i] & 1;
    return pages;
}

static void pages_come_four_at_a_time(void **state) {
    (void)state;
    if (!kernel_can_populate())
        skip();
    enum { MOST = CHUNK_BYTES / sizeof(record) };
    hd_slab *slab = create();
    record *out[MOST + 1] = {take(slab, NULL)};
    uintptr_t chunk = chunk_of(out[0]);
    int count = 1;
    assert_int_equal(resident_pages(chunk), 4);
    for (; chunk_of(out[count - 1]) == chunk; count++) {
        uintptr_t end = (uintptr_t)out[count - 1] + sizeof(record) - chunk;
        assert_int_equal(resident_pages(chunk), (end + 4 * PAGE_BYTES - 1) / (4 * PAGE_BYTES) * 4);
        assert_true(count <= MOST);
        out[count] = take(slab, NULL);
    }
    while (count)
        give(NULL, out[--count]);
    hd_slab_retire(slab);
}

static void all_that_are_out_are_different(void **state) {
    (void)state;
    enum { MANY = 3000 };
    static record *all[MANY];
    hd_slab *slab = create();
    hd_slab_cache cache = {.slab = slab};
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (int i = 0; i < MANY; i++)
        all[i] = take(slab, i % 3 ? &cache : NULL); /* which checks that it was not out */
    for (int i = 0; i < 30000; i++) {
        int at = rand_r(&seed) % MANY;
        hd_slab_cache *with = rand_r(&seed) % 3 ? &cache : NULL;
        if (all[at])
            give(with, all[at]);
        all[at] = all[at] ? NULL : take(slab, with);
    }
    for (int i = 0; i < MANY; i++)
        if (all[i])
            give(&cache, all[i]);
    hd_slab_cache_flush(&cache);
    assert_int_equal(slab->taken, 0);
    hd_slab_retire(slab);
}

/* ---- caches ---- */

static void a_cache_and_its_slab_exchange_batches(void **state) {
    (void)state;
    enum { MANY = 3 * HD_SLAB_CACHE };
    record *all[MANY];
    hd_slab *slab = create();
    hd_slab_cache cache = {.slab = slab};
    all[0] = take(slab, &cache);
    assert_int_equal(slab->taken, HD_SLAB_BATCH);
    for (int i = 1; i < HD_SLAB_BATCH; i++)
        all[i] = take(slab, &cache);
    assert_int_equal(slab->taken, HD_SLAB_BATCH);
    for (int i = HD_SLAB_BATCH; i < MANY; i++)
        all[i] = take(slab, &cache);
    assert_int_equal(slab->taken, MANY);
    for (int i = 0; i < MANY; i++) {
        give(&cache, all[i]);
        assert_true(cache.count <= HD_SLAB_CACHE);
        assert_int_equal(slab->taken, (uint64_t)(MANY - 1 - i) + cache.count);
    }
    record *last = all[MANY - 1]; /* the warmest first */
    assert_ptr_equal(take(slab, &cache), last);
    give(&cache, last);
    hd_slab_cache_flush(&cache);
    assert_int_equal(cache.count, 0);
    assert_int_equal(slab->taken, 0);
    hd_slab_cache_flush(&(hd_slab_cache){0});
    hd_slab_retire(slab);
}

static void a_record_goes_home_also_through_the_cache_of_another_slab(void **state) {
    (void)state;
    hd_slab *slab = create(), *other = create();
    hd_slab_cache cache = {.slab = other};
    record *one = take(slab, NULL);
    give(&cache, one);
    assert_int_equal(cache.count, 0);
    assert_int_equal(slab->taken, 0);
    assert_ptr_equal(take(slab, NULL), one);
    give(NULL, one);
    hd_slab_retire(slab);
    hd_slab_retire(other);
}

/* ---- memory ---- */

/* Pages in memory of the chunks from `low` up to `high`. */
static size_t resident(uintptr_t low, uintptr_t high) {
    static unsigned char pages[1 << 16];
    size_t count = 0;
    assert_true((high - low) / PAGE_BYTES <= sizeof pages);
    assert_int_equal(mincore((void *)low, high - low, pages), 0);
    for (size_t i = 0; i < (high - low) / PAGE_BYTES; i++)
        count += pages[i] & 1;
    return count;
}

static bool is_mapped(uintptr_t address) {
    unsigned char page;
    return mincore((void *)address, PAGE_BYTES, &page) == 0;
}

static void memory_goes_back_when_the_records_are_back(void **state) {
    (void)state;
    enum { MANY = 18000 }; /* less than a region holds, so that they lie one after the other */
    static record *all[MANY];
    hd_slab *slab = create();
    hd_slab_cache cache = {.slab = slab};
    uintptr_t low = UINTPTR_MAX, high = 0;
    size_t chunks = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            all[i] = take(slab, &cache);
            memset(all[i]->rest, 1, sizeof all[i]->rest);
            uintptr_t chunk = chunk_of(all[i]);
            low = chunk < low ? chunk : low;
            high = chunk + CHUNK_BYTES > high ? chunk + CHUNK_BYTES : high;
        }
        if (round == 0)
            chunks = (high - low) / CHUNK_BYTES;
        assert_int_equal((high - low) / CHUNK_BYTES, chunks); /* the next time they are where they were */
        assert_true(resident(low, high) > chunks * (CHUNK_BYTES / PAGE_BYTES - 1));
        for (int i = 0; i < MANY; i++) /* in an order that empties them all at the end */
            give(&cache, all[i * 7 % MANY]);
        hd_slab_cache_flush(&cache);
        assert_int_equal(slab->taken, 0);
        assert_true(resident(low, high) <= chunks + (HD_SLAB_KEPT + 1) * (CHUNK_BYTES / PAGE_BYTES));
        assert_true(resident(low, high) >= chunks); /* their first pages */
    }
    hd_slab_retire(slab);
    assert_false(is_mapped(low));
}

static void a_record_that_is_out_keeps_its_chunk(void **state) {
    (void)state;
    enum { MANY = 15000, EVERY = 1000 };
    static record *all[MANY];
    hd_slab *slab = create();
    for (int i = 0; i < MANY; i++) {
        all[i] = take(slab, NULL);
        memset(all[i]->rest, i % EVERY ? 1 : 42, sizeof all[i]->rest);
    }
    for (int i = 0; i < MANY; i++)
        if (i % EVERY)
            give(NULL, all[i]);
    for (int i = 0; i < MANY; i += EVERY) {
        assert_int_equal(all[i]->magic, MAGIC);
        for (size_t j = 0; j < sizeof all[i]->rest; j++)
            assert_int_equal(all[i]->rest[j], 42);
    }
    for (int i = 0; i < MANY; i++) /* those that lost their memory are made once more */
        if (i % EVERY)
            all[i] = take(slab, NULL);
    assert_true(made > MANY);
    for (int i = 0; i < MANY; i++)
        give(NULL, all[i]);
    hd_slab_retire(slab);
}

static void without_memory_there_are_no_records_and_no_harm(void **state) {
    (void)state;
    hd_sys_fail_after(1);
    assert_null(hd_slab_create(sizeof(record), offsetof(record, link), make, &made));
    for (int cached = 0; cached < 2; cached++) {
        int refused = 0;
        for (int n = 1; n <= 10; n++) {
            hd_slab *slab = create();
            hd_slab_cache own = {.slab = slab}, *cache = cached ? &own : NULL;
            hd_sys_fail_after(n);
            record *one = hd_slab_take(slab, cache);
            hd_sys_fail_after(0);
            refused += !one;
            if (!one)
                one = take(slab, cache);
            else
                atomic_store(&one->out, true);
            give(cache, one);
            hd_slab_cache_flush(&own);
            hd_slab_retire(slab);
        }
        /* itself; the note about its region; but a region that is refused may be had smaller */
        assert_int_equal(refused, 2);
    }
}

/* ---- the end ---- */

static void records_outlive_their_slab_and_the_last_one_takes_it_along(void **state) {
    (void)state;
    for (int first = 0; first < 2; first++) {
        hd_slab *slab = create();
        hd_slab_cache cache = {.slab = slab};
        record *two[2] = {take(slab, &cache), take(slab, NULL)};
        uintptr_t chunk = chunk_of(two[0]);
        give(&cache, take(slab, &cache));
        hd_slab_cache_flush(&cache);
        hd_slab_retire(slab);
        assert_true(slab->retired);
        assert_int_equal(two[0]->magic, MAGIC);
        assert_ptr_equal(hd_slab_of(two[1]), slab);
        give(NULL, two[first]);
        assert_true(is_mapped(chunk));
        assert_int_equal(two[!first]->magic, MAGIC);
        give(&(hd_slab_cache){0}, two[!first]);
        assert_false(is_mapped(chunk));
    }
}

static struct {
    record *one;
    pthread_barrier_t start, end;
    bool over;
} last;

static void *give_the_last(void *arg) {
    static void *volatile own;
    own = malloc(1); /* else the thread's heap would be put where the records were, some time later */
    free(own);
    for (;;) {
        pthread_barrier_wait(&last.start);
        if (last.over)
            return arg;
        give(NULL, last.one);
        pthread_barrier_wait(&last.end);
    }
}

/* Whichever comes last frees all of it, and the other is through with it by then. */
static void retiring_and_giving_back_the_last_record_may_meet(void **state) {
    (void)state;
    pthread_t thread;
    pthread_barrier_init(&last.start, NULL, 2);
    pthread_barrier_init(&last.end, NULL, 2);
    last.over = false;
    assert_int_equal(pthread_create(&thread, NULL, give_the_last, NULL), 0);
    for (int i = 0; i < 3000; i++) {
        hd_slab *slab = create();
        last.one = take(slab, NULL);
        uintptr_t chunk = chunk_of(last.one);
        pthread_barrier_wait(&last.start);
        hd_slab_retire(slab);
        pthread_barrier_wait(&last.end);
        assert_false(is_mapped(chunk));
    }
    last.over = true;
    pthread_barrier_wait(&last.start);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&last.start);
    pthread_barrier_destroy(&last.end);
}

/* ---- threads ---- */

enum { BELT = 256, CARRIED = 100000 };

static struct {
    hd_slab *slab;
    _Atomic(record *) belt[BELT];
    _Atomic uint32_t wrong;
} carry;

static void *take_and_send(void *arg) {
    hd_slab_cache cache = {.slab = carry.slab};
    for (uint64_t i = 0; i < CARRIED; i++) {
        record *one = hd_slab_take(carry.slab, &cache);
        /* plain and relaxed: between giving and taking the slab orders it */
        carry.wrong += atomic_exchange_explicit(&one->out, true, memory_order_relaxed);
        one->left++;
        while (atomic_load_explicit(&carry.belt[i % BELT], memory_order_acquire)) {}
        atomic_store_explicit(&carry.belt[i % BELT], one, memory_order_release);
    }
    hd_slab_cache_flush(&cache);
    return arg;
}

static void *receive_and_give(void *arg) {
    hd_slab_cache cache = {.slab = carry.slab};
    for (uint64_t i = 0; i < CARRIED; i++) {
        record *one;
        while (!(one = atomic_load_explicit(&carry.belt[i % BELT], memory_order_acquire))) {}
        atomic_store_explicit(&carry.belt[i % BELT], NULL, memory_order_release);
        one->left++;
        carry.wrong += !atomic_exchange_explicit(&one->out, false, memory_order_relaxed);
        hd_slab_give(&cache, one);
    }
    hd_slab_cache_flush(&cache);
    return arg;
}

static bool add_up(void *memory, void *arg) {
    record *self = memory;
    *(uint64_t *)arg += self->left;
    return true;
}

/* One thread takes all, another one gives all: the records go round, and do not pile up in the giver's cache. */
static void what_one_thread_gives_another_takes(void **state) {
    (void)state;
    pthread_t threads[2];
    uint64_t touched = 0;
    carry.slab = create();
    carry.wrong = 0;
    assert_int_equal(pthread_create(&threads[0], NULL, take_and_send, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, receive_and_give, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(carry.wrong, 0);
    assert_int_equal(carry.slab->taken, 0);
    assert_true(made <= BELT + 2 * HD_SLAB_CACHE);
    hd_slab_visit(carry.slab, add_up, &touched);
    assert_int_equal(touched, 2 * CARRIED);
    hd_slab_retire(carry.slab);
}

static struct {
    hd_slab *slab;
    _Atomic bool over;
    _Atomic uint64_t wrong;
} show;

enum { HEAP = 4 * HD_SLAB_KEPT * CHUNK_BYTES / sizeof(record) / 3 }; /* of each of three threads */

static void *come_and_go(void *arg) {
    hd_slab_cache own = {.slab = show.slab}, *cache = arg ? &own : NULL;
    record **heap = calloc(HEAP, sizeof *heap);
    while (!show.over) {
        for (size_t i = 0; i < HEAP; i++) {
            heap[i] = hd_slab_take(show.slab, cache);
            show.wrong += atomic_exchange(&heap[i]->out, true);
        }
        for (size_t i = 0; i < HEAP; i++) {
            show.wrong += !atomic_exchange(&heap[i]->out, false);
            hd_slab_give(cache, heap[i]);
        }
    }
    hd_slab_cache_flush(&own);
    free(heap);
    return NULL;
}

static bool look(void *memory, void *arg) {
    record *self = memory;
    uint64_t magic = atomic_load_explicit(&self->magic, memory_order_relaxed);
    show.wrong += magic != MAGIC && magic != 0; /* made, or given back to the system */
    ++*(uint64_t *)arg;
    return true;
}

/* Chunks come, and lose their memory again, while somebody goes through all of them. */
static void all_records_can_be_visited_while_they_come_and_go(void **state) {
    (void)state;
    pthread_t threads[3];
    uint64_t looks = 0, rounds = 0;
    memset(&show, 0, sizeof show);
    show.slab = create();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, i ? &show : NULL), 0);
    /* until chunks were emptied, and filled again */
    for (uint64_t end = hd_after(HD_MS(500)); hd_now() < end || made <= 4 * HEAP; rounds++)
        hd_slab_visit(show.slab, look, &looks);
    show.over = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(show.wrong, 0);
    assert_int_equal(show.slab->taken, 0);
    assert_true(looks > 0 && rounds > 0);
    hd_slab_retire(show.slab);
}

static bool count_up_to_five(void *memory, void *arg) {
    (void)memory;
    return ++*(int *)arg < 5;
}

static bool mark(void *memory, void *arg) {
    record *self = memory;
    *(int *)arg += 1;
    self->rest[0]++;
    return true;
}

static void a_visit_finds_each_record_once_or_stops_when_told(void **state) {
    (void)state;
    enum { MANY = 1000 };
    record *all[MANY];
    hd_slab *slab = create();
    int visits = 0, up_to_five = 0;
    hd_slab_visit(slab, mark, &visits);
    assert_int_equal(visits, 0);
    for (int i = 0; i < MANY; i++)
        all[i] = take(slab, NULL);
    give(NULL, all[0]); /* also those that are free */
    hd_slab_visit(slab, mark, &visits);
    assert_int_equal(visits, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(all[i]->rest[0], 1);
    hd_slab_visit(slab, count_up_to_five, &up_to_five);
    assert_int_equal(up_to_five, 5);
    for (int i = 1; i < MANY; i++)
        give(NULL, all[i]);
    hd_slab_retire(slab);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_made_once_and_then_as_its_last_user_left_it),
        cmocka_unit_test(pages_come_four_at_a_time),
        cmocka_unit_test(all_that_are_out_are_different),
        cmocka_unit_test(a_cache_and_its_slab_exchange_batches),
        cmocka_unit_test(a_record_goes_home_also_through_the_cache_of_another_slab),
        cmocka_unit_test(memory_goes_back_when_the_records_are_back),
        cmocka_unit_test(a_record_that_is_out_keeps_its_chunk),
        cmocka_unit_test(without_memory_there_are_no_records_and_no_harm),
        cmocka_unit_test(records_outlive_their_slab_and_the_last_one_takes_it_along),
        cmocka_unit_test(retiring_and_giving_back_the_last_record_may_meet),
        cmocka_unit_test(what_one_thread_gives_another_takes),
        cmocka_unit_test(all_records_can_be_visited_while_they_come_and_go),
        cmocka_unit_test(a_visit_finds_each_record_once_or_stops_when_told),
    };
    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
