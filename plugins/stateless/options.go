package main

import (
	"strconv"
	"strings"

	"github.com/wedge-lb/wedge/sdk"
)

// options are what an operator may set.
type options struct {
	Algorithm string   `json:"algorithm"` // one of sdk.BalancerNames; default round_robin
	Prefer    []prefer `json:"prefer"`    // in order; the first that matches and has a backend wins
}

// prefer sends the requests that it matches to some of the backends.
type prefer struct {
	When   when                `json:"when"`   // default: every request
	Zone   []string            `json:"zone"`   // any of these
	Labels map[string][]string `json:"labels"` // all of these, each with any of its values
}

// when says which requests a rule is for. All that is set must hold.
type when struct {
	Country []string            `json:"country"` // ISO 3166 codes
	Method  []string            `json:"method"`
	Path    []string            `json:"path"`   // exact, or everything below with /**
	Header  map[string][]string `json:"header"` // any of the values; "*" = any value at all
}

func (p prefer) check(i int) error {
	at := "prefer[" + strconv.Itoa(i) + "]"
	if len(p.Zone) == 0 && len(p.Labels) == 0 {
		return sdk.OptionError(at, "", "want zone or labels: where should these requests go?")
	}
	for _, c := range p.When.Country {
		if len(c) != 2 || strings.Trim(strings.ToUpper(c), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return sdk.OptionError(at+".when.country", c, "want an ISO 3166 code of two letters, such as DE")
		}
	}
	for _, m := range p.When.Method {
		if m == "" || strings.ToUpper(m) != m {
			return sdk.OptionError(at+".when.method", m, "want a method in capitals, such as GET")
		}
	}
	for _, path := range p.When.Path {
		if !strings.HasPrefix(path, "/") || strings.Contains(strings.TrimSuffix(path, "/**"), "*") {
			return sdk.OptionError(at+".when.path", path, "want a path from /, or all below one as in /app/**")
		}
	}
	for name := range p.When.Header {
		if _, err := sdk.ParseAttribute("header:" + name); err != nil {
			return sdk.OptionError(at+".when.header", name, "want the name of a header")
		}
	}
	return nil
}
