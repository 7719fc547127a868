#include "inside.h"

#include "sys.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ITEMS = 500, SIDES = 4 };

typedef struct world {
    hd_channel *channel;
    _Atomic int64_t sent, received;
    _Atomic int count;
} world;

static int64_t produce(void *arg) {
    world *shared = arg;
    for (int64_t item = 1; item <= ITEMS; item++) {
        int code = hd_channel_send(shared->channel, &item, HD_NEVER);
        if (code)
            return code;
        atomic_fetch_add(&shared->sent, item);
    }
    return 0;
}

static int64_t consume(void *arg) {
    world *shared = arg;
    int64_t item;
    int code;
    while ((code = hd_channel_receive(shared->channel, &item, HD_NEVER)) == 0) {
        atomic_fetch_add(&shared->received, item);
        atomic_fetch_add(&shared->count, 1);
    }
    return code;
}

static int64_t produce_and_consume(void *arg) {
    world *shared = arg;
    hd_task *producers[SIDES], *consumers[SIDES];
    for (int i = 0; i < SIDES; i++) {
        check((consumers[i] = hd_spawn(consume, shared)));
        check((producers[i] = hd_spawn(produce, shared)));
    }
    for (int i = 0; i < SIDES; i++)
        check(hd_join(producers[i]) == 0);
    hd_channel_close(shared->channel);
    for (int i = 0; i < SIDES; i++)
        check(hd_join(consumers[i]) == HD_ECLOSED);
    check(atomic_load(&shared->count) == SIDES * ITEMS);
    check(atomic_load(&shared->sent) == atomic_load(&shared->received));
    return 0;
}

static void every_item_arrives_once_at_any_capacity(void **state) {
    (void)state;
    const size_t capacities[] = {0, 1, 3, 1000};
    for (size_t i = 0; i < 4; i++) {
        world shared = {.channel = hd_channel_create(capacities[i], sizeof(int64_t))};
        passes(i % 2 + 1, produce_and_consume, &shared);
        hd_channel_destroy(shared.channel);
    }
    hd_channel_destroy(NULL);
}

static int64_t produce_in_order(void *arg) {
    for (int i = 0; i < ITEMS; i++)
        check(hd_channel_send(arg, &i, HD_NEVER) == 0);
    return 0;
}

static int64_t receive_in_order(void *arg) {
    hd_task *producer = hd_spawn(produce_in_order, arg);
    for (int i = 0, item; i < ITEMS; i++) {
        check(hd_channel_receive(arg, &item, HD_NEVER) == 0);
        check(item == i);
    }
    return hd_join(producer);
}

static void items_keep_their_order(void **state) {
    (void)state;
    for (size_t capacity = 0; capacity < 6; capacity++) {
        hd_channel *channel = hd_channel_create(capacity, sizeof(int));
        passes(2, receive_in_order, channel);
        hd_channel_destroy(channel);
    }
}

static int64_t send_one(void *channel) {
    return hd_channel_send(channel, &(int){7}, HD_NEVER);
}

static int64_t receive_one(void *channel) {
    int item = 0, code = hd_channel_receive(channel, &item, HD_NEVER);
    return code ? code : item;
}

static int64_t close_it(void *arg) {
    hd_channel *channel = arg;
    int item;
    hd_task *sender, *receiver = hd_spawn(receive_one, channel);
    check(until_waits(receiver, HD_WAITS_CHANNEL) == 0);
    check(hd_channel_send(channel, &(int){1}, HD_NEVER) == 0);
    check(hd_join(receiver) == 1);
    check(hd_channel_try_send(channel, &(int){2}) == 0);
    check(hd_channel_try_send(channel, &(int){3}) == HD_EAGAIN);
    check((sender = hd_spawn(send_one, channel)));
    check(until_waits(sender, HD_WAITS_CHANNEL) == 0);
    hd_channel_close(channel);
    hd_channel_close(channel);
    check(hd_join(sender) == HD_ECLOSED);
    check(hd_channel_send(channel, &(int){4}, HD_NEVER) == HD_ECLOSED);
    check(hd_channel_try_send(channel, &(int){4}) == HD_ECLOSED);
    check(hd_channel_receive(channel, &item, HD_NEVER) == 0 && item == 2);
    check(hd_channel_receive(channel, &item, HD_NEVER) == HD_ECLOSED);
    check(hd_channel_try_receive(channel, &item) == HD_ECLOSED);
    return 0;
}

static void a_closed_channel_is_emptied_and_then_refuses(void **state) {
    (void)state;
    hd_channel *channel = hd_channel_create(1, sizeof(int));
    passes(1, close_it, channel);
    hd_channel_destroy(channel);
}

static int64_t close_on_receiver(void *channel) {
    hd_task *receiver = hd_spawn(receive_one, channel);
    check(until_waits(receiver, HD_WAITS_CHANNEL) == 0);
    hd_channel_close(channel);
    return hd_join(receiver) == HD_ECLOSED ? 0 : BROKE;
}

static void closing_wakes_receivers(void **state) {
    (void)state;
    hd_channel *channel = hd_channel_create(0, sizeof(int));
    passes(2, close_on_receiver, channel);
    hd_channel_destroy(channel);
}

static int64_t various(void *arg) {
    hd_channel *channel = arg;
    int item;
    check(hd_channel_receive(channel, &item, 1) == HD_ETIMEDOUT);
    check(hd_channel_receive(channel, &item, hd_after(HD_MS(2))) == HD_ETIMEDOUT);
    check(hd_channel_send(channel, &(int){1}, 1) == HD_ETIMEDOUT);
    check(hd_channel_send(channel, &(int){1}, hd_after(HD_MS(2))) == HD_ETIMEDOUT);
    check(hd_channel_try_receive(channel, &item) == HD_EAGAIN);
    check(cancel_waiting(hd_spawn(send_one, channel), HD_WAITS_CHANNEL) == HD_ECANCELED);
    check(cancel_waiting(hd_spawn(receive_one, channel), HD_WAITS_CHANNEL) == HD_ECANCELED);
    check(hd_channel_try_receive(channel, &item) == HD_EAGAIN);

    hd_task *sender = hd_spawn(send_one, channel);
    check(until_waits(sender, HD_WAITS_CHANNEL) == 0);
    check(hd_channel_receive(channel, &item, 1) == 0 && item == 7);
    check(hd_cancel(sender) == 0);
    check(hd_join(sender) == 0);
    return 0;
}

static void a_deadline_a_cancellation_and_the_other_side_end_the_wait(void **state) {
    (void)state;
    hd_channel *channel = hd_channel_create(0, sizeof(int));
    passes(1, various, channel);
    assert_int_equal(hd_channel_send(channel, &(int){1}, HD_NEVER), HD_EPERM);
    assert_int_equal(hd_channel_receive(channel, &(int){1}, HD_NEVER), HD_EPERM);
    hd_channel_destroy(channel);
}

static void *send_from_outside(void *arg) {
    world *shared = arg;
    for (int64_t item = 1; item <= ITEMS;) {
        int code = hd_channel_try_send(shared->channel, &item);
        if (code == 0)
            atomic_fetch_add(&shared->sent, item++);
        else if (code != HD_EAGAIN)
            break;
        else
            sched_yield();
    }
    hd_channel_close(shared->channel);
    return NULL;
}

static int64_t receive_from_outside(void *arg) {
    world *shared = arg;
    pthread_t thread;
    check(pthread_create(&thread, NULL, send_from_outside, shared) == 0);
    int64_t code = consume(shared);
    pthread_join(thread, NULL);
    check(code == HD_ECLOSED);
    check(atomic_load(&shared->count) == ITEMS);
    check(atomic_load(&shared->sent) == atomic_load(&shared->received));
    return 0;
}

static void a_foreign_thread_sends(void **state) {
    (void)state;
    for (size_t capacity = 0; capacity < 3; capacity++) {
        world shared = {.channel = hd_channel_create(capacity, sizeof(int64_t))};
        passes(1, receive_from_outside, &shared);
        hd_channel_destroy(shared.channel);
    }
}

static void two_runtimes_talk(void **state) {
    (void)state;
    world shared = {.channel = hd_channel_create(2, sizeof(int64_t))};
    hd_runtime *one = hd_runtime_create(&(hd_runtime_options){.loops = 1});
    hd_runtime *two = hd_runtime_create(&(hd_runtime_options){.loops = 2});
    assert_true(one && two);
    hd_task *consumer = hd_spawn_with(&(hd_spawn_options){.runtime = two}, consume, &shared);
    hd_task *producer = hd_spawn_with(&(hd_spawn_options){.runtime = one}, produce, &shared);
    assert_true(consumer && producer);
    assert_int_equal(hd_runtime_drain(one, HD_NEVER), 0);
    hd_channel_close(shared.channel);
    assert_int_equal(hd_runtime_drain(two, HD_NEVER), 0);
    assert_int_equal(hd_task_result(producer), 0);
    assert_int_equal(hd_task_result(consumer), HD_ECLOSED);
    assert_int_equal(atomic_load(&shared.received), (int64_t)ITEMS * (ITEMS + 1) / 2);
    hd_release(consumer);
    hd_release(producer);
    hd_runtime_destroy(one);
    hd_runtime_destroy(two);
    hd_channel_destroy(shared.channel);
}

static int64_t race(void *arg) {
    world *shared = arg;
    hd_task *tasks[40];
    for (int i = 0; i < 40; i++)
        check((tasks[i] = hd_spawn(i % 2 ? produce : consume, shared)));
    for (int i = 0; i < 40; i++) {
        check(hd_yield() == 0);
        (void)hd_cancel(tasks[i]);
    }
    for (int i = 0; i < 40; i++)
        check(hd_join(tasks[i]) <= 0);
    int64_t item;
    while (hd_channel_try_receive(shared->channel, &item) == 0)
        atomic_fetch_add(&shared->received, item);
    check(atomic_load(&shared->sent) == atomic_load(&shared->received));
    return 0;
}

static void cancelled_sends_and_receives_neither_lose_nor_repeat_an_item(void **state) {
    (void)state;
    for (int i = 0; i < 30; i++) {
        world shared = {.channel = hd_channel_create((size_t)i % 3, sizeof(int64_t))};
        passes(2, race, &shared);
        hd_channel_destroy(shared.channel);
    }
}

static void without_memory_there_is_no_channel(void **state) {
    (void)state;
    hd_sys_fail_after(1);
    assert_null(hd_channel_create(8, 8));
    assert_int_equal(errno, ENOMEM);
    hd_sys_fail_after(0);
    assert_null(hd_channel_create(SIZE_MAX / 2, 4));
    assert_int_equal(errno, ENOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_arrives_once_at_any_capacity),
        cmocka_unit_test(items_keep_their_order),
        cmocka_unit_test(a_closed_channel_is_emptied_and_then_refuses),
        cmocka_unit_test(closing_wakes_receivers),
        cmocka_unit_test(a_deadline_a_cancellation_and_the_other_side_end_the_wait),
        cmocka_unit_test(a_foreign_thread_sends),
        cmocka_unit_test(two_runtimes_talk),
        cmocka_unit_test(cancelled_sends_and_receives_neither_lose_nor_repeat_an_item),
        cmocka_unit_test(without_memory_there_is_no_channel),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
