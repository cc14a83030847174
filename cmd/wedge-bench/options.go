package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"
)

// options are what a call of the benchmark may say.
type options struct {
	wedge     string // the edge's binary; "" = peers alone
	scenarios []string
	peers     []string // nil = those that each scenario has by default
	rounds    int
	duration  time.Duration // of a window; 0 = what fits into within, at most maxWindow
	within    time.Duration
	json      bool
	proxyCPU  int
	loadCPU   int
}

const (
	maxWindow = 5 * time.Second
	minWindow = time.Second
)

func parseOptions(args []string) (options, error) {
	var o options
	var scenarios, peers, output string
	f := flag.NewFlagSet("wedge-bench", flag.ContinueOnError)
	f.StringVar(&o.wedge, "wedge", "bin/wedge", "the edge's binary; empty = peers alone")
	f.StringVar(&scenarios, "scenario", "all", "of "+scenarioLetters()+", separated by commas")
	f.StringVar(&peers, "peers", "", "of "+strings.Join(peerNames(), ", ")+
		" (default: those of each scenario; none = the edge alone)")
	f.IntVar(&o.rounds, "rounds", 3, "of which medians are taken")
	f.DurationVar(&o.duration, "duration", 0, "of a measured window (default: what fits, at most 5s)")
	f.DurationVar(&o.within, "within", 9*time.Minute, "time for everything, from which the duration follows")
	f.StringVar(&output, "o", "text", "text or json")
	f.IntVar(&o.proxyCPU, "proxy-cpu", 0, "processor of the proxies")
	f.IntVar(&o.loadCPU, "load-cpu", 1, "processor of load and backends")
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: wedge-bench [flags]\n\n%s\nflags:\n", scenarioHelp())
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, usageError{err}
	}
	if f.NArg() > 0 {
		return o, usageError{fmt.Errorf("%q: want flags only", f.Arg(0))}
	}
	o.json = output == "json"
	if output != "text" && output != "json" {
		return o, usageError{fmt.Errorf("-o %q: want text or json", output)}
	}
	return o, o.choose(scenarios, peers)
}

// choose fills in who takes part in what, and checks all that was said.
func (o *options) choose(scenarios, peers string) (err error) {
	if o.scenarios, err = list("-scenario", scenarios, scenarioLetters()); err != nil {
		return err
	}
	if peers != "" {
		if o.peers, err = list("-peers", peers, strings.Join(peerNames(), ",")); err != nil {
			return err
		}
	}
	return o.check()
}

// list takes apart what a flag names, each once.
func list(flag, text, of string) ([]string, error) {
	var l []string
	for item := range strings.SplitSeq(text, ",") {
		switch item = strings.TrimSpace(item); {
		case item == "":
			return nil, usageError{fmt.Errorf("%s %q: it names none between commas; want some of %s", flag, text, of)}
		case slices.Contains(l, item):
			return nil, usageError{fmt.Errorf("%s %q: %s is named twice; once is enough", flag, text, item)}
		}
		l = append(l, item)
	}
	return l, nil
}

func (o *options) check() error {
	if slices.Equal(o.scenarios, []string{"all"}) {
		o.scenarios = strings.Split(scenarioLetters(), ",")
	}
	for _, s := range o.scenarios {
		if findScenario(s) == nil {
			return usageError{fmt.Errorf("-scenario %q: want some of %s", s, scenarioLetters())}
		}
	}
	if slices.Equal(o.peers, []string{"none"}) {
		o.peers = []string{}
	}
	for _, p := range o.peers {
		if !slices.Contains(peerNames(), p) {
			return usageError{fmt.Errorf("-peers %q: want some of %s", p, strings.Join(peerNames(), ", "))}
		}
	}
	switch {
	case o.rounds < 1 || o.rounds > 100:
		return usageError{fmt.Errorf("-rounds %d: want 1 to 100", o.rounds)}
	case o.duration != 0 && (o.duration < 100*time.Millisecond || o.duration > time.Minute):
		return usageError{fmt.Errorf("-duration %s: want 100ms to 1m", o.duration)}
	case o.within < time.Second || o.within > 24*time.Hour:
		return usageError{fmt.Errorf("-within %s: want 1s to 24h", o.within)}
	case o.wedge == "" && o.peers != nil && len(o.peers) == 0:
		return usageError{fmt.Errorf("no edge and no peers: nothing to measure")}
	case o.proxyCPU < 0 || o.loadCPU < 0 || o.proxyCPU > maxCPU || o.loadCPU > maxCPU:
		return usageError{fmt.Errorf("processors count from 0 to %d", maxCPU)}
	case o.proxyCPU == o.loadCPU:
		return usageError{fmt.Errorf("-proxy-cpu and -load-cpu are both %d: the load would take the proxy's time; "+
			"choose two processors", o.proxyCPU)}
	}
	return nil
}
