package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// options are the storm's flags.
type options struct {
	gobridge, args string
	duration       time.Duration
	connections    int
	workers        int
	threads        int
	iface          string // of the application
	sockets        int
	killEvery      time.Duration
	zygoteEvery    time.Duration
	reloadEvery    time.Duration
	faults         bool
	terminate      bool
	killpoint      string
	lost           int
	log            string
	seed           uint64
}

func main() {
	var o options
	flag.StringVar(&o.gobridge, "gobridge", "bin/gobridge", "the binary to try")
	flag.StringVar(&o.args, "args", "", "further arguments for gobridge run, separated by spaces")
	flag.DurationVar(&o.duration, "duration", 60*time.Second, "how long to load and kill")
	flag.IntVar(&o.connections, "connections", 64, "client connections, half of them slow, streaming and uploading")
	flag.IntVar(&o.workers, "workers", 4, "worker processes")
	flag.IntVar(&o.threads, "threads", 1, "threads in each worker")
	flag.StringVar(&o.iface, "interface", "wsgi", "of the application, wsgi or asgi; there a worker takes any number of requests at once")
	flag.IntVar(&o.sockets, "sockets", -1, "WebSockets beside the connections; -1: 50 with -interface asgi, else none")
	flag.DurationVar(&o.killEvery, "kill-every", 200*time.Millisecond, "time between two SIGKILLs of a random worker; 0: none")
	flag.DurationVar(&o.zygoteEvery, "zygote-every", 5*time.Second, "time between two SIGKILLs of a zygote or template; 0: none")
	flag.DurationVar(&o.reloadEvery, "reload-every", 0, "time between two reloads; 0: none")
	flag.BoolVar(&o.faults, "faults", false, "with -reload-every: every second reload fails, in turn because the application does not import, its workers die at once, or it hangs")
	flag.BoolVar(&o.terminate, "terminate", false, "end with SIGTERM to the server's process group under full load")
	flag.StringVar(&o.killpoint, "killpoint", "", "LABEL:COUNT: no random kills; the first worker that is at this step for the COUNT-th time ends itself there (a build with the tag killpoints)")
	flag.IntVar(&o.lost, "lost", -1, "with -killpoint: how many requests that worker must take with it; -1: it depends")
	flag.StringVar(&o.log, "log", "build/storm.log", "file to which the server's log goes if the storm fails")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of the random choices")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "storm: %q is no flag\n", flag.Arg(0))
		os.Exit(2)
	}
	if o.sockets < 0 {
		o.sockets = 0
		if o.iface == "asgi" && o.killpoint == "" {
			o.sockets = 50
		}
	}
	wrong, err := storm(&o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(1)
	}
	if len(wrong) > 0 {
		fmt.Printf("storm: FAILED (seed %d)\n  %s\n", o.seed, strings.Join(firsts(wrong, 30), "\n  "))
		os.Exit(1)
	}
	fmt.Println("storm: passed")
}

func firsts(all []string, n int) []string {
	if len(all) <= n {
		return all
	}
	return append(append([]string{}, all[:n]...), fmt.Sprintf("... and %d more", len(all)-n))
}

// storm runs it all and returns what is wrong.
func storm(o *options) (wrong []string, err error) {
	dir, err := os.MkdirTemp("", "storm")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := startServer(o, dir)
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	books := newBooks()
	if o.killpoint != "" {
		return killpoint(o, s, books)
	}
	// What is in use before: after a first taste of every kind of request, so that what
	// the server keeps for good is there.
	load(o, s, books, 0, 2*time.Second, nil)
	before := s.settle()
	kills := &chaos{server: s, random: rand.New(rand.NewPCG(o.seed, 1)), killed: map[int]bool{}}
	fmt.Printf("storm: %d connections and %d WebSockets for %v, %d workers of %d threads, seed %d\n", o.connections, o.sockets, o.duration, o.workers, o.threads, o.seed)
	books.connects = 0
	load(o, s, books, 1, o.duration, kills)
	after := before // there is nothing left to look at
	if !o.terminate {
		after = s.settle()
		wrong = leftovers(before, after, o)
	}
	if o.calm() && !o.terminate && books.connects != o.connections-churners(o.connections) {
		wrong = append(wrong, fmt.Sprintf("%d connections were made for %d clients: some were not kept alive", books.connects, o.connections-churners(o.connections)))
	}
	if o.killEvery > 0 && len(kills.killed) == 0 {
		wrong = append(wrong, "no worker was found to kill")
	}
	if o.reloadEvery > 0 && kills.reloads == kills.unreloaded {
		wrong = append(wrong, fmt.Sprintf("none of %d reloads went well", kills.reloads))
	}
	more, accounts, err := closeBooks(o, s, books, kills.killed)
	if err != nil {
		return nil, err
	}
	fmt.Printf("storm: %d workers and %d zygotes killed, %d deaths logged; %d reloads, %d of them failed\nstorm: %s, %d kept connections\nstorm: before %v\nstorm: after  %v\n",
		len(kills.killed), kills.zygotes, len(accounts.killed), kills.reloads, kills.unreloaded, books.summary(), books.connects, before, after)
	return append(append(wrong, kills.wrong...), more...), nil
}

// atOnce is how many requests a worker may have at once.
func (o *options) atOnce() int {
	if o.iface == "asgi" {
		return o.connections + o.sockets
	}
	return o.threads
}

// calm says whether nobody is killed: then every request is answered, on a connection that
// is kept.
func (o *options) calm() bool { return o.killEvery == 0 && o.zygoteEvery == 0 }

// churners is how many of the clients make a connection for each request.
func churners(clients int) int { return (clients + 7) / 8 }

// killpoint has one worker end itself at a step of the bridge: with requests before, at the
// same time, and behind it.
func killpoint(o *options, s *server, books *books) (wrong []string, err error) {
	reached := func() bool { _, err := os.Stat(s.reached); return err == nil }
	phase := uint64(0)
	// To some steps a worker comes only when a client has been slow for a while.
	for end, d := time.Now().Add(patience), o.duration; !reached() && time.Now().Before(end); phase++ {
		load(o, s, books, phase, d, nil)
		d = min(2*d, 8*o.duration)
	}
	if !reached() {
		wrong = append(wrong, "no worker has come to the step "+o.killpoint)
	}
	load(o, s, books, phase, o.duration, nil)
	if after := s.rest(o.workers); after.streams != 0 || after.line != 0 || after.workers != o.workers {
		wrong = append(wrong, fmt.Sprintf("not at rest afterwards: %v", after))
	}
	more, accounts, err := closeBooks(o, s, books, nil)
	if err != nil {
		return nil, err
	}
	if len(accounts.killed) != 1 {
		wrong = append(wrong, fmt.Sprintf("%d deaths are logged instead of one", len(accounts.killed)))
	}
	if n := len(accounts.lost); o.lost >= 0 && n != o.lost {
		wrong = append(wrong, fmt.Sprintf("%d requests were lost with it instead of %d", n, o.lost))
	}
	fmt.Printf("storm: killed at %s with %d requests; %s\n", o.killpoint, len(accounts.lost), books.summary())
	return append(wrong, more...), nil
}

// closeBooks ends the server and settles the account; killed are the workers that the storm has
// killed, nil for those that the log says were killed.
func closeBooks(o *options, s *server, books *books, killed map[int]bool) (wrong []string, a *accounts, err error) {
	if o.terminate { // another signal would cut short who is only about to end
		if code := s.Wait(); code != 0 {
			wrong = append(wrong, fmt.Sprintf("the server has ended with %d", code))
		}
	} else if err := s.Stop(); err != nil {
		wrong = append(wrong, "the server's end: "+err.Error())
	}
	if a, err = s.accounts(); err != nil {
		return nil, nil, err
	}
	if killed == nil {
		killed = a.killed
	}
	if wrong = append(wrong, books.settle(a, killed, o.atOnce())...); len(wrong) > 0 {
		wrong = append(wrong, s.keepLog(o.log))
	}
	return wrong, a, nil
}

// load runs all connections for a while, with kills beside them if there are to be any.
// Each phase has random numbers, and so nonces, of its own.
func load(o *options, s *server, books *books, phase uint64, d time.Duration, kills *chaos) {
	end := time.Now().Add(d)
	var clients, chaos sync.WaitGroup
	over := make(chan struct{})
	var ending atomic.Bool
	if kills != nil {
		kills.begin(o, &chaos, over)
	}
	for i := range o.connections {
		c := &client{server: s, books: books, random: rand.New(rand.NewPCG(o.seed, 1000*phase+uint64(100+i))), mixed: i%2 == 1, churn: i%8 == 0, ending: &ending}
		clients.Go(func() { c.run(end) })
	}
	for i := range o.sockets {
		k := &socket{server: s, books: books, random: rand.New(rand.NewPCG(o.seed, 1000*phase+uint64(500+i))), ending: &ending}
		clients.Go(func() { k.run(end) })
	}
	time.Sleep(time.Until(end) - 500*time.Millisecond)
	if kills != nil && o.terminate {
		ending.Store(true)
		kills.terminate()
	}
	time.Sleep(time.Until(end))
	close(over) // the last requests are answered without further kills
	clients.Wait()
	chaos.Wait()
}
