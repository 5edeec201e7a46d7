package bridge

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// News is one bit a stream in a bitmap of two levels, one bitmap for each worker,
// reactor and direction. The front takes what workers set towards it and sets
// what goes to them; news.c is the other end.

// bitmap is one direction of news between one worker and one reactor.
type bitmap struct {
	summary, bits unsafe.Pointer
	words         int // of summary
}

func (g *segment) news(worker, reactor, direction int) bitmap {
	n := uint64(2*(worker*g.reactors+reactor) + direction)
	at := unsafe.Add(g.base, g.header.NewsAt+n*g.header.NewsStride)
	return bitmap{summary: at, bits: unsafe.Add(at, align(uint64(g.summary)*8, 64)), words: g.summary}
}

func word(p unsafe.Pointer, i int) *uint64 { return (*uint64)(unsafe.Add(p, 8*i)) }

// any says whether a summary bit is set.
func (m bitmap) any() bool {
	for i := range m.words {
		if atomic.LoadUint64(word(m.summary, i)) != 0 {
			return true
		}
	}
	return false
}

// take clears the bitmap and calls f for each stream whose bit was set, below limit.
func (m bitmap) take(limit uint32, f func(stream uint32)) (count int) {
	for i := range m.words {
		if atomic.LoadUint64(word(m.summary, i)) == 0 {
			continue
		}
		for upper := atomic.SwapUint64(word(m.summary, i), 0); upper != 0; upper &= upper - 1 { //gb:step news_taken
			at := i*64 + bits.TrailingZeros64(upper)
			if uint32(at)*64 >= limit {
				continue // a bit that no worker of ours sets
			}
			for lower := atomic.SwapUint64(word(m.bits, at), 0); lower != 0; lower &= lower - 1 {
				f(uint32(at*64 + bits.TrailingZeros64(lower)))
				count++
			}
		}
	}
	return count
}

// set marks a stream: its bit first, then the summary that leads to it.
func (m bitmap) set(stream uint32) {
	atomic.OrUint64(word(m.bits, int(stream/64)), 1<<(stream%64))
	atomic.OrUint64(word(m.summary, int(stream/4096)), 1<<(stream/64%64))
}

// ring adds one to an eventfd. A full counter is a bell that rings already.
func ring(fd int) {
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}

// wake wakes the thread of a worker that sleeps on a stream's bell.
func wake(s *pyhost.Stream) {
	const futexWake = 1 // FUTEX_WAKE, shared between processes
	atomic.AddUint32(&s.Bell, 1)
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.Bell)), futexWake, 1<<30, 0, 0, 0)
}

func newDoorbell() (int, error) { return unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC) }
