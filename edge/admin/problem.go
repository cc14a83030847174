package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A Problem is an error that the API answers (RFC 9457).
type Problem struct {
	Status int     `json:"status"`
	Title  string  `json:"title"`
	Detail string  `json:"detail,omitempty"` // what went wrong, and where
	Help   string  `json:"help,omitempty"`   // what to do now
	Faults []Fault `json:"faults,omitempty"` // if there are several
}

// A Fault is one of several things that are wrong.
type Fault struct {
	Place   string `json:"place,omitempty"` // such as wedge.yaml:14:5
	Message string `json:"message"`
}

func (p *Problem) Error() string {
	var s strings.Builder
	s.WriteString(p.Detail)
	if p.Detail == "" {
		s.WriteString(p.Title)
	}
	for _, f := range p.Faults {
		s.WriteString("\n  ")
		if f.Place != "" {
			s.WriteString(f.Place + ": ")
		}
		s.WriteString(f.Message)
	}
	if p.Help != "" {
		s.WriteString("\n" + p.Help)
	}
	return s.String()
}

// NotFound is the problem of something that there is none of.
func NotFound(kind, name, help string) *Problem {
	return newProblem(http.StatusNotFound, fmt.Sprintf("no %s %q", kind, name), help)
}

// Refused is the problem of a change that was understood but not taken; nothing changed.
func Refused(detail, help string, faults ...Fault) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, detail, help)
	p.Faults = faults
	return p
}

// Conflict is the problem of a change that cannot be made now.
func Conflict(detail, help string) *Problem { return newProblem(http.StatusConflict, detail, help) }

func newProblem(status int, detail, help string) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail, Help: help}
}

// problemOf gives the problem that err is, or makes one.
func problemOf(err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) {
		return newProblem(http.StatusInternalServerError, err.Error(), "see the log of the edge")
	}
	if p.Status < 400 || p.Status > 599 {
		q := *p
		q.Status = http.StatusInternalServerError
		return &q
	}
	return p
}

func writeProblem(w http.ResponseWriter, err error) {
	p := problemOf(err)
	body, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		body = []byte(`{}`) // of strings and numbers: cannot happen
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // who asked has left: there is nobody to tell
}
