package serve

import "time"

// A web server's connection brings one request, and most are answered and closed before anything
// else could come on them: to have epoll watch each would be for nothing, and take a tenth of the
// front's part of a small request. The reactor watches those that are not through after watchAfter.
// Until then it does not learn that the peer has gone; and what came meanwhile is told as soon as it
// watches, for epoll tells what holds already.

// watchAfter is how long a connection may go unwatched.
const watchAfter = 5 * time.Millisecond

// unwatched is a queue of connections, oldest first.
type unwatched struct {
	queue []unwatchedConn
	first int // those before it are through
}

type unwatchedConn struct {
	conn *conn
	uses uint32 // of the conn by the connection that is meant
	due  int64  // when it is to be watched
}

// needless says whether it is one that nobody need watch: closed, or watched since for another reason.
func (u *unwatchedConn) needless() bool {
	return u.conn.uses != u.uses || u.conn.watched || u.conn.phase == closed
}

// watchLater has the connection watched in a while, if it is still there.
func (r *reactor) watchLater(c *conn) {
	u := &r.unwatched
	if u.first > len(u.queue)/2 {
		u.queue = u.queue[:copy(u.queue, u.queue[u.first:])]
		u.first = 0
	}
	u.queue = append(u.queue, unwatchedConn{c, c.uses, r.now + int64(watchAfter)})
}

// watchOverdue watches those whose time has come. It returns how many that were.
func (r *reactor) watchOverdue() (count int) {
	u := &r.unwatched
	for u.first < len(u.queue) {
		next := &u.queue[u.first]
		if !next.needless() {
			if next.due > r.now {
				return count
			}
			count++
			next.conn.attend()
		}
		u.first++
	}
	u.queue, u.first = u.queue[:0], 0
	return count
}

// until is how long the reactor may sleep, at most limit (negative: without an end), before it must
// watch one.
func (u *unwatched) until(now int64, limit time.Duration) time.Duration {
	if u.first == len(u.queue) {
		return limit
	}
	due := time.Duration(max(u.queue[u.first].due-now, 0))
	if limit < 0 {
		return due
	}
	return min(limit, due)
}

// attend has epoll watch what comes on the connection.
func (c *conn) attend() {
	if err := c.watch(interestIn); err != nil {
		c.r.server.settings.Log.Error().Err(err).Msg("a connection could not be watched and was closed")
		c.abandon() // it may have begun a request
	}
}
