package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// readJSON reads the JSON object that a body is into the struct that into points at: members are told apart by case,
// none may be twice or null, and there are no others. What is wrong with their values is told together, by the tags
// "want" of the fields; example is an object that could be sent. Other content types are refused: a form of a
// foreign page could send them.
func readJSON(r *http.Request, into any, limit int64, example string) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return newProblem(http.StatusUnsupportedMediaType, "the body is not JSON",
			"send Content-Type: application/json")
	}
	body, err := readBody(r, limit)
	if err != nil {
		return err
	}
	if wrong := notObject(body); wrong != "" {
		return newProblem(http.StatusBadRequest, "body: "+wrong, "want a JSON object such as "+example)
	}
	if faults := decode(body, reflect.ValueOf(into).Elem()); len(faults) > 0 {
		p := newProblem(http.StatusBadRequest, "the body is not taken", "mend it and try again; nothing has changed")
		p.Faults = faults
		return p
	}
	return nil
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	tooLarge := newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", limit), "")
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, newProblem(http.StatusBadRequest, "body: "+err.Error(), "")
	}
	if int64(len(body)) > limit {
		return nil, tooLarge
	}
	return body, nil
}

// notObject tells why body is not one JSON object; "" if it is.
func notObject(body []byte) string {
	text := bytes.TrimLeft(body, " \t\r\n")
	if len(text) == 0 {
		return "it is empty"
	}
	var whole json.RawMessage
	var at *json.SyntaxError
	switch err := json.Unmarshal(body, &whole); {
	case errors.As(err, &at):
		return fmt.Sprintf("not JSON at byte %d: %s", at.Offset, at)
	case err != nil:
		return "not JSON"
	case text[0] != '{':
		return "it is no object"
	}
	return ""
}

// decode writes the members of an object into a struct, and tells what is wrong with them.
func decode(object []byte, into reflect.Value) (faults []Fault) {
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token() // {
	for d.More() {
		key, _ := d.Token() // the object is one of JSON
		name, _ := key.(string)
		var value json.RawMessage
		_ = d.Decode(&value)
		message := "it is there twice"
		if !seen[name] {
			message = member(into, name, value)
		}
		if seen[name] = true; message != "" {
			faults = append(faults, Fault{Place: brief(name), Message: message})
		}
	}
	return faults
}

// member writes one member, or tells why not.
func member(into reflect.Value, name string, value json.RawMessage) string {
	var names []string
	for i := range into.NumField() {
		tag := into.Type().Field(i).Tag
		own, _, _ := strings.Cut(tag.Get("json"), ",")
		if names = append(names, own); own != name {
			continue
		}
		switch want := tag.Get("want"); {
		case string(value) == "null":
			return "null: want " + want + ", or leave it out"
		case json.Unmarshal(value, into.Field(i).Addr().Interface()) != nil:
			into.Field(i).SetZero()
			return brief(string(value)) + ": want " + want
		}
		return ""
	}
	if i := slices.IndexFunc(names, func(own string) bool { return strings.EqualFold(own, name) }); i >= 0 {
		return fmt.Sprintf("unknown; did you mean %q?", names[i])
	}
	return "unknown; there are " + strings.Join(names, ", ")
}

const maxBrief = 64 // bytes of what was sent that an answer repeats

// brief is the beginning of what was sent.
func brief(text string) string {
	if len(text) <= maxBrief {
		return text
	}
	return strings.ToValidUTF8(text[:maxBrief], "") + "…"
}
