package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"gobridge/tests/server"
)

// options are the flags.
type options struct {
	slow, quick int
	seconds     time.Duration
	rounds      int
	budget      int // MiB
	worst       float64
	python      string
}

func main() {
	var o options
	flag.IntVar(&o.slow, "slow", 2000, "slow clients: a third each of heads, bodies and readers")
	flag.IntVar(&o.quick, "quick", 16, "quick clients")
	flag.DurationVar(&o.seconds, "duration", 2*time.Second, "how long each measurement takes")
	flag.IntVar(&o.rounds, "rounds", 7, "measurements alone and beside the slow ones, in turn")
	flag.IntVar(&o.budget, "budget", 128, "--memory-budget in MiB")
	flag.Float64Var(&o.worst, "worst", 0.10, "what part of their requests the quick clients may lose")
	flag.StringVar(&o.python, "python", "", "interpreter; default: gobridge's own choice")
	flag.Parse()
	wrong, err := measure(&o)
	server.Verdict("slow", wrong, err)
}

func measure(o *options) (wrong []string, err error) {
	root, err := server.Root()
	if err != nil {
		return nil, err
	}
	args := []string{"--workers", "2", "--control", "off", "--memory-budget", fmt.Sprintf("%dM", o.budget)}
	if o.python != "" {
		args = append(args, "--python", o.python)
	}
	s, err := server.Start(server.Config{Application: "app:application", Dir: filepath.Join(root, "tests", "slow"), Args: args})
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	quick(s, o.quick, o.seconds/2) // warm
	before := memory(s.Pid())
	alone, beside := []result{quick(s, o.quick, o.seconds)}, []result(nil)
	highest := 0
	for range o.rounds {
		crowd := newCrowd(s)
		if err := crowd.gather(o.slow); err != nil {
			return nil, err
		}
		r := quick(s, o.quick, o.seconds)
		highest = max(highest, memory(s.Pid()))
		left := crowd.waiting()
		beside = append(beside, r)
		fmt.Printf("alone  %v\nbeside %v; %d slow clients at its end, the front has %d MiB more than before\n",
			alone[len(alone)-1], r, left, (memory(s.Pid())-before)>>10)
		if left < o.slow {
			wrong = append(wrong, fmt.Sprintf("only %d of %d slow clients were left at the end of a measurement", left, o.slow))
		}
		crowd.scatter()
		if err := s.AtRest(); err != nil {
			return nil, err
		}
		alone = append(alone, quick(s, o.quick, o.seconds))
	}
	kept := share(alone, beside)
	fmt.Printf("median: beside %d slow clients quick ones get %.1f %% of their requests alone, before and after\n", o.slow, 100*kept)
	if kept < 1-o.worst {
		wrong = append(wrong, fmt.Sprintf("the quick clients lose %.1f %% of their requests", 100*(1-kept)))
	}
	for _, r := range append(alone, beside...) {
		if r.failed > 0 {
			wrong = append(wrong, fmt.Sprintf("%d requests of quick clients failed", r.failed))
		}
	}
	if grown := (highest - before) >> 10; grown > o.budget {
		wrong = append(wrong, fmt.Sprintf("the front has taken %d MiB, and its budget is %d", grown, o.budget))
	}
	return wrong, s.Stop()
}

// memory is what a process has in memory, the shared one included, in KiB.
func memory(pid int) int {
	n, err := server.Status(pid, "VmRSS")
	if err != nil {
		return 0
	}
	return n
}
