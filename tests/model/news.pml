/* News and sleep: one reactor, one worker with two threads, two streams, deaths.
 *
 * The worker tells of a stream by its bit, then the summary's bit; the reactor takes
 * the summary, then the bits. Either side sleeps only after it has said so and looked
 * again, and only the sleeper takes back what it said. A reactor that dozes is rung for
 * certain only by a worker that has nothing else to do, and ends its doze by itself.
 *
 * Who owns a stream is not modelled here (claim.pml): the inbox is a number of hints,
 * and a stream is where `at` says. Requests come, and the worker is killed, without end.
 */

#define STREAMS 2
#define THREADS 2
#define NONE 255
#ifdef SAME_WORD /* of the bits */
#define WORD_OF(s) 0
#define BIT(s) (1 << (s))
#else
#define WORD_OF(s) (s)
#define BIT(s) 1
#endif

/* Where a stream is. */
#define HOME 0     /* the front's, unused */
#define INBOX 1    /* a hint of it lies in the inbox */
#define TAKEN 2    /* a thread of the worker runs it */
#define ANSWERED 3 /* the worker is through with it; the front does not know */
byte at[STREAMS];

/* Shared memory. */
byte bits[2];
byte summary;
byte inbox;          /* put - taken */
byte worker_sleeps;
byte reactor_sleeps;
#define AWAKE 0
#define ASLEEP 1
#define DOZING 2

/* Doorbells: rung, and not yet noticed. */
bool worker_bell;
bool reactor_bell;

/* The front's: mail between goroutines. */
bool mail;     /* sweep after the dead worker */
bool posted;
bool asleep;
bool open = true; /* the worker is given requests */

/* The worker process. */
bool dead;
byte gone;     /* threads that have ended */
bool lock;     /* the crew's, for what follows and for taking hints */
byte idle;     /* threads that sleep, or go to sleep, on the doorbell */
byte up;       /* threads between their sleep and their look into the inbox */

bool ending;   /* no request comes and no worker dies any more */

bool stuck;    /* a thread is inside the application and does not come back */

#define HAS_NEWS(w, s) (WORD_OF(s) == w && (bits[w] & BIT(s)) && at[s] == ANSWERED)

/* Take the bits of word w and look at each stream they name. */
inline take_bits(w)
{
    if
    :: HAS_NEWS(w, 0) -> at[0] = HOME
    :: else
    fi;
    if
    :: HAS_NEWS(w, 1) -> at[1] = HOME
    :: else
    fi;
    bits[w] = 0
}

proctype reactor()
{
    byte upper, given;

at_turn:
    /* Mail. */
    if
    :: atomic { posted -> posted = false };
        atomic {
            if
            :: mail -> mail = false;
                /* The sweep: whatever the dead worker had is dealt with (death.pml). */
                at[0] = HOME; at[1] = HOME
            :: else
            fi
        }
    :: else
    fi;

    /* News. */
#ifdef MUTANT_BITS_BEFORE_SUMMARY
    atomic { upper = 3; goto at_bits };
#else
news_taken:
    atomic { upper = summary; summary = 0 };
#endif
at_bits:
    do
    :: atomic { upper & 1 -> upper = upper & 2; take_bits(0) }
    :: atomic { upper == 2 -> upper = 0; take_bits(1) }
    :: atomic { upper == 0 -> break }
    od;
#ifdef MUTANT_BITS_BEFORE_SUMMARY
    summary = 0;
#endif

    /* Requests that came, then one ring for all of them. */
    do
    :: atomic { !ending && open && (at[0] == HOME || at[1] == HOME) ->
            if
            :: at[0] == HOME -> at[0] = INBOX
            :: at[1] == HOME -> at[1] = INBOX
            fi;
            inbox++;
            given = 1
        }
    :: break
    od;
    if
    :: atomic { given -> given = 0;
            if
            :: worker_sleeps
            :: else -> goto at_sleep
            fi
        };
ring_worker:
        worker_bell = true;
#ifdef MUTANT_RINGER_CLEARS_FLAG
        worker_sleeps = 0
#endif
    :: else
    fi;

at_sleep:
    asleep = true;
    if
    :: reactor_sleeps = DOZING
    :: reactor_sleeps = ASLEEP
    fi;
#ifndef MUTANT_NO_SECOND_LOOK_OF_REACTOR
sleep_again:
    if
    :: posted -> goto awake
    :: else
    fi;
    if
    :: summary != 0 -> goto awake
    :: else
    fi;
#endif
end_wait:
    if
    :: atomic { reactor_bell -> reactor_bell = false; goto awake }
    :: atomic { !ending -> goto awake } /* a socket is ready */
#ifndef MUTANT_ENDLESS_DOZE
    :: reactor_sleeps == DOZING -> goto deepen   /* 200 us are over */
#endif
    fi;
deepen:
    reactor_sleeps = ASLEEP;
#ifndef MUTANT_DEEPEN_WITHOUT_LOOK
    if
    :: posted -> goto awake
    :: else
    fi;
    if
    :: summary != 0 -> goto awake
    :: else
    fi;
#endif
    goto end_wait;

awake:
    reactor_sleeps = AWAKE;
    asleep = false;
    goto at_turn
}

/* A thread of the worker's crew. What it does with the lock is between the threads alone;
 * what it reads and writes of shared memory meanwhile is single steps. The `up` have
 * been woken and have not looked yet: while there is one, the front need not ring. */
proctype worker()
{
    byte s = NONE;
    bool was_up;

end_lock:
    {
    atomic { !lock -> lock = true;
        if
        :: was_up -> up--
        :: else
        fi
    };
at_inbox:
    if
    :: atomic { inbox > 0 ->
            if
            :: at[0] == INBOX -> s = 0
            :: at[1] == INBOX -> s = 1
            fi;
            at[s] = TAKEN;
            inbox--;
            if
            :: was_up && idle > 0 && up == 0 -> goto at_flag
            :: else -> goto at_run
            fi
        }
    :: atomic { inbox == 0 ->
            idle++;
            if
            :: up == 0 -> goto at_flag
            :: else -> goto at_sleep    /* the one who is up looks for all */
            fi
        }
    fi;

    /* From now on somebody sleeps, and nobody is up. */
at_flag:
    worker_sleeps = 1;
sleep_flag:
    if
#ifndef MUTANT_NO_SECOND_LOOK_OF_WORKER
    :: inbox > 0 ->
        if
        :: s != NONE -> goto at_ring
        :: else
        fi;
        idle--;
        if
        :: idle == 0 -> worker_sleeps = 0
        :: else
        fi;
        goto at_inbox
#endif
    :: else ->
        if
        :: s != NONE -> goto at_run
        :: else -> goto at_sleep
        fi
    fi;

    /* More is waiting, and this thread is busy from now on. */
at_ring:
#ifndef MUTANT_RING_NO_OTHER
    worker_bell = true;
#endif
    goto at_run;

at_sleep:
    atomic { lock = false; was_up = false };
end_sleep:
    atomic { worker_bell -> worker_bell = false }; /* edge-triggered: one ring wakes one thread */
    atomic { !lock -> lock = true; idle--; up++; was_up = true };
sleep_over:
    worker_sleeps = 0;
    lock = false;
    goto end_lock;

at_run:
    atomic { lock = false; was_up = false };
    if
    :: atomic { ending && !stuck -> stuck = true };
end_stuck:
        false
    :: true
    fi;
#ifdef MUTANT_NEWS_BEFORE_DATA
    goto at_news;
at_data:
    atomic { at[s] = ANSWERED; s = NONE; goto end_lock };
at_news:
#else
    at[s] = ANSWERED;
#endif
#ifdef MUTANT_SUMMARY_BEFORE_BIT
    summary = summary | (1 << WORD_OF(s));
news_bit:
    bits[WORD_OF(s)] = bits[WORD_OF(s)] | BIT(s);
#else
    bits[WORD_OF(s)] = bits[WORD_OF(s)] | BIT(s);
news_bit:
    summary = summary | (1 << WORD_OF(s));
#endif
news_summary:
    if
    :: atomic { reactor_sleeps == ASLEEP || (reactor_sleeps == DOZING && inbox == 0) -> skip };
        reactor_bell = true
    :: atomic { reactor_sleeps == DOZING && inbox > 0 -> skip }; /* for a batch */
        reactor_bell = true
    :: atomic { reactor_sleeps != ASLEEP && (reactor_sleeps != DOZING || inbox > 0) -> skip }
    fi;
news_rung:
#ifdef MUTANT_NEWS_BEFORE_DATA
    goto at_data
#else
    atomic { s = NONE; goto end_lock }
#endif
    } unless { dead };
    atomic { gone++; s = NONE; was_up = false };
    atomic { !dead -> goto end_lock }
}

/* Kills the worker at any step, has the reactor sweep, and starts another. */
proctype supervisor()
{
end_watch:
    do
    :: atomic { !ending -> dead = true };
        gone == THREADS; /* its pidfd becomes readable */
        atomic { open = false; mail = true };
        posted = true;
        if
        :: asleep -> reactor_bell = true
        :: else
        fi;
        !mail; /* swept and acknowledged */
new_incarnation:
        atomic { inbox = 0; worker_sleeps = 0; lock = false; idle = 0; up = 0; gone = 0; stuck = false; dead = false; open = true }
    :: atomic { !ending -> ending = true }
    od
}

/* When nothing moves any more, everything was noticed. */
proctype judge()
{
end_judge:
    atomic {
        timeout ->
        assert(ending && !mail && !dead);
        assert(inbox == 0);
        assert(at[0] == HOME || (stuck && at[0] == TAKEN));
        assert(at[1] == HOME || (stuck && at[1] == TAKEN))
    }
}

init {
    atomic {
        run reactor();
        run worker();
        run worker();
        run supervisor();
        run judge()
    }
}
