/* The event loops of one worker: a front, two loops in one process, two streams, a drain.
 *
 * Both take hints out of the one inbox. Of a stream's news, which either may take, its owner
 * is told. The one doorbell can wake only one of them, the watcher: who goes to work leaves
 * the watch to the other one, if that rests; who ends leaves it to who does not. One loop may
 * be stuck in the application, at what it has taken, while everything else must go on.
 *
 * With STOPS the application stops a loop, which tells of the drain by itself: it goes on until
 * there is nothing to do for it, and what is put into the inbox meanwhile is the front's to move. One
 * stream is enough for that.
 *
 * Deaths are not modelled: what the loops share among themselves dies with them, and what
 * they do with shared memory is claim.pml's and news.pml's.
 */

#define STREAMS 2

/* Where a stream is. */
#define HOME 0
#define INBOX 1   /* a hint of it lies in the inbox */
#define TAKEN 2   /* a loop has read the hint */
#define RUNNING 3 /* and has begun it: it waits for news */
byte at[STREAMS];
bool due[STREAMS]; /* there is something that its owner is to notice */

/* Shared memory, and the doorbell: rung, and not read yet. */
byte inbox;
bool news[STREAMS];
bool worker_sleeps;
bool doorbell;

/* The worker's own. */
byte owner[STREAMS];
bool handed0[STREAMS]; /* news of its streams that the other one has taken */
bool handed1[STREAMS];
bool rung[2];
bool bell[2];
bool idle[2];
byte watcher;          /* the doorbell is in the set of this loop */
bool asleep;
bool lock;
bool gone[2];
bool told;
bool ended;            /* the thread of loop 1 */
bool finished;         /* loop 0 */

bool ending;           /* no request comes any more */
bool draining;
bool stuck;            /* loop 0 is inside the application and does not come back */

#define MINE(s) (at[s] == RUNNING && owner[s] == me)
#define IS_STUCK(s) (stuck && owner[s] == 0) /* no ring for it is to help others */
#define IS_HANDED(l, s) ((l == 0 && handed0[s]) || (l == 1 && handed1[s]))

#ifdef STOPS
#define MAY_PUT(s) (s == 0)
#else
#define MAY_PUT(s) true
#endif

proctype front()
{
end_front:
    do
    :: atomic { !ending && MAY_PUT(0) && at[0] == HOME -> at[0] = INBOX; inbox++; goto at_look }
    :: atomic { !ending && MAY_PUT(1) && at[1] == HOME -> at[1] = INBOX; inbox++; goto at_look }
    :: atomic { at[0] == RUNNING && !due[0] && !IS_STUCK(0) -> due[0] = true; news[0] = true; goto at_look }
    :: atomic { at[1] == RUNNING && !due[1] && !IS_STUCK(1) -> due[1] = true; news[1] = true; goto at_look }
    :: atomic { !ending -> ending = true }
#ifdef STOPS
    :: atomic { draining && !ending -> ending = true } /* it has heard of it */
#else
    :: atomic { ending && !draining && inbox == 0 -> draining = true; goto at_ring }
#endif
    od;
at_look:
    atomic {
        if
        :: worker_sleeps -> doorbell = true
        :: else
        fi;
        goto end_front
    };
at_ring:
    atomic { doorbell = true; goto end_front }
}

inline ring(l)
{
    if
    :: atomic { !rung[l] -> rung[l] = true }; bell[l] = true
    :: else
    fi
}

/* Puts the doorbell into the set of a loop, and out of the one that it was in. What is done
 * under the lock and nobody reads without it is one step with what stands before it. */
#define WATCH(l) watcher = l

/* Its owner notices, and the request is over. */
inline notice(s)
{
    atomic {
        if
        :: MINE(s) && due[s] -> due[s] = false; at[s] = HOME; owner[s] = 0
        :: else
        fi
    }
}

inline hand_over(s)
{
    atomic {
        if
        :: me == 0 -> handed1[s] = true
        :: me == 1 -> handed0[s] = true
        fi
    };
#ifndef MUTANT_HAND_OVER_SILENTLY
    if
    :: idle[1 - me] -> ring(1 - me)
    :: else
    fi
#endif
}

proctype loop(byte me)
{
    byte s;

at_bell:
    /* gb_seat_hear */
#ifdef MUTANT_FORGET_THE_RING
    rung[me] = false;
    bell[me] = false;
#else
    bell[me] = false;
    rung[me] = false;
#endif
#ifndef MUTANT_HEAR_AFTER_LOOK
    atomic {
        if
        :: watcher == me -> doorbell = false
        :: else
        fi
    };
#endif

at_turn:
    /* gb_seat_wake */
    if
    :: atomic { draining && !told -> told = true };
#ifndef MUTANT_DRAIN_UNTOLD
        ring(0);
        ring(1)
#endif
    :: else
    fi;
    if
    :: idle[me] ->
        atomic { !lock -> lock = true; idle[me] = false;
            if
            :: watcher == me && asleep -> asleep = false
            :: else -> lock = false; goto at_news
            fi
        };
        atomic { worker_sleeps = false; lock = false }
    :: else
    fi;

at_news:
    atomic {
        if
        :: IS_HANDED(me, 0) ->
            if
            :: me == 0 -> handed0[0] = false
            :: else -> handed1[0] = false
            fi;
            notice(0)
        :: else
        fi
    };
    atomic {
        if
        :: IS_HANDED(me, 1) ->
            if
            :: me == 0 -> handed0[1] = false
            :: else -> handed1[1] = false
            fi;
            notice(1)
        :: else
        fi
    };
    if
    :: atomic { news[0] && owner[0] == me -> news[0] = false; notice(0) }
    :: atomic { news[0] && owner[0] != me -> news[0] = false }; hand_over(0)
    :: !news[0] -> skip
    fi;
    if
    :: atomic { news[1] && owner[1] == me -> news[1] = false; notice(1) }
    :: atomic { news[1] && owner[1] != me -> news[1] = false }; hand_over(1)
    :: !news[1] -> skip
    fi;
#ifdef MUTANT_HEAR_AFTER_LOOK
    atomic {
        if
        :: watcher == me -> doorbell = false
        :: else
        fi
    };
#endif

    /* gb_seat_take */
at_take:
    atomic { !lock && !gone[me] -> lock = true };
    if
    :: atomic { inbox > 0 -> inbox--;
            if
            :: at[0] == INBOX -> s = 0
            :: at[1] == INBOX -> s = 1
            fi;
            at[s] = TAKEN
        }
    :: atomic { inbox == 0 -> lock = false; goto at_rest }
    fi;
#ifndef MUTANT_KEEP_THE_WATCH
    if
    :: atomic { !asleep && idle[1 - me] -> WATCH(1 - me); asleep = true };
        worker_sleeps = true;
sleep_flag:
#ifndef MUTANT_SHARE_WITHOUT_LOOK
        if
        :: inbox > 0 || news[0] || news[1] -> ring(1 - me)
        :: else
        fi
#endif
    :: else
    fi;
#endif
    lock = false;
    atomic { owner[s] = me; at[s] = RUNNING; s = 0 };
#ifndef STOPS
    if
    :: atomic { ending && me == 0 -> stuck = true };
end_stuck:
        false
    :: true
    fi;
#endif
    goto at_take;

    /* gb_seat_rest */
at_rest:
    atomic { !lock -> lock = true; idle[me] = true; asleep = true;
        if
        :: WATCH(me)
        :: idle[1 - me] -> WATCH(1 - me) /* it has fewer requests */
        fi
    };
    worker_sleeps = true;
#ifndef MUTANT_REST_WITHOUT_LOOK
    if
    :: inbox > 0 || news[0] || news[1] -> goto at_more
    :: else
    fi;
#endif
#ifndef MUTANT_REST_WITHOUT_LOOK_AT_HANDED
    if
    :: IS_HANDED(me, 0) || IS_HANDED(me, 1) -> goto at_more
    :: else
    fi;
#endif
    atomic { lock = false; goto at_drained };
at_more:
    atomic { idle[me] = false; asleep = false };
sleep_over:
    atomic { worker_sleeps = false; lock = false; goto at_news };

    /* stop_if_drained */
at_drained:
    if
    :: atomic { draining && !MINE(0) && !MINE(1) && (me == 1 || ended) -> skip }
    :: else -> goto end_sleep
    fi;
    /* gb_seat_leave */
    atomic { !lock -> lock = true; gone[me] = true; idle[me] = false };
#ifndef MUTANT_LEAVE_WITH_THE_WATCH
    if
    :: watcher == me && !gone[1 - me] ->
        atomic { asleep = false; WATCH(1 - me) };
        worker_sleeps = false;
        ring(1 - me)
    :: else
    fi;
#endif
    lock = false;
    /* gb_seat_end */
    if
    :: me == 1 ->
end_finish:
        atomic { at[0] != RUNNING && at[1] != RUNNING -> ended = true }; /* its last task waits for the other loop */
#ifndef MUTANT_END_SILENTLY
        ring(0)
#endif
    :: else -> finished = true
    fi;
    goto end_loop;

end_sleep:
    if
    :: bell[me] -> goto at_bell
    :: watcher == me && doorbell -> goto at_bell
#ifdef STOPS
    /* gb_drain_ask; then it runs on, and looks */
    :: atomic { !draining -> draining = true }; doorbell = true;
#ifdef MUTANT_STOP_FOR_GOOD
        goto end_loop
#else
        goto at_bell
#endif
#endif
    fi;
end_loop:
    skip
}

/* When nothing moves any more, everything was noticed, but by who is stuck. */
proctype judge()
{
end_judge:
    atomic {
        timeout ->
#ifdef STOPS /* what lies in the inbox is another worker's when this one is dead */
        assert(draining);
        assert(at[0] == HOME || at[0] == INBOX);
        assert(at[1] == HOME || at[1] == INBOX);
#else
        assert(ending && draining && inbox == 0);
        assert(at[0] == HOME || IS_STUCK(0));
        assert(at[1] == HOME || IS_STUCK(1));
#endif
        assert(stuck || (ended && finished))
    }
}

init {
    atomic {
        run front();
        run loop(0);
        run loop(1);
        run judge()
    }
}
