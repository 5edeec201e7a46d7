package serve

import (
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// An access log writes one line for each request: the combined format of Apache and
// nginx, and behind it the seconds that the request took.
//
// Each reactor has a ring of bounded size; one goroutine writes what stands in the
// rings. A line for which there is no room is dropped and counted, and later the
// number of dropped lines is said: a full pipe behind the log never holds up a request.
type accessLog struct {
	out     io.Writer
	log     zerolog.Logger
	rings   []*logRing
	wake    chan struct{}
	asleep  atomic.Bool
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	failing failing
}

const (
	logRingSize = 256 << 10
	logGather   = 10 * time.Millisecond // after waking, for more lines to come
)

// logRing is one reactor's lines on their way to the writer.
type logRing struct {
	access  *accessLog
	data    []byte // a power of two
	written atomic.Uint64
	read    atomic.Uint64
	dropped atomic.Uint64
	line    []byte // for putting a line together
	second  int64  // the time that stamp says
	stamp   []byte
}

func newAccessLog(out io.Writer, reactors, size int, log zerolog.Logger) *accessLog {
	a := &accessLog{out: out, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{})}
	for range reactors {
		a.rings = append(a.rings, &logRing{access: a, data: make([]byte, size)})
	}
	return a
}

// run writes until close.
func (a *accessLog) run() {
	defer close(a.stopped)
	for {
		if a.flush() {
			continue
		}
		a.asleep.Store(true)
		if a.pending() { // whoever writes a line sees asleep, or its line is seen here
			a.asleep.Store(false)
			continue
		}
		select {
		case <-a.wake:
			a.asleep.Store(false)
			a.rest()
		case <-a.stop:
			a.asleep.Store(false)
			a.flush()
			return
		}
	}
}

// rest lets some lines come together, so that one write takes them all.
func (a *accessLog) rest() {
	t := time.NewTimer(logGather)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.stop:
	}
}

// close writes what is left and ends the writer, unless it hangs in a write.
func (a *accessLog) close() {
	a.once.Do(func() { close(a.stop) })
	select {
	case <-a.stopped:
	case <-time.After(time.Second):
	}
}

func (a *accessLog) pending() bool {
	for _, r := range a.rings {
		if r.written.Load() != r.read.Load() {
			return true
		}
	}
	return false
}

// flush writes what stands in the rings, and reports whether there was anything.
func (a *accessLog) flush() (any bool) {
	for _, r := range a.rings {
		first, second := r.peek()
		if len(first) > 0 {
			any = true
			a.write(first)
		}
		if len(second) > 0 {
			a.write(second)
		}
		r.read.Add(uint64(len(first) + len(second)))
		if n := r.dropped.Swap(0); n > 0 {
			a.log.Warn().Uint64("lines", n).Msg("access log lines were dropped, because the log is not written as fast as requests come")
		}
	}
	return any
}

func (r *logRing) peek() (a, b []byte) {
	from, to := r.read.Load(), r.written.Load()
	i, n := from&uint64(len(r.data)-1), to-from
	if i+n <= uint64(len(r.data)) {
		return r.data[i : i+n], nil
	}
	return r.data[i:], r.data[:i+n-uint64(len(r.data))]
}

// put adds the line that was put together, or drops it.
func (r *logRing) put(line []byte) {
	at := r.written.Load()
	if uint64(len(r.data))-(at-r.read.Load()) < uint64(len(line)) {
		r.dropped.Add(1)
	} else {
		i := at & uint64(len(r.data)-1)
		copy(r.data, line[copy(r.data[i:], line):])
		r.written.Store(at + uint64(len(line)))
	}
	if r.access.asleep.Load() {
		select {
		case r.access.wake <- struct{}{}:
		default:
		}
	}
}

// An entry is what the access log says of a request.
type entry struct {
	remote                   string
	request, referrer, agent []byte // as they came; request is the request line
	id                       []byte // empty: it has none
	status                   int
	sent                     int64 // body bytes
	took                     time.Duration
}

// add writes the line of a request that ended at now.
func (r *logRing) add(e *entry, now time.Time) {
	if s := now.Unix(); s != r.second || r.stamp == nil {
		r.second = s
		r.stamp = now.AppendFormat(r.stamp[:0], " - - [02/Jan/2006:15:04:05 -0700] \"")
	}
	b := r.line[:0]
	if e.remote == "" {
		b = append(b, '-')
	}
	b = append(b, e.remote...)
	b = append(b, r.stamp...)
	b = appendQuoted(b, e.request)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(e.status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, e.sent, 10)
	b = append(b, ` "`...)
	b = appendQuoted(b, e.referrer)
	b = append(b, `" "`...)
	b = appendQuoted(b, e.agent)
	b = append(b, `" `...)
	b = appendSeconds(b, e.took)
	if len(e.id) > 0 {
		b = append(append(b, ' '), e.id...)
	}
	b = append(b, '\n')
	r.line = b
	r.put(b)
}

// appendSeconds writes seconds with six places.
func appendSeconds(b []byte, d time.Duration) []byte {
	us := d.Microseconds()
	b = strconv.AppendInt(b, us/1e6, 10)
	b = append(b, '.')
	for place := int64(1e5); place > 0; place /= 10 {
		b = append(b, byte('0'+us/place%10))
	}
	return b
}

// appendQuoted writes bytes that a client has chosen, so that they neither end the
// quotes nor the line.
func appendQuoted(b, text []byte) []byte {
	const digits = "0123456789abcdef"
	if len(text) == 0 {
		return append(b, '-')
	}
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
