// Tests of a WebSocket's messages in the request pipe.
#ifndef GB_TEST_INCOMING_H
#define GB_TEST_INCOMING_H

void messages_are_put_together(void);
void messages_end_with_a_close_or_the_client(void);
void records_that_make_no_sense_are_told(void);
void who_waits_for_messages_gets_news(void);

#endif
