package http1

import "bytes"

// maxOptions bounds the options of Connection: each costs a look at every field.
const maxOptions = 32

// options is what Connection said.
type options struct {
	close, keepAlive, upgrade bool
	count                     int
}

// options reads the Connection lines and takes the fields they name out of f (RFC 9110 7.6.1). Fields that
// frame or route are not in f, so naming them has no effect.
func (p *Parser) options(f *Fields) (o options, err error) {
	h := &p.head
	if h.lines == 0 {
		return o, nil
	}
	if EqualFold(h.connection, "keep-alive") && h.lines == 1 { // by far the most frequent
		return options{keepAlive: true}, nil
	}
	if err = o.line(h.connection, f); h.lines == 1 {
		return o, err
	}
	for _, line := range p.more {
		if err == nil {
			err = o.line(line, f)
		}
	}
	return o, err
}

// line takes one Connection line.
func (o *options) line(line []byte, f *Fields) error {
	for len(line) > 0 {
		var opt []byte
		opt, line, _ = bytes.Cut(line, []byte{','})
		if opt = trim(opt); len(opt) == 0 {
			continue
		}
		if o.count++; o.count > maxOptions || !all(opt, isToken) {
			return errConnection
		}
		o.note(opt, f)
	}
	return nil
}

func (o *options) note(opt []byte, f *Fields) {
	switch {
	case EqualFold(opt, "close"):
		o.close = true
	case EqualFold(opt, "keep-alive"):
		o.keepAlive = true
	case EqualFold(opt, "upgrade"):
		o.upgrade = true
	default:
		f.delBytes(opt)
	}
}

func (f *Fields) delBytes(name []byte) {
	kept := (*f)[:0]
	for _, x := range *f {
		if !equalFoldBytes(x.Name, name) {
			kept = append(kept, x)
		}
	}
	*f = kept
}

// upgradable gives the protocol of an Upgrade field that may be passed on: exactly one, and not one that
// changes what speaks HTTP on this hop (h2c, HTTP/2.0, TLS).
func (h *head) upgradable() []byte {
	u := h.upgrade
	if h.upgrades != 1 || len(u) == 0 || len(u) > 64 {
		return nil
	}
	name, version, _ := bytes.Cut(u, []byte{'/'})
	if len(name) == 0 || !all(name, isToken) || !all(version, isToken) {
		return nil
	}
	if EqualFold(name, "http") || EqualFold(name, "tls") ||
		len(name) >= 2 && lower(name[0]) == 'h' && name[1] >= '2' && name[1] <= '9' {
		return nil
	}
	return u
}
