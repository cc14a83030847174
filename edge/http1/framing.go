package http1

// endRequest draws the conclusions of a request's whole head, which ends at n.
func (p *Parser) endRequest(n int, r *Request) error {
	if n > p.lim.Head {
		return errHeadTooLarge
	}
	if err := p.authority(r); err != nil {
		return err
	}
	o, err := p.options(&r.Fields)
	if err != nil {
		return err
	}
	p.KeepAlive = !o.close && (!p.Old || o.keepAlive)
	p.TE = p.head.te
	if err := p.requestBody(r); err != nil {
		return err
	}
	if o.upgrade && !p.Old {
		if r.Upgrade = p.head.upgradable(); r.Upgrade != nil && r.Length != 0 {
			return errUpgradeBody
		}
	}
	if p.head.hasExpect && !p.Old && r.Length != 0 { // else without a meaning (RFC 9110 10.1.1)
		p.Expect = true
		r.Fields = append(r.Fields, Field{fieldExpect, p.head.expect})
	}
	return nil
}

var fieldExpect, fieldUpgrade = []byte("Expect"), []byte("Upgrade")

// authority requires one valid host, and that Host agrees with what the target says.
func (p *Parser) authority(r *Request) error {
	h := &p.head
	switch {
	case !h.hasHost && r.Authority == nil, !h.hasHost && !p.byTarget:
		return errHostMissing
	case h.hasHost && !ValidAuthority(h.host):
		return errHost
	case r.Authority == nil:
		r.Authority = h.host
		return nil
	case !ValidAuthority(r.Authority):
		return errHost
	case h.hasHost && !SameAuthority(r.Scheme, r.Authority, h.host):
		return errHostDiffers
	}
	return nil
}

func (p *Parser) requestBody(r *Request) error {
	h := &p.head
	switch {
	case h.hasCoding:
		if err := p.coding(); err != nil {
			return err
		}
		p.Framing, r.Length = Chunked, Unknown
	case h.length > 0:
		p.Framing, r.Length = Sized, h.length
	}
	return nil
}

// coding accepts the one coding chunked, alone and in HTTP/1.1.
func (p *Parser) coding() error {
	h := &p.head
	switch {
	case h.length >= 0:
		return errLengthCoding
	case p.Old:
		return errCodingOld
	case EqualFold(h.coding, "chunked"):
		return nil
	case lastIsChunked(h.coding):
		return errCodingUnknown
	}
	return errCoding
}

func lastIsChunked(v []byte) bool {
	const last = "chunked"
	n := len(v) - len(last)
	if n < 2 || !EqualFold(v[n:], last) {
		return false
	}
	before := trim(v[:n])
	return len(before) > 1 && before[len(before)-1] == ','
}

// endResponse draws the conclusions of a response's whole head, which ends at n (RFC 9112 6.3).
func (p *Parser) endResponse(n int, method []byte, a *Response) error {
	if n > p.lim.Head {
		return errHeadTooLarge
	}
	o, err := p.options(&a.Fields)
	if err != nil {
		return err
	}
	p.KeepAlive = !o.close && (!p.Old || o.keepAlive)
	h := &p.head
	if h.hasCoding {
		if err := p.coding(); err != nil {
			return err
		}
	}
	a.Length = h.length
	switch {
	case a.Status < 200 || a.Status == 204:
		a.Length = 0
		if h.hasCoding || h.length > 0 {
			return errCoding
		}
	case a.Status == 304 || string(method) == "HEAD":
	case h.hasCoding:
		p.Framing = Chunked
	case h.length > 0:
		p.Framing = Sized
	case h.length < 0:
		p.Framing, p.KeepAlive = UntilClose, false
	}
	switch {
	case a.Status == 101 && (!o.upgrade || h.upgrades != 1):
		return errUpgrade
	case a.Status == 426 && h.upgrades > 0:
		a.Fields = append(a.Fields, Field{fieldUpgrade, h.upgrade})
	}
	return nil
}

// Upgrade is the protocol that the last head, a 101, switches to.
func (p *Parser) Upgrade() []byte { return p.head.upgrade }
