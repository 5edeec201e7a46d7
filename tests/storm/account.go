package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// books hold every request and what its client saw of it.
type books struct {
	mu       sync.Mutex
	requests map[string]*request
	counts   [outcomes]int
	connects int // connections made that are to be kept
	failures []string
}

func newBooks() *books { return &books{requests: map[string]*request{}} }

func (b *books) enter(batch []*request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range batch {
		b.requests[r.nonce] = r
		b.counts[r.outcome]++
	}
}

// connected counts a try to connect; kept says that the connection is to be used for as
// long as it can be.
func (b *books) connected(err error, kept bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if kept {
		b.connects++
	}
	if err != nil {
		b.failures = append(b.failures, "connect: "+err.Error())
	}
}

func (b *books) summary() string {
	var parts []string
	for o, n := range b.counts {
		parts = append(parts, fmt.Sprintf("%d %v", n, outcome(o)))
	}
	return strings.Join(parts, ", ")
}

// accounts are the application's and the server's: by nonce, which process began and ended
// a request, and in which killed process the server says it was running.
type accounts struct {
	begun, ended map[string][]int
	lost         map[string]int
	killed       map[int]bool // all that the server has logged as killed by SIGKILL
	died         map[int]bool // all that it has logged as dead
	unborn       int          // how many more may have died before the server knew their names
}

var (
	deathLine = regexp.MustCompile(`worker (\d+) (was killed by SIGKILL|was killed|exited)`)
	nonceText = regexp.MustCompile(`nonce=([0-9a-f]{32})`)
)

// accounts reads them, when the server has ended.
func (s *server) accounts() (*accounts, error) {
	a := &accounts{begun: map[string][]int{}, ended: map[string][]int{}, lost: map[string]int{}, killed: map[int]bool{}, died: map[int]bool{}}
	file, err := os.Open(s.notes)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 3 {
			return nil, fmt.Errorf("the application's log has the line %q", lines.Text())
		}
		pid, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("the application's log has the line %q", lines.Text())
		}
		if f[0] == "B" {
			a.begun[f[1]] = append(a.begun[f[1]], pid)
		} else {
			a.ended[f[1]] = append(a.ended[f[1]], pid)
		}
	}
	for _, line := range strings.Split(s.Log(), "\n") {
		// A worker that was being forked when its zygote was killed leaves by itself.
		if strings.Contains(line, "died before it said anything") || strings.Contains(line, "the zygote has died") {
			a.unborn++
		}
		m := deathLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		pid, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		// What a reload that failed says of its workers: they were to be no one's.
		if !strings.Contains(line, "reload") {
			a.died[pid] = true
		}
		if strings.HasSuffix(m[2], "SIGKILL") {
			a.killed[pid] = true
		}
		for _, n := range nonceText.FindAllStringSubmatch(line, -1) {
			a.lost[n[1]] = pid
		}
	}
	return a, lines.Err()
}

// settle holds what clients saw against the accounts and returns what does not fit. Each
// worker could run so many requests at once.
func (b *books) settle(a *accounts, killed map[int]bool, atOnce int) []string {
	complain := append(append([]string{}, b.failures...), a.deaths(killed, atOnce)...)
	if b.counts[whole] == 0 {
		complain = append(complain, "no request was answered")
	}
	for nonce, r := range b.requests {
		if text := verdict(r, a.begun[nonce], a.ended[nonce], a.lost[nonce], killed); text != "" {
			complain = append(complain, fmt.Sprintf("%s %s (%d bytes, slow %v) was %v %s: %s; begun in %v, ended in %v, lost in %d",
				r.kind, nonce, r.size, r.slow, r.outcome, r.detail, text, a.begun[nonce], a.ended[nonce], a.lost[nonce]))
		}
	}
	for nonce := range a.begun {
		if b.requests[nonce] == nil {
			complain = append(complain, "the application was given a request that nobody sent: "+nonce)
		}
	}
	for nonce := range a.lost {
		if b.requests[nonce] == nil {
			complain = append(complain, "the server lost a request that nobody sent: "+nonce)
		}
	}
	return complain
}

// deaths compares those that the server has logged with the kills. A thread claims one
// request at a time: what a worker takes with it can be no more than it runs at once, whether
// the application had come to note them or not.
func (a *accounts) deaths(killed map[int]bool, atOnce int) (complain []string) {
	lost := map[int]int{}
	for _, pid := range a.lost {
		lost[pid]++
	}
	for pid, n := range lost {
		if n > atOnce {
			complain = append(complain, fmt.Sprintf("worker %d has taken %d requests with it, and runs %d at once", pid, n, atOnce))
		}
	}
	untold := a.unborn
	for pid := range killed {
		if a.killed[pid] {
			continue
		}
		if untold--; untold < 0 {
			complain = append(complain, fmt.Sprintf("the server does not tell that worker %d was killed", pid))
		}
	}
	for pid := range a.died {
		if !killed[pid] {
			complain = append(complain, fmt.Sprintf("worker %d died, and nobody has killed it", pid))
		}
	}
	return complain
}

// verdict says what is wrong with one request, or "".
func verdict(r *request, begun, ended []int, lost int, killed map[int]bool) string {
	if len(begun) > 1 || len(ended) > 1 {
		return "it was run more than once"
	}
	if lost != 0 && !killed[lost] {
		return "the server lost it in a worker that the storm has not killed"
	}
	if lost != 0 && len(begun) == 1 && begun[0] != lost {
		return "the server says that another worker ran it"
	}
	switch r.outcome {
	case whole:
		if len(begun) != 1 {
			return "nobody has run it"
		}
		// A lost request can be whole for its client: the worker was killed when every
		// byte had gone out, before it could say that this was all.
		if lost != 0 && !r.lengthKnown() {
			return "the client was told that it is whole, and its worker did not say so"
		}
		// So can a WebSocket, whose client has heard goodbye before the application has.
		parted := r.kind == "socket" && killed[begun[0]]
		if len(ended) != 1 && lost == 0 && !parted {
			return "it has not ended, and its worker was not killed"
		}
		return ""
	case badGate, cut:
		if lost == 0 {
			return "no killed worker was running it"
		}
		return ""
	case unsent, refused:
		if len(begun) != 0 {
			return "it was run, and its client has no answer"
		}
		return ""
	}
	return "it was not answered as it should"
}
