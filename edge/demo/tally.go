package demo

import (
	"fmt"
	"io"
	"sort"
	"sync"
	"text/tabwriter"
)

// tally counts who answered whom. It is safe for concurrent use.
type tally struct {
	mu      sync.Mutex
	answers map[string]map[string]int // protocol → backend → requests
	errors  map[string]int            // protocol → failed requests
	last    error
}

func newTally() *tally {
	return &tally{answers: map[string]map[string]int{}, errors: map[string]int{}}
}

func (t *tally) answered(protocol, backend string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answers[protocol] == nil {
		t.answers[protocol] = map[string]int{}
	}
	t.answers[protocol][backend]++
}

func (t *tally) failed(protocol string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors[protocol]++
	t.last = err
}

// print writes the table: a row for each protocol, a column for each backend.
func (t *tally) print(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	names := t.backendsLocked()
	fmt.Fprint(tw, "protocol\t")
	for _, n := range names {
		fmt.Fprintf(tw, "%s\t", n)
	}
	fmt.Fprint(tw, "requests\terrors\t\n")
	for _, p := range protocols {
		fmt.Fprintf(tw, "%s\t", p)
		total := 0
		for _, n := range names {
			total += t.answers[p][n]
			fmt.Fprintf(tw, "%d\t", t.answers[p][n])
		}
		fmt.Fprintf(tw, "%d\t%d\t\n", total, t.errors[p])
	}
	tw.Flush()
}

func (t *tally) backendsLocked() []string {
	seen := map[string]bool{}
	var names []string
	for _, by := range t.answers {
		for n := range by {
			if !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	sort.Strings(names)
	return names
}

// verdict is an error if a request failed or, after a whole demo, a protocol saw none.
func (t *tally) verdict(whole bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range protocols {
		if n := t.errors[p]; n > 0 {
			return fmt.Errorf("demo: %d requests over %s failed, the last with: %w", n, p, t.last)
		}
		if whole && len(t.answers[p]) == 0 {
			return fmt.Errorf("demo: no request over %s was answered", p)
		}
	}
	return nil
}
