/* Claim and take-back: one front, two workers with a thread each, two streams.
 *
 * Who owns a stream is decided by its word alone. Hints may be stale, clients may
 * leave, streams may be taken back and used again, without end. A sequence is only
 * ever compared for being equal, so it is enough to tell the newest (1) from all
 * earlier ones (0), and an endless run has finitely many states. The same holds for
 * the use count of a connection.
 *
 * Wakes are not modelled here (news.pml): a worker sees its inbox, and the front a
 * stream that is DONE, at any time after the fact. What is modelled is that a line
 * of waiting requests is looked at only when room was made, because hints that
 * nobody wants any more fill an inbox too.
 */

#define WORKERS 2
#define STREAMS 2
#define CLIENTS 2
#define ENTRIES 2 /* hints in an inbox */
#define TURN (2 * ENTRIES) /* put and taken count modulo this; an empty inbox begins anew at 0 */

/* The word: state:2 | worker:1 | sequence:1. A worker stands for its incarnation. */
#define FREE 0
#define QUEUED 1
#define RUNNING 2
#define DONE 3
#define WORD(state, w, q) ((state) + 4 * (w) + 8 * (q))
#define STATE(x) ((x) & 3)
#define AS(x, state) (((x) & 252) + (state))

#define NOBODY 2   /* as a slot: no worker has the stream */
#define WAITED(w) ((put[w] + TURN - taken[w]) % TURN)

/* Shared memory. */
byte word[STREAMS];
byte hint_word[4];   /* inbox of worker w: entries w * ENTRIES + i */
byte hint_stream[4];
byte put[WORKERS];
byte taken[WORKERS];
byte name[STREAMS];   /* connection and its use count, which is also what the request asks */
byte answer[STREAMS];

/* Private to a worker; global so that a fresh sequence can be found. */
byte hand_word[WORKERS];  /* the hint it has taken, then the stream it runs */
byte hand_stream[WORKERS];
byte old_word[WORKERS];   /* an object of the application that outlived its request */
byte old_stream[WORKERS];

#ifdef FILES
/* An answer may name one file or two (FILE records), whose descriptor goes through the worker's
 * socket before: which stream and word it is for, and the name of the request as what
 * the file is. One message fills a socket. Only one worker is given requests here. */
byte said_word[WORKERS];
byte said_stream[WORKERS];
byte said_name[WORKERS];
bool names_file[STREAMS];
byte file[STREAMS];   /* held by the front; 0: none */
#endif

#ifdef SPOOLS
/* The body of each request is in a file that the front holds, and the worker that runs the
 * request is sent its descriptor through its socket when the application wants the body. A
 * file is known by its request's name. One message fills a socket; the worker's watcher
 * takes it out. Only one worker is given requests here. */
bool body[STREAMS];    /* held by the front */
bool wants[STREAMS];   /* reader_waits is GB_WAITS_FILE */
bool passed[STREAMS];  /* GB_BODY_PASSED */
bool gone[STREAMS];    /* GB_CLOSED */
byte told_word[WORKERS];
byte told_stream[WORKERS];
byte told_name[WORKERS];
byte expects_word[WORKERS]; /* whose file the request's thread expects, and what has come */
byte expects_stream[WORKERS];
byte got[WORKERS];
#endif

/* The front's. */
#define AWAY 0
#define LINE 1
#define PLACED 2
byte client[CLIENTS];
byte slot[STREAMS] = NOBODY; /* whose worker has it */
bool room_made;          /* and somebody waits for it */
bool ending;             /* no client comes or leaves any more */

#define WRONG 255

byte each;

/* What compares equal to no word that will ever be: an old hint of worker w. */
#define OLD_HINT(w) WORD(QUEUED, w, 0)

/* Stream s is about to be queued with sequence 1: whoever holds an earlier sequence of
 * it holds 0 from now on. */
inline age_sequences(s)
{
    d_step {
        each = 0;
        do
        :: each < WORKERS * ENTRIES ->
            if
            :: hint_word[each] != 0 && hint_stream[each] == s ->
                hint_word[each] = OLD_HINT(each / ENTRIES); hint_stream[each] = 0
            :: else
            fi;
            each++
        :: else -> break
        od;
        each = 0;
        do
        :: each < WORKERS ->
            if
            :: hand_word[each] != 0 && hand_stream[each] == s ->
                hand_word[each] = OLD_HINT(each); hand_stream[each] = 0
            :: else
            fi;
            if
            :: old_word[each] != 0 && old_stream[each] == s -> old_word[each] = 0; old_stream[each] = 0
            :: else
            fi;
#ifdef FILES
            if
            :: said_word[each] != 0 && said_stream[each] == s -> said_word[each] = WORD(RUNNING, each, 0)
            :: else
            fi;
#endif
#ifdef SPOOLS
            if
            :: told_word[each] != 0 && told_stream[each] == s -> told_word[each] = WORD(RUNNING, each, 0)
            :: else
            fi;
            if
            :: expects_word[each] != 0 && expects_stream[each] == s -> expects_word[each] = WORD(RUNNING, each, 0)
            :: else
            fi;
#endif
            each++
        :: else -> break
        od;
        each = 0
    }
}

/* Connection c is about to begin a request with use count 1: streams of its earlier
 * ones carry 0 from now on. */
#define NAME(c, count) (1 + 2 * (c) + (count))
#define CLIENT(name) (((name) - 1) / 2)
inline age_names(c)
{
    d_step {
        each = 0;
        do
        :: each < STREAMS ->
            if
            :: name[each] == NAME(c, 1) -> name[each] = NAME(c, 0)
            :: else
            fi;
            if
            :: answer[each] == NAME(c, 1) -> answer[each] = NAME(c, 0)
            :: else
            fi;
#ifdef FILES
            if
            :: file[each] == NAME(c, 1) -> file[each] = NAME(c, 0)
            :: else
            fi;
            if
            :: said_name[each] == NAME(c, 1) -> said_name[each] = NAME(c, 0)
            :: else
            fi;
#endif
#ifdef SPOOLS
            if
            :: told_name[each] == NAME(c, 1) -> told_name[each] = NAME(c, 0)
            :: else
            fi;
            if
            :: got[each] == NAME(c, 1) -> got[each] = NAME(c, 0)
            :: else
            fi;
#endif
            each++
        :: else -> break
        od;
        each = 0
    }
}

#ifdef MUTANT_PUT_WITHOUT_ROOM
#define ROOM(w) true
#else
#if defined(FILES) || defined(SPOOLS)
#define ROOM(w) ((w) == 0 && WAITED(w) < ENTRIES)
#else
#define ROOM(w) (WAITED(w) < ENTRIES)
#endif
#endif

#ifdef FILES
#define ASKED(s) (slot[s] != NOBODY && client[CLIENT(name[s])] == PLACED && name[s] == NAME(CLIENT(name[s]), 1))
#define NAMED(s) (names_file[s] && ASKED(s))
#ifdef MUTANT_FILE_ANY_SEQUENCE
#define FOR_THIS(s, w) (STATE(word[s]) >= RUNNING && slot[s] == (w))
#else
#define FOR_THIS(s, w) (STATE(word[s]) >= RUNNING && AS(word[s], RUNNING) == said_word[w])
#endif

/* The front takes what lies in the socket of worker w. */
inline hear(w)
{
    if
    :: ASKED(said_stream[w]) && FOR_THIS(said_stream[w], w) && file[said_stream[w]] == 0 ->
file_held:
        file[said_stream[w]] = said_name[w]
    :: else /* it is closed */
    fi;
    said_word[w] = 0; said_stream[w] = 0; said_name[w] = 0
}
#define MOVABLE(s) false
#else
#define NAMED(s) false
#define MOVABLE(s) (!ending && slot[s] != NOBODY && STATE(word[s]) == QUEUED && ROOM(1 - slot[s]))
#endif
#define FINISHED(s) (slot[s] != NOBODY && STATE(word[s]) == DONE && !NAMED(s))
#define IN_LINE (client[0] == LINE || client[1] == LINE)

#ifdef SPOOLS
#ifdef MUTANT_SPOOL_BEFORE_CLAIM
#define WANTED(s) (slot[s] != NOBODY && body[s] && STATE(word[s]) <= RUNNING && told_word[slot[s]] == 0)
#else
#define WANTED(s) (slot[s] != NOBODY && body[s] && wants[s] && STATE(word[s]) == RUNNING && told_word[slot[s]] == 0)
#endif
#endif

#define PLACE 1
#define PUT 2
#define DROP 3

proctype front()
{
    byte c, s, w, act;

end_turn:
    do
    :: atomic {
        if
        /* A request comes. Where others wait it joins the line, else it is placed if it can be. */
        :: !ending && (client[0] == AWAY || client[1] == AWAY) ->
            if
            :: client[0] == AWAY -> c = 0
            :: client[1] == AWAY -> c = 1
            fi;
            age_names(c);
            act = (IN_LINE -> 0 : PLACE);
            client[c] = LINE

        /* Room was made: the line moves on. */
        :: room_made ->
            if
            :: client[0] == LINE -> c = 0
            :: client[1] == LINE -> c = 1
            fi;
            act = PLACE

        /* A stream that a worker has not begun goes to another one. */
        :: MOVABLE(0) || MOVABLE(1) ->
            if
            :: MOVABLE(0) -> s = 0
            :: MOVABLE(1) -> s = 1
            fi;
            w = 1 - slot[s];
            act = PUT;
#ifdef MUTANT_TAKE_BACK_BY_STORE
            goto take_back
#else
take_back:
            word[s] = AS(word[s], FREE)
#endif

        /* A client leaves. */
        :: !ending && client[0] + client[1] != 0 ->
            if
            :: client[0] != AWAY -> c = 0
            :: client[1] != AWAY -> c = 1
            fi;
            if
            :: client[c] == LINE -> room_made = room_made && client[1 - c] == LINE
            :: client[c] == PLACED && slot[0] != NOBODY && name[0] == NAME(c, 1) -> s = 0; goto cancel
            :: client[c] == PLACED && slot[1] != NOBODY && name[1] == NAME(c, 1) -> s = 1;
cancel:
                if
#ifndef MUTANT_FREE_RUNNING
                :: STATE(word[s]) == RUNNING ->
closed_set:
                    skip /* what the worker sees of it: pipes.pml */
#ifdef SPOOLS
                    ; gone[s] = true; body[s] = false
#endif
#endif
                :: else -> act = DROP /* QUEUED, and the swap succeeds; or DONE */
                fi
            fi;
            client[c] = AWAY

#ifdef FILES
        /* Somebody listens to the workers, */
        :: said_word[0] != 0 || said_word[1] != 0 ->
            if
            :: said_word[0] != 0 -> w = 0
            :: said_word[1] != 0 -> w = 1
            fi;
            hear(w)

        /* and who comes to the record takes the file. */
        :: NAMED(0) || NAMED(1) ->
            if
            :: NAMED(0) -> s = 0
            :: NAMED(1) -> s = 1
            fi;
#ifndef MUTANT_FILE_NOT_FETCHED
            w = slot[s];
            if
            :: file[s] == 0 && said_word[w] != 0 ->
file_fetched:
                hear(w)
            :: else
            fi;
#endif
            assert(file[s] == name[s]); /* it is there, and the one that the answer is of */
            file[s] = 0; names_file[s] = false
#endif

#ifdef SPOOLS
        /* A worker wants the body of what it runs. */
        :: WANTED(0) || WANTED(1) ->
            if
            :: WANTED(0) -> s = 0
            :: WANTED(1) -> s = 1
            fi;
            w = slot[s];
spool_sent:
            told_word[w] = AS(word[s], RUNNING); told_stream[w] = s; told_name[w] = name[s];
            body[s] = false;
            goto spool_told
#endif

        /* A worker is through with a stream. */
        :: FINISHED(0) || FINISHED(1) ->
            if
            :: FINISHED(0) -> s = 0
            :: FINISHED(1) -> s = 1
            fi;
            c = CLIENT(name[s]);
            if
#ifdef MUTANT_IGNORE_USE_COUNT
            :: client[c] == PLACED ->
#else
            :: client[c] == PLACED && name[s] == NAME(c, 1) ->
#endif
                assert(answer[s] == NAME(c, 1)); /* the right answer, and to who asked */
                client[c] = AWAY
            :: else /* the client has left */
            fi;
            act = DROP

        :: !ending -> ending = true
        fi;
#ifdef MUTANT_TAKE_BACK_BY_STORE
    }
    atomic {
        if
        :: false ->
take_back:
            word[s] = AS(word[s], FREE)
        :: else
        fi;
#endif

        /* Client c is in the line: a stream and a worker with room, or it stays there. */
        if
        :: act == PLACE && slot[0] == NOBODY && ROOM(0) -> s = 0; w = 0; act = PUT
        :: act == PLACE && slot[0] == NOBODY && ROOM(1) -> s = 0; w = 1; act = PUT
        :: act == PLACE && slot[0] != NOBODY && slot[1] == NOBODY && ROOM(0) -> s = 1; w = 0; act = PUT
        :: act == PLACE && slot[0] != NOBODY && slot[1] == NOBODY && ROOM(1) -> s = 1; w = 1; act = PUT
        :: else
        fi;
        if
        :: act == PUT && slot[s] == NOBODY ->
reuse:
            name[s] = NAME(c, 1);
#ifdef SPOOLS
            body[s] = true; wants[s] = false; passed[s] = false; gone[s] = false;
#endif
            client[c] = PLACED;
            room_made = room_made && IN_LINE
        :: act == PLACE -> room_made = false; act = 0
        :: act == DROP ->
free:
            word[s] = AS(word[s], FREE);
            name[s] = 0; answer[s] = 0; slot[s] = NOBODY;
#ifdef FILES
            names_file[s] = false;
#ifndef MUTANT_FILE_KEPT
file_dropped:
            file[s] = 0;
#endif
#endif
#if defined(SPOOLS) && !defined(MUTANT_SPOOL_NOT_DROPPED)
spool_dropped:
            body[s] = false;
#endif
            room_made = IN_LINE;
            act = 0
        :: else
        fi;
        c = 0;
        if
        :: act == PUT ->
            slot[s] = w;
#ifndef MUTANT_SAME_SEQUENCE
            age_sequences(s);
#endif
#ifndef MUTANT_WORD_AFTER_HINT
put_word:
            word[s] = WORD(QUEUED, w, 1)
#endif
        :: else -> s = 0; w = 0; act = 0; goto end_turn
        fi
       }
put_hint:
       atomic {
        c = w * ENTRIES + put[w] % ENTRIES;
#ifdef MUTANT_COUNT_BEFORE_HINT
        put[w] = (put[w] + 1) % TURN
       }
       atomic {
#endif
        hint_word[c] = WORD(QUEUED, w, 1);
        hint_stream[c] = s;
        c = 0;
#ifndef MUTANT_COUNT_BEFORE_HINT
put_count:
        put[w] = (put[w] + 1) % TURN;
#endif
#ifdef MUTANT_WORD_AFTER_HINT
       }
       atomic {
        word[s] = WORD(QUEUED, w, 1);
#endif
        s = 0; w = 0; act = 0
       }
#ifdef SPOOLS
       goto end_turn;
spool_told:
       atomic { passed[s] = true; s = 0; w = 0; c = 0; act = 0 }
#endif
    od
}

#ifdef SPOOLS
/* The thread of a worker that receives what comes through its socket. */
proctype watcher(bit me)
{
end_watch:
    atomic {
        told_word[me] != 0 ->
        if
#ifdef MUTANT_SPOOL_ANY_WORD
        :: expects_word[me] != 0 && got[me] == 0 ->
#else
        :: expects_word[me] == told_word[me] && expects_stream[me] == told_stream[me] && got[me] == 0 ->
#endif
            got[me] = told_name[me]
        :: else /* it is closed */
        fi;
        told_word[me] = 0; told_stream[me] = 0; told_name[me] = 0;
        goto end_watch
    }
}
#endif

proctype worker(bit me)
{
    byte at;

end_idle:
    atomic {
        put[me] != taken[me] ->
        at = me * ENTRIES + taken[me] % ENTRIES;
#ifdef MUTANT_TAKEN_BEFORE_COPY
        taken[me] = (taken[me] + 1) % TURN
    }
    atomic {
#endif
        hand_word[me] = hint_word[at];
        hand_stream[me] = hint_stream[at]
    }
inbox_seen:
    atomic {
#ifndef MUTANT_TAKEN_BEFORE_COPY
        taken[me] = (taken[me] + 1) % TURN;
        hint_word[at] = 0; hint_stream[at] = 0; /* nobody looks there again */
        if
        :: put[me] == taken[me] -> put[me] = 0; taken[me] = 0
        :: else
        fi;
#endif
        at = 0
    }
inbox_taken:
    atomic {
        if
        :: word[hand_stream[me]] == hand_word[me]
        :: else -> goto at_lost
        fi;
#ifdef MUTANT_CLAIM_BY_STORE
    }
    atomic {
#endif
        hand_word[me] = AS(hand_word[me], RUNNING);
        word[hand_stream[me]] = hand_word[me]
    }
claimed:
    atomic {
        answer[hand_stream[me]] = name[hand_stream[me]];
        /* wsgi.input or send of an earlier request is used: it compares words first. */
        if
        :: old_word[me] != 0 && hand_word[me] == old_word[me] && hand_stream[me] == old_stream[me] ->
            answer[hand_stream[me]] = WRONG
        :: else
        fi
    }
#ifdef FILES
    if
    :: true /* an answer without a file */
#ifdef MUTANT_FILE_AFTER_RECORD
    :: names_file[hand_stream[me]] = true;
        atomic {
            said_word[me] == 0 ->
            said_word[me] = hand_word[me]; said_stream[me] = hand_stream[me]; said_name[me] = answer[hand_stream[me]]
        }
#else
    :: atomic {
            said_word[me] == 0 ->
            said_word[me] = hand_word[me]; said_stream[me] = hand_stream[me]; said_name[me] = answer[hand_stream[me]]
        }
file_sent:
        names_file[hand_stream[me]] = true;
        if
        :: true
        /* Another one, when the record of the first was read. */
#ifdef MUTANT_FILE_NOT_AWAITED
        :: atomic {
                said_word[me] == 0 ->
#else
        :: atomic {
                said_word[me] == 0 && !names_file[hand_stream[me]] ->
#endif
                said_word[me] = hand_word[me]; said_stream[me] = hand_stream[me]; said_name[me] = answer[hand_stream[me]]
            }
            names_file[hand_stream[me]] = true
        fi
#endif
    fi;
#endif
#ifdef SPOOLS
    if
    :: true /* an application that does not read its body */
    :: atomic {
            expects_word[me] = hand_word[me]; expects_stream[me] = hand_stream[me]
        }
        wants[hand_stream[me]] = true;
        if
        :: passed[hand_stream[me]] ->
            if
            :: got[me] != 0 ->
spool_taken:
                assert(got[me] == answer[hand_stream[me]]) /* it is the body of this request */
#ifndef MUTANT_SPOOL_WAIT_FOR_EVER
            :: gone[hand_stream[me]]
#endif
            fi
#ifndef MUTANT_SPOOL_WAIT_FOR_EVER
        :: gone[hand_stream[me]]
#endif
        fi;
        wants[hand_stream[me]] = false
    fi;
#endif
outcome_stored:
    atomic {
        assert(word[hand_stream[me]] == hand_word[me]); /* a running stream is never taken */
        word[hand_stream[me]] = AS(hand_word[me], DONE);
        old_word[me] = hand_word[me]; old_stream[me] = hand_stream[me];
        hand_word[me] = 0; hand_stream[me] = 0;
#ifndef SPOOLS
        goto end_idle
#endif
    }
#ifdef SPOOLS
    atomic { /* what has come is closed, and what still comes is for nobody */
#ifndef MUTANT_SPOOL_KEPT
        got[me] = 0;
#endif
        expects_word[me] = 0; expects_stream[me] = 0;
        goto end_idle
    }
#endif

at_lost:
    atomic {
        hand_word[me] = 0; hand_stream[me] = 0;
#ifndef MUTANT_SILENT_STALE
        room_made = IN_LINE; /* by news: the line may wait for this room */
#endif
        goto end_idle
    }
}

/* When nothing moves any more, everybody was answered and everything is back. */
proctype judge()
{
end_judge:
    atomic {
        timeout ->
        assert(ending && client[0] == AWAY && client[1] == AWAY);
        assert(STATE(word[0]) == FREE && STATE(word[1]) == FREE);
        assert(slot[0] == NOBODY && slot[1] == NOBODY);
        assert(WAITED(0) == 0 && WAITED(1) == 0)
#ifdef FILES
        ; assert(said_word[0] == 0 && said_word[1] == 0 && file[0] == 0 && file[1] == 0)
#endif
#ifdef SPOOLS
        ; assert(told_word[0] == 0 && told_word[1] == 0 && got[0] == 0 && got[1] == 0 && !body[0] && !body[1])
#endif
    }
}

init {
    atomic {
        run front();
        run worker(0);
        run worker(1);
#ifdef SPOOLS
        run watcher(0);
#endif
        run judge()
    }
}
