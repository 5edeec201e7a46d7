package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gobridge/bridge"
)

// A Server answers on its listeners, each in its dialect, with what the bridge's workers say.
type Server struct {
	settings  Settings
	listeners []*Listener
	reactors  []*reactor
	acceptor  *acceptor
	access    *accessLog // nil: none
	senders   senders
	budget    budget
	messages  budget // of WebSockets' clients, that are not whole: the workers keep what has come
	clock     func() time.Time
	epoch     time.Time

	requestID      []byte // Settings.RequestID
	requestIDLower string

	computing chan struct{} // has room for the handshakes that compute at once

	serving   sync.WaitGroup
	doors     sync.WaitGroup // reactors that may still accept
	stopping  sync.Once      // accepting
	unlisten  error          // what closing the listeners said
	closeOnce sync.Once
	told      told
	cut       atomic.Int64 // connections cut before they had their answer
}

// New makes a server with one reactor for each port of the bridge. The listeners are the
// server's from now on: they are closed when there is an error.
func New(listeners []*Listener, ports []Port, settings Settings) (*Server, error) {
	s, err := newServer(listeners, ports, settings, time.Now)
	if err != nil {
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	return s, nil
}

func newServer(listeners []*Listener, ports []Port, settings Settings, clock func() time.Time) (*Server, error) {
	if len(listeners) == 0 || len(ports) == 0 {
		return nil, errors.New("a server needs a listener and a port of the bridge")
	}
	if err := settings.check(); err != nil {
		return nil, err
	}
	s := &Server{settings: settings, listeners: listeners, clock: clock, epoch: clock(),
		computing: make(chan struct{}, cmp.Or(settings.CPUs, runtime.NumCPU())),
		requestID: []byte(settings.RequestID), requestIDLower: strings.ToLower(settings.RequestID)}
	s.budget.limit, s.messages.limit = settings.Memory, settings.Memory
	if settings.Spool != nil {
		settings.Spool.budget = &s.budget
	}
	if settings.AccessLog != nil {
		s.access = newAccessLog(settings.AccessLog, len(ports), logRingSize, settings.Log)
	}
	for i, port := range ports {
		r, err := newReactor(s, port)
		if err != nil {
			s.discard()
			return nil, fmt.Errorf("make a reactor: %w", err)
		}
		if s.access != nil {
			r.log = s.access.rings[i]
		}
		s.reactors = append(s.reactors, r)
	}
	var err error
	if s.acceptor, err = newAcceptor(listeners, s.reactors, settings.Connections, settings.Log); err != nil {
		s.discard()
		return nil, fmt.Errorf("watch the listeners: %w", err)
	}
	for _, l := range listeners {
		l.gateways = settings.GatewayFrom[l.dialect.name]
	}
	for _, r := range s.reactors {
		if err = r.openDoors(listeners); err != nil {
			s.acceptor.close()
			s.discard()
			return nil, fmt.Errorf("watch the listeners: %w", err)
		}
	}
	s.acceptor.addresses = addresses{limit: settings.PerAddress, exempt: s.settings.proxies, counts: map[netip.Addr]*addressCount{}}
	return s, nil
}

func (s *Server) discard() {
	for _, r := range s.reactors {
		r.close()
	}
}

// Serve begins to accept and to answer. It does not wait.
func (s *Server) Serve() {
	if s.access != nil {
		go s.access.run()
	}
	for _, r := range s.reactors {
		s.serving.Add(1)
		go func() {
			defer s.serving.Done()
			r.run()
		}()
	}
	go s.acceptor.run()
}

// Part has every answer from now on tell its client that the connection ends, and serves on:
// clients that keep connections open come again by a new one, for which a load balancer may
// choose another server.
func (s *Server) Part() { s.order(orderPart) }

// Drain accepts who is connected already and nobody else, closes WebSockets, has idle connections
// closed after Settings.DrainTime, and waits until every request that was begun is answered; each
// answer tells its client that the connection ends. If ctx has a deadline, answers without an end
// in sight are cut shortly before it (bridge.PartingTime). When it ends first, the connections that
// are left are cut; if any of these waited for an answer, the error says how many.
//
// The reactors go on turning for the bridge's sake, until Close.
func (s *Server) Drain(ctx context.Context) error {
	s.Part()
	left := s.Connections()
	err := s.stopAccepting(ctx.Err() != nil)
	left = max(left, s.Connections())
	s.order(orderDrain)
	if !s.waitInSteps(ctx) {
		s.order(orderCut)
		s.wait(context.Background())
	}
	if cut := s.cut.Load(); cut > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d connections were cut before they had their answer", cut, left), ctx.Err())
	}
	return err
}

// A drainStep is what is ordered so long after a drain has begun.
type drainStep struct {
	after time.Duration
	order uint32
}

// tellTime is after how long it is said at the latest what a drain waits for: before docker stop,
// which waits for 10 s, kills who would have said it.
const tellTime = 5 * time.Second

// drainSteps are those of a drain that may take so long; 0: as long as it takes.
func drainSteps(limit time.Duration) []drainStep {
	if limit == 0 {
		return []drainStep{{tellTime, orderTell}}
	}
	return []drainStep{{min(tellTime, limit/3), orderTell}, {limit - bridge.PartingTime(limit), orderEnd}}
}

// waitInSteps waits until all connections have ended, or reports false when ctx has.
func (s *Server) waitInSteps(ctx context.Context) bool {
	begin, limit := time.Now(), time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(deadline.Sub(begin), 1)
	}
	for _, step := range drainSteps(limit) {
		until, stop := context.WithDeadline(ctx, begin.Add(step.after))
		over := s.wait(until)
		stop()
		if over || ctx.Err() != nil {
			return over
		}
		s.order(step.order)
	}
	return s.wait(ctx)
}

// drainPoll is how often Drain looks whether all connections have ended.
const drainPoll = 5 * time.Millisecond

func (s *Server) wait(ctx context.Context) bool {
	t := time.NewTicker(drainPoll)
	defer t.Stop()
	for s.Connections() > 0 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return s.Connections() == 0
		}
	}
	return true
}

// Close cuts what connections are left, and ends the reactors and the access log.
func (s *Server) Close() error {
	err := s.stopAccepting(true)
	s.closeOnce.Do(func() {
		s.order(orderStop)
		s.serving.Wait()
		s.acceptor.close()
		if s.access != nil {
			s.access.close()
		}
	})
	return err
}

// Connections is the number of connections that are open.
func (s *Server) Connections() int { return int(s.acceptor.count.Load()) }

func (s *Server) stopAccepting(hasty bool) error {
	s.stopping.Do(func() {
		s.acceptor.stop(hasty)
		s.doors.Add(len(s.reactors))
		s.order(orderShut)
		s.doors.Wait()
		for _, l := range s.listeners {
			s.unlisten = errors.Join(s.unlisten, l.Close())
		}
	})
	return s.unlisten
}

func (s *Server) order(what uint32) {
	for _, r := range s.reactors {
		r.order(what)
	}
}
