// Tests of the pace that a worker tells the front.
#include <stdatomic.h>

#include "../pace.h"
#include "front.h"
#include "test_pace.h"

// One timed request that has taken so long.
static void request(struct gb_segment *s, int64_t took)
{
    gb_pace_end(s, gb_now_ns() - took);
}

void a_pace_is_what_most_requests_take(void)
{
    struct gb_worker worker = {0};
    struct gb_segment s = {.worker = &worker};
    unsigned timed = 0;
    for (unsigned n = 1; n <= 10 * GB_PACE_EVERY; n++)
        timed += gb_pace_begin(n) != 0;
    CHECK(timed == 10);
    gb_pace_end(&s, 0);
    CHECK(atomic_load(&worker.pace) == 0); // not timed

    request(&s, INT64_C(100000000000)); // more than can be told
    CHECK(atomic_load(&worker.pace) == INT32_MAX);
    for (unsigned n = 0; n < 400; n++)
        request(&s, n % 10 == 0 ? 200000000 : 100000); // one of ten waits for something
    uint32_t pace = atomic_load(&worker.pace);
    CHECK(pace > 50000 && pace < 2000000);
    for (unsigned n = 0; n < 400; n++)
        request(&s, 50000000);
    CHECK(atomic_load(&worker.pace) > 20000000);
}
