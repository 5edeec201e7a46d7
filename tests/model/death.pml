/* Death and sweep: two reactors, a worker slot whose worker dies again and again.
 *
 * Three requests, of the first, the second and the first reactor, each with a stream
 * of its own, come and leave without end; the slot holds two, the third waits in the
 * line. The worker is killed at any step. Each reactor sweeps its own streams; the
 * next incarnation begins when both have. Requests are begun in the order in which
 * they came, whatever happens between; or, with MOVES, they may also be queued for
 * another worker and be moved here by either reactor, and their order is not kept.
 *
 * Reactors share the inbox and the line under a mutex: what one does while it holds it
 * is one step. Wakes are in news.pml: a reactor sees its mail and its news at any time
 * after the fact.
 */

#define REQUESTS 3
#define CAPACITY 2     /* requests in flight in the slot */
#define ENTRIES 3      /* hints in the inbox */
#define OWNER(i) ((i) % 2)

/* A request, as its reactor knows it. */
#define AWAY 0
#define LINE 1
#define PLACED 2
#define GONE 3         /* its client left while the worker ran it */
#define ELSEWHERE 4    /* queued for another worker, which never dies here */
byte request[REQUESTS];
byte ticket[REQUESTS]; /* rank among the requests that are not AWAY; 0 for those */
bool in_slot[REQUESTS];
byte begun[REQUESTS];  /* how often a worker began it */

/* Shared memory. Of incarnation and sequence it only matters whether they are the
 * newest ones: then `fresh`. A hint is 1 + request while it is fresh, 4 + request later. */
#define FREE 0
#define QUEUED 1
#define RUNNING 2
#define DONE 3
byte state[REQUESTS];
bool fresh[REQUESTS];
byte hint[ENTRIES];    /* the oldest first */
byte hints;
byte hand;             /* the hint that the worker has taken, then what it runs */
bool news[REQUESTS];

/* The front's, under the mutex. */
bool open = true;
byte acknowledged;

/* Mail to each reactor. */
bool sweep[2];
bool room_made[2];     /* look at the line */

bool dead, gone;       /* the worker is killed; it has come to a stop */
bool ending;

#define IN_FLIGHT (in_slot[0] + in_slot[1] + in_slot[2])
#define ROOM (open && IN_FLIGHT < CAPACITY && hints < ENTRIES)
#define IN_LINE (request[0] == LINE || request[1] == LINE || request[2] == LINE)
#define FIRST(i) (request[i] == LINE && BEFORE(i, 0) && BEFORE(i, 1) && BEFORE(i, 2))
#ifdef MUTANT_REQUEUE_AT_TAIL
bool late[REQUESTS];   /* came back behind all others */
#define BEFORE(i, j) (request[j] != LINE || late[i] < late[j] || (late[i] == late[j] && ticket[i] <= ticket[j]))
#else
#define BEFORE(i, j) (request[j] != LINE || ticket[i] <= ticket[j])
#endif
/* Nobody who came earlier than i waits. */
#define IN_TURN(i) (NOT_PASSED(i, 0) && NOT_PASSED(i, 1) && NOT_PASSED(i, 2))
#define NOT_PASSED(i, j) (ticket[i] <= ticket[j] || !(request[j] == LINE || (request[j] == PLACED && state[j] == QUEUED)))

/* The hints of request i name an earlier queueing from now on. */
inline age_hints(i)
{
    if
    :: hint[0] == 1 + i -> hint[0] = 4 + i
    :: else
    fi;
    if
    :: hint[1] == 1 + i -> hint[1] = 4 + i
    :: else
    fi;
    if
    :: hint[2] == 1 + i -> hint[2] = 4 + i
    :: else
    fi;
    if
    :: hand == 1 + i -> hand = 4 + i
    :: else
    fi
}

/* Request i is answered or its client has left: those behind it move up. */
inline forget_ticket(i)
{
    if
    :: ticket[0] > ticket[i] -> ticket[0]--
    :: else
    fi;
    if
    :: ticket[1] > ticket[i] -> ticket[1]--
    :: else
    fi;
    if
    :: ticket[2] > ticket[i] -> ticket[2]--
    :: else
    fi;
    ticket[i] = 0
}

/* Stream and request are over. */
inline over(i)
{
    d_step {
        forget_ticket(i);
        request[i] = AWAY; state[i] = FREE; in_slot[i] = false; begun[i] = 0; fresh[i] = false
    }
}

inline new_ticket(i)
{
    ticket[i] = 1 + (request[0] != AWAY) + (request[1] != AWAY) + (request[2] != AWAY)
}

/* Under the mutex: request i goes to the slot. Its single stores are in claim.pml. */
inline put(i)
{
    d_step {
#ifdef MUTANT_REQUEUE_AT_TAIL
        late[i] = false;
#endif
        request[i] = PLACED;
        in_slot[i] = true;
        age_hints(i);
        fresh[i] = true;
        state[i] = QUEUED;
        hint[hints] = 1 + i;
        hints++
    }
}

#define CAN_LEAVE(i) (MINE(i) && (request[i] == LINE || request[i] == PLACED))
#ifdef MOVES
#define MINE(i) (OWNER(i) == me && i != 2) /* two requests are enough for this */
#else
#define MINE(i) (OWNER(i) == me)
#endif

proctype reactor(bit me)
{
    byte i;

end_wait:
    do
    /* A request comes. */
    :: atomic { !ending && ((MINE(0) && request[0] == AWAY) || (MINE(1) && request[1] == AWAY) || (MINE(2) && request[2] == AWAY)) ->
            if
            :: MINE(0) && request[0] == AWAY -> i = 0
            :: MINE(1) && request[1] == AWAY -> i = 1
            :: MINE(2) && request[2] == AWAY -> i = 2
            fi;
            new_ticket(i);
            if
            :: !IN_LINE && ROOM ->
                request[i] = LINE;
                put(i)
            :: else -> request[i] = LINE
#ifdef MOVES
            :: request[i] = ELSEWHERE
#endif
            fi;
            i = 0
        }

#ifdef MOVES
    /* What another worker has not begun comes to this slot, whosever it is; or is done there. */
    :: atomic { ROOM && (request[0] == ELSEWHERE || request[1] == ELSEWHERE || request[2] == ELSEWHERE) ->
            if
            :: request[0] == ELSEWHERE -> i = 0
            :: request[1] == ELSEWHERE -> i = 1
            :: request[2] == ELSEWHERE -> i = 2
            fi;
#ifdef MUTANT_PUT_WITHOUT_RECHECK
            request[i] = PLACED /* that there is room was seen without the mutex */
        };
        atomic {
#endif
            put(i);
            i = 0
        }
    :: atomic { MINE(0) && request[0] == ELSEWHERE -> over(0) }
    :: atomic { MINE(1) && request[1] == ELSEWHERE -> over(1) }
    :: atomic { MINE(2) && request[2] == ELSEWHERE -> over(2) }
#endif

    /* The line is worth a look. */
    :: atomic { room_made[me] ->
            if
            :: ROOM && FIRST(0) -> i = 0
            :: ROOM && FIRST(1) -> i = 1
            :: ROOM && FIRST(2) -> i = 2
            :: else -> i = REQUESTS
            fi;
            if
            :: i == REQUESTS -> room_made[me] = false
            :: i < REQUESTS && MINE(i) -> put(i) /* and look again */
            :: else -> room_made[me] = false;
ring_other:
#ifndef MUTANT_RING_NO_OTHER
                room_made[1 - me] = true
#endif
            fi;
            i = 0
        }

    /* News: stream i may be through, or only a stale hint of it was taken. */
    :: atomic { (MINE(0) && news[0]) || (MINE(1) && news[1]) || (MINE(2) && news[2]) ->
            if
            :: MINE(0) && news[0] -> i = 0
            :: MINE(1) && news[1] -> i = 1
            :: MINE(2) && news[2] -> i = 2
            fi;
            news[i] = false;
            room_made[me] = true;
            if
            :: in_slot[i] && state[i] == DONE ->
                assert(begun[i] == 1);
                over(i)
            :: else
            fi;
            i = 0
        }

    /* A client leaves. */
    :: atomic { !ending && (CAN_LEAVE(0) || CAN_LEAVE(1) || CAN_LEAVE(2)) ->
            if
            :: CAN_LEAVE(0) -> i = 0
            :: CAN_LEAVE(1) -> i = 1
            :: CAN_LEAVE(2) -> i = 2
            fi;
cancel:
            if
            :: request[i] == PLACED && state[i] == RUNNING -> request[i] = GONE
            :: else -> over(i); room_made[me] = true
            fi;
            i = 0
        }

    /* Mail: the worker is dead. */
    :: atomic { sweep[me] -> sweep[me] = false;
            do
            :: i < REQUESTS && MINE(i) && in_slot[i] ->
                if
#ifdef MUTANT_LEAK_LEFT
                :: request[i] == GONE -> in_slot[i] = false
#else
                :: request[i] == GONE -> over(i)
#endif
#ifndef MUTANT_LOSE_DONE
                :: request[i] == PLACED && state[i] == DONE ->
                    assert(begun[i] == 1);
                    over(i) /* answered as usual */
#endif
#ifndef MUTANT_LOSE_QUEUED
                :: request[i] == PLACED && state[i] == QUEUED ->
sweep_requeue:
                    assert(begun[i] == 0);
                    in_slot[i] = false; state[i] = FREE; request[i] = LINE;
#ifdef MUTANT_REQUEUE_AT_TAIL
                    late[i] = true
#endif
#endif
#ifdef MUTANT_REQUEUE_RUNNING
                :: request[i] == PLACED && state[i] == RUNNING ->
                    in_slot[i] = false; state[i] = FREE; request[i] = LINE
#endif
                :: else ->
sweep_lost:
                    assert(begun[i] == 1 && state[i] == RUNNING); /* 502 for what was begun, and for nothing else */
                    over(i)
                fi;
                i++
            :: i < REQUESTS && !(MINE(i) && in_slot[i]) -> i++
            :: i == REQUESTS -> break
            od;
            i = 0;
            room_made[me] = true;
acknowledge:
            acknowledged++
        }
    od
}

proctype worker()
{
end_idle:
    {
    atomic { hints > 0 -> hand = hint[0] };
inbox_seen:
    atomic { hint[0] = hint[1]; hint[1] = hint[2]; hint[2] = 0; hints-- };
inbox_taken:
    atomic {
        if
        :: hand < 4 && state[hand - 1] == QUEUED && fresh[hand - 1] ->
            assert(begun[hand - 1] == 0);    /* never begun twice */
#ifndef MOVES
            assert(IN_TURN(hand - 1));       /* and not before its elders */
#endif
            begun[hand - 1] = 1;
            state[hand - 1] = RUNNING
        :: else -> goto at_lost
        fi
    };
claimed:
    skip;
outcome_stored:
    atomic {
        assert(hand < 4 && state[hand - 1] == RUNNING && in_slot[hand - 1]); /* a running stream is never taken */
        state[hand - 1] = DONE
    };
done:
    atomic { news[(hand - 1) % REQUESTS] = true; hand = 0; goto end_idle };

at_lost:
    atomic { news[(hand - 1) % REQUESTS] = true; hand = 0; goto end_idle }
    } unless { dead };
    atomic { hand = 0; gone = true };
    atomic { !gone -> dead = false; goto end_idle }
}

proctype supervisor()
{
end_watch:
    do
#ifdef MUTANT_SWEEP_THE_LIVING
    :: !ending && !dead;
#else
    :: atomic { !ending && !dead -> dead = true };
        gone; /* its pidfd is readable */
#endif
#ifndef MUTANT_LEFT_OPEN
        open = false;
#endif
        sweep[0] = true;
        sweep[1] = true;
#ifdef MUTANT_NEXT_BEFORE_ACKS
        acknowledged == 1;
#else
        acknowledged == 2;
#endif
#ifdef MUTANT_SWEEP_THE_LIVING
        dead = true;
        gone;
#endif
new_incarnation:
        atomic {
            hint[0] = 0; hint[1] = 0; hint[2] = 0; hints = 0;
            fresh[0] = false; fresh[1] = false; fresh[2] = false;
            gone = false
        };
        atomic { open = true; acknowledged = 0 };
        room_made[0] = true;
        room_made[1] = true
    :: atomic { !ending -> ending = true }
    od
}

/* When nothing moves any more, everybody was answered and nothing leaked. */
proctype judge()
{
end_judge:
    atomic {
        timeout ->
        assert(ending && open && !dead);
        assert(request[0] == AWAY && request[1] == AWAY && request[2] == AWAY);
        assert(state[0] == FREE && state[1] == FREE && state[2] == FREE);
        assert(IN_FLIGHT == 0 && hints == 0)
    }
}

init {
    atomic {
        run reactor(0);
        run reactor(1);
        run worker();
        run supervisor();
        run judge()
    }
}
