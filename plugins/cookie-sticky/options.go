package main

import (
	"errors"
	"strings"

	"github.com/wedge-lb/wedge/sdk"
)

// options are what an operator may set.
type options struct {
	Source    string `json:"source"`     // token, cookie:NAME, header:NAME or query:NAME; default token
	FirstPick string `json:"first_pick"` // one of sdk.BalancerNames; default p2c
}

func defaults() options { return options{Source: token, FirstPick: "p2c"} }

// token is the source that needs no attribute: the edge checks its own token.
const token = "token"

// check looks for what belongs elsewhere, for which "unknown option" would be a poor answer.
func check(c *sdk.Config) error {
	for _, name := range []string{"idle", "max_age"} {
		if c.Has(name) {
			return errors.New("option " + name + ": set it in the affinity of the pool, which issues the token")
		}
	}
	if c.Has("learn") {
		return errors.New("option learn: set pools.NAME.affinity.session.learn of the pool, which keeps the sessions")
	}
	return nil
}

// session is the attribute that holds the application's session id; ok is false for the token.
func (o options) session() (a sdk.Attribute, ok bool, err error) {
	kind, _, _ := strings.Cut(o.Source, ":")
	switch kind {
	case token:
		if o.Source == token {
			return a, false, nil
		}
	case "cookie", "header", "query":
		if a, err = sdk.ParseAttribute(o.Source); err == nil && o.Source != kind {
			return a.Hashed(), true, nil
		}
	}
	return a, false, sdk.OptionError("source", o.Source, "want token, cookie:NAME, header:NAME or query:NAME")
}
