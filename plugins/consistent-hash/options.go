package main

import (
	"strconv"
	"strings"

	"github.com/wedge-lb/wedge/sdk"
)

// options are what an operator may set.
type options struct {
	Key         []string `json:"key"`          // the first that a request has counts
	Algorithm   string   `json:"algorithm"`    // one of sdk.PlacerNames; default maglev
	BoundedLoad float64  `json:"bounded_load"` // times the average load; default 0, no bound
}

func defaults() options { return options{Algorithm: "maglev"} }

const (
	keyForms = "want header:NAME, cookie:NAME, query:NAME, path or client_ip"
	maxBound = 100
)

// keys are the attributes of the option, hashed, in its order.
func (o options) keys() ([]sdk.Attribute, error) {
	if len(o.Key) == 0 {
		return nil, sdk.OptionError("key", "", keyForms+", or a list of them")
	}
	var list []sdk.Attribute
	for _, text := range o.Key {
		a, err := sdk.ParseAttribute(text)
		if err != nil || !strings.Contains(text, ":") && text != "path" && text != "client_ip" {
			return nil, sdk.OptionError("key", text, keyForms)
		}
		list = append(list, a.Hashed())
	}
	return list, nil
}

func (o options) check() error {
	if o.BoundedLoad == 0 || o.BoundedLoad > 1 && o.BoundedLoad <= maxBound {
		return nil
	}
	return sdk.OptionError("bounded_load", strconv.FormatFloat(o.BoundedLoad, 'g', -1, 64),
		"want more than 1, such as 1.25, at most "+strconv.Itoa(maxBound)+", or 0 for no bound")
}
