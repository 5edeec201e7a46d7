// Tests of the seats of several event loops (test_seats.c), for test.c to run.
#ifndef GB_TEST_SEATS_H
#define GB_TEST_SEATS_H

void loops_share_an_inbox_and_their_news(void);

#endif
