/* Pipes and flow control: one stream, used again and again, its reactor and its worker.
 *
 * The client sends a body of LENGTH bytes and takes an answer of LENGTH bytes, both
 * longer than the pipes, in any portions, or leaves. With Expect it sends nothing
 * before it is told to. The application reads and writes in any order and portions,
 * may leave some of the body unread, and (with Expect) may be hit by a signal while it
 * sleeps. The worker may be killed at any step. Bytes are their place and the use they belong to.
 *
 * News reach the reactor (news.pml), and a hint its worker (claim.pml).
 *
 * With LOOP the worker is an event loop, which must not sleep on a bell: it asks for news
 * of the stream instead. They reach it as hints do, by a flag and a look behind it
 * (news.pml). And the application may wait for the client to leave, when it has the whole
 * body; there the client does so, by a FIN.
 */

#define SIZE 2       /* of a pipe */
#define TURN 4       /* counters count modulo this */
#define LENGTH 3     /* of body and answer */
#define BEGIN 3      /* counters start here: they wrap */
#define BYTE(place) (1 + (place))
#define OLD_BYTE 9   /* left from an earlier use */
#define PLACE_IN(base, counter) (((counter) + TURN - (base)) % SIZE)
#define BETWEEN(from, to) (((to) + TURN - (from)) % TURN)

/* Shared memory: the stream. */
#define FREE 0
#define QUEUED 1
#define RUNNING 2
#define DONE 3
byte state;
bool body_end_flag;
bool closed_flag;
#ifdef LOOP
bool left_flag;     /* the client sends nothing more */
bool to_worker;     /* news of the stream for the worker */
#endif
bool listening;     /* the worker's thread has read the bell, */
bool rung;          /* and it was rung since: the bell itself matters only by being another */
bool finished;      /* outcome */

#define NOT 0
#define BELL 1
#define NEWS 2
/* request pipe */
byte q[SIZE];
byte q_base = BEGIN, q_write = BEGIN, q_read = BEGIN;
byte q_writer_waits, q_reader_waits;
/* response pipe */
byte p[SIZE];
byte p_base = BEGIN, p_write = BEGIN, p_read = BEGIN;
byte p_writer_waits;

bool news;
bool in_futex;      /* the worker's thread sleeps on the bell */

bool expect;        /* the client waits for 100 (Continue) */
bool signalled;     /* this use has had its signal */
bool dead;          /* the worker is killed */
bool gone;          /* and has come to a stop */
bool ending;        /* no request comes, no client leaves, no worker dies any more */

/* The n bytes at the reader's place are not looked at again: which they were is no state. */
inline forget_request()
{
    if
    :: n > 0 -> q[PLACE_IN(q_base, q_read)] = OLD_BYTE
    :: else
    fi;
    if
    :: n > 1 -> q[PLACE_IN(q_base, (q_read + 1) % TURN)] = OLD_BYTE
    :: else
    fi
}

inline forget_response()
{
    if
    :: n > 0 -> p[PLACE_IN(p_base, p_read)] = OLD_BYTE
    :: else
    fi;
    if
    :: n > 1 -> p[PLACE_IN(p_base, (p_read + 1) % TURN)] = OLD_BYTE
    :: else
    fi
}

proctype front()
{
    byte arrived;   /* body bytes that the client has sent */
    byte sent;      /* those of them in the pipe */
    byte got;       /* answer bytes sent to the client */
    byte n, i;
    bool left, blocked, done, told;
    byte wakes;     /* whom to wake next: the request's reader, the response's writer */
    byte then;      /* and where to go on */
#define TO_END 1
#define TO_READ 2
#define TO_TURN 3
#define TO_WRITER 4

at_turn:
    atomic { n = 0; i = 0; then = 0; wakes = 0 };
end_wait:
    if
    :: atomic { state == FREE && !ending ->
reuse:
            q_base = BEGIN; q_write = BEGIN; q_read = BEGIN; p_base = BEGIN; p_write = BEGIN; p_read = BEGIN;
            q_writer_waits = NOT; p_writer_waits = NOT;
            q[0] = OLD_BYTE; q[1] = OLD_BYTE; p[0] = OLD_BYTE; p[1] = OLD_BYTE;
            q_reader_waits = NOT;
#ifndef MUTANT_KEEP_FLAGS
            body_end_flag = false; closed_flag = false;
#endif
            finished = false; signalled = false; news = false;
            arrived = 0; sent = 0; got = 0;
            left = false; blocked = false; done = false; told = false;
#ifdef LOOP
            left_flag = false; to_worker = false;
#endif
            if
            :: expect = false
            :: expect = true
            fi;
            state = QUEUED;
            goto at_turn
        }
    :: atomic { state != FREE && !left && arrived < LENGTH && (told || !expect || arrived > 0) ->
            told = false;
            if
            :: arrived++
            :: arrived = LENGTH
            fi;
            if
            :: q_writer_waits == NOT -> goto at_write
            :: else -> goto at_turn  /* what the pipe did not take waits for news */
            fi
        }
    :: atomic { news -> news = false };
        atomic {
            done = (state == DONE);
            if
            :: left && done -> goto free
            :: left && !done -> goto at_turn
            :: else
            fi
        };
        if
        :: q_reader_waits != NOT && expect && arrived == 0 -> told = true
        :: else
        fi;
        goto at_write
    :: atomic { blocked && !left -> goto at_read }      /* the client takes bytes again */
#ifdef LOOP
    :: atomic { state != FREE && !left && arrived == LENGTH && !left_flag -> goto left_set } /* its FIN */
#endif
    :: atomic { state != FREE && !left && !ending ->    /* the client leaves */
            left = true; blocked = false; told = false; arrived = 0; sent = 0; got = 0;
            if
            :: state == RUNNING -> goto closed_set
            :: else -> state = FREE; goto at_turn       /* cancelled, or DONE */
            fi
        }
    :: atomic { gone ->                                 /* its pidfd is readable: sweep */
            gone = false; in_futex = false; listening = false; rung = false;
            if
            :: state == RUNNING -> goto free            /* 502, or cut */
            :: state == DONE -> news = true; goto at_turn
            :: else -> goto at_turn                     /* what is queued keeps its bytes */
            fi
        }
    :: atomic { !ending -> ending = true; goto at_turn }
    fi;

#ifdef LOOP
left_set:
    left_flag = true;
    then = TO_TURN;
#ifdef MUTANT_LEFT_WITHOUT_WAKE
    goto at_turn;
#else
    goto at_wake_reader;
#endif
#endif

closed_set:
    closed_flag = true;
    then = TO_WRITER;
    goto at_wake_reader;

    /* Body bytes into the request pipe. */
at_write:
    atomic { n = BETWEEN(q_read, q_write);
        if
        :: n == 0 && sent < arrived ->
            i = q_write;
#ifndef MUTANT_TORN_WRITTEN
            q_base = i /* published with q_write; the reader has nothing to read by it */
#endif
        :: else -> i = q_base
        fi;
#ifdef MUTANT_BASE_NOT_EMPTY
        if
        :: n == 1 && sent < arrived -> q_base = q_write; i = q_write
        :: else
        fi;
#endif
        n = SIZE - n;
        if
        :: n > arrived - sent -> n = arrived - sent
        :: else
        fi
    };
    if
    :: n == 0 -> i = 0
    :: atomic { n > 0 ->
            q[PLACE_IN(i, q_write)] = BYTE(sent);
            if
            :: n > 1 -> q[PLACE_IN(i, (q_write + 1) % TURN)] = BYTE(sent + 1)
            :: else
            fi;
            sent = sent + n
        };
#ifdef MUTANT_END_BEFORE_BYTES
        if
        :: sent == LENGTH -> body_end_flag = true
        :: else
        fi;
#endif
body_written:
        q_write = (q_write + n) % TURN;
#ifdef MUTANT_TORN_WRITTEN
        q_base = i;
#endif
        i = 0
    fi;
    if
    :: sent < arrived && q_writer_waits == NOT ->
body_waits:
        q_writer_waits = NEWS;
#ifndef MUTANT_NO_SECOND_LOOK_OF_FRONT
        goto at_write
#endif
    :: sent == arrived && q_writer_waits != NOT -> q_writer_waits = NOT
    :: else
    fi;
    then = TO_END;
    goto at_wake_reader;
at_end:
    if
    :: sent == LENGTH && !body_end_flag ->
body_end:
        body_end_flag = true;
        then = TO_READ;
        goto at_wake_reader
    :: else
    fi;

    /* Answer bytes out of the response pipe, as many as the client takes. */
at_read:
    atomic { n = BETWEEN(p_read, p_write);
        if
        :: n == 0 ->
            blocked = false;
            if
            :: done ->
                assert(!finished || got == LENGTH); /* whole, if the application said so */
                goto free
            :: else -> goto at_turn
            fi
        :: n > 0 -> blocked = true; goto at_turn /* the client takes nothing now */
        :: n > 0 -> n = 1
        :: n > 1
        fi;
        i = 0;
        do
        :: i < n ->
            assert(p[PLACE_IN(p_base, (p_read + i) % TURN)] == BYTE(got + i)); /* in order, none lost, none twice */
            i++
        :: else -> break
        od;
        got = got + n
    };
room_made:
    atomic { forget_response(); p_read = (p_read + n) % TURN };
    then = TO_READ;
    if
    :: 2 * BETWEEN(p_read, p_write) < SIZE -> goto at_wake_writer
    :: else -> goto at_read /* a writer that waits is woken when it can write much */
    fi;

at_wake_reader:
    atomic { wakes = q_reader_waits; goto at_wake };
at_wake_writer:
    atomic { wakes = p_writer_waits; goto at_wake };
at_wake:
#ifndef MUTANT_CLOSE_WITHOUT_WAKE
    if
    :: wakes == BELL ->
#else
    if
    :: wakes == BELL && !left ->
#endif
#ifndef MUTANT_WAKE_WITHOUT_BELL
wake_bell:
        rung = listening;
#endif
        in_futex = false
#ifdef LOOP
#ifdef MUTANT_CLOSE_WITHOUT_WAKE
    :: wakes == NEWS && !left ->
#else
    :: wakes == NEWS ->
#endif
        to_worker = true
#endif
    :: else
    fi;
    atomic { n = 0; i = 0; wakes = 0;
        if
        :: then == TO_END -> then = 0; goto at_end
        :: then == TO_READ -> then = 0; goto at_read
        :: then == TO_WRITER -> then = TO_TURN; goto at_wake_writer
        :: else -> then = 0; goto at_turn
        fi
    };

free:
    atomic { state = FREE; arrived = 0; sent = 0; got = 0; left = false; blocked = false; done = false; told = false;
        q_base = BEGIN; q_write = BEGIN; q_read = BEGIN; p_base = BEGIN; p_write = BEGIN; p_read = BEGIN;
        q[0] = OLD_BYTE; q[1] = OLD_BYTE; p[0] = OLD_BYTE; p[1] = OLD_BYTE; signalled = false; expect = false; finished = false;
#ifdef LOOP
        left_flag = false; to_worker = false;
#endif
        goto at_turn }
}

proctype worker()
{
    byte seen;      /* of the body */
    byte said;      /* of the answer */
    byte n, i, b;
    bool over, told;

end_idle:
    {
    atomic { state == QUEUED -> state = RUNNING };
claimed:
    skip;
at_application:
    atomic { n = 0; i = 0 };
    if
    :: !over -> goto at_read
    :: said < LENGTH -> goto at_write
    :: said == LENGTH -> goto at_finish
#ifdef LOOP
    :: over -> goto at_client_wait
#endif
    fi;

at_read:
    atomic {
        n = BETWEEN(q_read, q_write);
        assert(n <= SIZE);
        b = q_base; /* one load of {base, write} */
        if
        :: n == 0 -> b = 0; goto at_read_wait
#ifdef LOOP /* takes all there is */
        :: n > 0
#else
        :: n > 0 -> n = 1
        :: n > 1
#endif
        fi;
#ifndef MUTANT_READ_BEFORE_COPY
        i = 0;
        do
        :: i < n ->
            assert(q[PLACE_IN(b, (q_read + i) % TURN)] == BYTE(seen + i)); /* in order, none lost, none twice */
            i++
        :: else -> break
        od;
        seen = seen + n; b = 0; i = 0
#endif
    };
request_copied:
#ifndef MUTANT_READ_BEFORE_COPY
    atomic { forget_request(); q_read = (q_read + n) % TURN };
#else
    q_read = (q_read + n) % TURN;
#endif
#ifdef MUTANT_READ_BEFORE_COPY
    atomic {
        i = 0;
        do
        :: i < n ->
            assert(q[PLACE_IN(b, (q_read + TURN - n + i) % TURN)] == BYTE(seen + i));
            i++
        :: else -> break
        od;
        seen = seen + n; b = 0; i = 0
    };
#endif
request_read:
#ifndef MUTANT_ROOM_WITHOUT_NEWS
    if
    :: q_writer_waits != NOT -> news = true
    :: else
    fi;
#endif
    goto at_application;

at_read_wait:
#ifdef LOOP
    q_reader_waits = NEWS;
at_read_news:
    if
    :: expect && seen == 0 -> news = true
    :: else
    fi;
#ifndef MUTANT_NO_SECOND_LOOK_OF_READER
    n = body_end_flag + 2 * closed_flag;
    if
    :: q_write == q_read && n == 0
    :: else -> goto request_woken
    fi;
#endif
    atomic { to_worker -> to_worker = false };
    goto at_read_news;

    /* The application waits for the client to leave. */
at_client_wait:
    q_reader_waits = NEWS;
at_client_news:
    if
    :: closed_flag -> goto at_finish
    :: left_flag -> q_reader_waits = NOT; goto at_write_or_finish
    :: else
    fi;
    atomic { to_worker -> to_worker = false };
    goto at_client_news;
at_write_or_finish:
    if
    :: said < LENGTH -> goto at_write
    :: else -> goto at_finish
    fi;
#endif
#ifndef MUTANT_BELL_AFTER_LOOK
    atomic { listening = true; rung = false };
#endif
    q_reader_waits = BELL;
request_waits:
#ifdef MUTANT_EXPECT_TOLD_ONCE
    if
    :: expect && seen == 0 && !told -> told = true; news = true
    :: else
    fi;
#else
    if
    :: expect && seen == 0 -> news = true
    :: else
    fi;
#endif
#ifndef MUTANT_NO_SECOND_LOOK_OF_READER
    n = body_end_flag + 2 * closed_flag;
    if
    :: q_write == q_read ->
        if
        :: n == 0
        :: else -> goto request_woken
        fi
    :: else -> goto request_woken
    fi;
#endif
#ifdef MUTANT_BELL_AFTER_LOOK
    atomic { listening = true; rung = false };
#endif
    if
    :: atomic { !rung -> in_futex = true };
        if
        :: !in_futex
        :: atomic { expect && !signalled -> signalled = true; in_futex = false }
        fi
    :: rung
    fi;
request_woken:
    atomic { q_reader_waits = NOT; listening = false; rung = false; n = 0; i = 0 };
#ifdef MUTANT_COUNTER_BEFORE_FLAGS
    if
    :: q_write != q_read -> goto at_application
    :: else
    fi;
    n = body_end_flag + 2 * closed_flag;
#else
    n = body_end_flag + 2 * closed_flag;
    if
    :: q_write != q_read -> goto at_application
    :: else
    fi;
#endif
    if
    :: n >= 2 -> goto at_finish
    :: n == 1 ->
        assert(seen == LENGTH); /* the end comes after the last byte */
        over = true;
        goto at_application
    :: n == 0 -> goto at_read_wait
    fi;

at_write:
    if
    :: closed_flag -> goto at_finish
    :: else
    fi;
    atomic {
        n = BETWEEN(p_read, p_write);
        assert(n <= SIZE);
        if
        :: n == 0 -> p_base = p_write /* published with p_write */
        :: else
        fi;
        n = SIZE - n;
        if
        :: n > LENGTH - said -> n = LENGTH - said
        :: else
        fi;
        if
        :: n == 0 -> goto at_write_wait
#ifdef LOOP
        :: n > 0
#else
        :: n > 0 -> n = 1
        :: n > 1
#endif
        fi;
#ifndef MUTANT_WRITTEN_BEFORE_COPY
        i = 0;
        do
        :: i < n -> p[PLACE_IN(p_base, (p_write + i) % TURN)] = BYTE(said + i); i++
        :: else -> break
        od;
        said = said + n;
        i = 0
#endif
    };
response_copied:
    p_write = (p_write + n) % TURN;
#ifdef MUTANT_WRITTEN_BEFORE_COPY
    atomic {
        i = 0;
        do
        :: i < n -> p[PLACE_IN(p_base, (p_write + TURN - n + i) % TURN)] = BYTE(said + i); i++
        :: else -> break
        od;
        said = said + n;
        i = 0
    };
#endif
response_written:
    if
    :: said == LENGTH && over -> goto at_finish /* one news for both */
    :: true
    fi;
    news = true;
    goto at_application;

at_write_wait:
#ifdef LOOP
    p_writer_waits = NEWS;
at_write_news:
#ifndef MUTANT_NO_SECOND_LOOK_OF_WRITER
    if
    :: closed_flag -> goto response_woken
    :: else
    fi;
    if
    :: BETWEEN(p_read, p_write) < SIZE -> goto response_woken
    :: else
    fi;
#endif
    atomic { to_worker -> to_worker = false };
    goto at_write_news;
#endif
    atomic { listening = true; rung = false };
    p_writer_waits = BELL;
response_waits:
#ifndef MUTANT_NO_SECOND_LOOK_OF_WRITER
    if
    :: closed_flag -> goto response_woken
    :: else
    fi;
    if
    :: BETWEEN(p_read, p_write) < SIZE -> goto response_woken
    :: else
    fi;
#endif
    if
    :: atomic { !rung -> in_futex = true };
        if
        :: !in_futex
        :: atomic { expect && !signalled -> signalled = true; in_futex = false }
        fi
    :: rung
    fi;
response_woken:
    atomic { p_writer_waits = NOT; listening = false; rung = false; n = 0 };
    if
    :: closed_flag -> goto at_finish
    :: else
    fi;
    if
    :: BETWEEN(p_read, p_write) < SIZE -> goto at_application
    :: else -> goto at_write_wait
    fi;

at_finish:
    finished = (said == LENGTH);
outcome_stored:
    atomic { assert(state == RUNNING); state = DONE };
done:
    atomic { news = true; seen = 0; said = 0; n = 0; i = 0; over = false; told = false; goto end_idle }
    } unless { dead };
    atomic { seen = 0; said = 0; n = 0; i = 0; over = false; told = false; gone = true };
    atomic { !gone -> dead = false; goto end_idle }
}

proctype killer()
{
end_killer:
    do
    :: atomic { !dead && !ending -> dead = true }
    od
}

/* When nothing moves any more, the request was answered and the stream is back. */
proctype judge()
{
end_judge:
    atomic {
        timeout ->
        assert(ending && state == FREE && !dead)
    }
}

init {
    atomic {
        run front();
        run worker();
        run killer();
        run judge()
    }
}
