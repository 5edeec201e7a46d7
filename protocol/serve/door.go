package serve

import "golang.org/x/sys/unix"

// Where a connection carries one request, a reactor that has time takes it in by itself: the way
// from the acceptor's goroutine would cost a third of the front's part of a small request. Which
// reactor has how many of them makes little difference, for most end with their answers.
//
// That is for as long as all goes well. A listener on which something is short, connections or
// descriptors, goes to the acceptor, which knows how to wait, and stays there.

// doorsInTurn is how many connections of one listener a reactor takes in a turn; there are
// others, who may be idle.
const doorsInTurn = 8

// mostMore is how many connections more than the one with the fewest a reactor takes in: nearly all
// end with their answers, but WebSockets come by the uwsgi protocol, and stay.
const mostMore = 64

// selfServed says whether reactors accept for themselves.
func (l *Listener) selfServed() bool { return l.dialect.single }

// What epoll carries for a listener among a reactor's descriptors.
func doorIndex(i int) int32      { return bellIndex - 1 - int32(i) }
func listenerOf(index int32) int { return int(bellIndex - 1 - index) }

// openDoors watches the listeners from which this reactor accepts. The kernel wakes one of the
// reactors that wait for a connection, not all of them.
func (r *reactor) openDoors(listeners []*Listener) error {
	for i, l := range listeners {
		if !l.selfServed() {
			continue
		}
		if err := r.poller.control(unix.EPOLL_CTL_ADD, l.fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE, doorIndex(i), 0); err != nil {
			return err
		}
	}
	return nil
}

// closeDoors watches none any more. No listener is touched after it.
func (r *reactor) closeDoors() {
	for _, l := range r.server.listeners {
		if l.selfServed() {
			_ = r.poller.control(unix.EPOLL_CTL_DEL, l.fd, 0, 0, 0) // it may be the acceptor's by now
		}
	}
	r.server.doors.Done()
}

// welcome takes what connections wait at a listener.
func (r *reactor) welcome(index int32) {
	var newcomers [doorsInTurn]newcomer
	n := 0
	for range doorsInTurn { // those that are turned down count, too
		came, more := r.acceptOne(index, &newcomers[n])
		if came {
			n++
		}
		if !more {
			break
		}
	}
	for i := range newcomers[:n] {
		to := r.server.acceptor.idlest()
		if r.load.Load() <= to.load.Load()+mostMore {
			to = r
		}
		if to.load.Add(1); to == r {
			r.admit(&newcomers[i])
			continue
		}
		to.give(newcomers[i])
		to.arrived()
	}
}

// acceptOne takes one connection, if there is one and nothing is in the way. It reports whether
// one has come that is not turned down, and whether there may be more.
func (r *reactor) acceptOne(index int32, c *newcomer) (came, more bool) {
	a := r.server.acceptor
	c.listener = a.listeners[listenerOf(index)]
	if a.count.Add(1) > a.limit && a.limit > 0 {
		a.gone(nil)
		r.shut(index)
		return false, false
	}
	from := &r.caller
	if c.listener.path != "" {
		from = nil // those who connect to a unix socket have no address
	}
	fd, errno := a.accept(c.listener.fd, from)
	if errno == 0 {
		if c.fd = fd; from != nil {
			c.remote = addressOf(from)
		}
		if a.counts(c) {
			return true, true
		}
	}
	a.gone(nil)
	switch errno {
	case 0: // it was turned down
		return false, true
	case unix.EAGAIN, unix.EINTR:
	default:
		r.shut(index)
	}
	return false, false
}

// shut leaves a listener to the acceptor.
func (r *reactor) shut(index int32) {
	l := r.server.listeners[listenerOf(index)]
	r.server.settings.Log.Debug().Msgf("%s is served by the acceptor from now on: there are too many connections, or accept has failed", l.url)
	_ = r.poller.control(unix.EPOLL_CTL_DEL, l.fd, 0, 0, 0)
	if err := r.server.acceptor.watch(listenerOf(index)); err != nil && err != unix.EEXIST { // another reactor was here
		r.server.settings.Log.Error().Err(err).Msgf("%s takes no more connections: it could not be watched", l.url)
	}
}
