package meter

// meterCode is the content of the code section, without its count.
func (m *module) meterCode() ([]byte, *Fault) {
	m.findLeaves()
	out := make([]byte, 0, 2*(m.at[sectionCode].to-m.at[sectionCode].from))
	var p payer
	var scratch []byte
	efforts := 0
	for k := range m.bodies {
		p.begin(m, k)
		p.pay()
		if efforts += p.effort(); efforts > m.lim.Efforts {
			p.over(p.start, int64(efforts), int64(m.lim.Efforts), "units of effort to compile all functions")
		}
		if p.fault != nil {
			return nil, m.named(p.fault)
		}
		scratch = p.write(scratch[:0])
		out = append(appendU32(out, uint32(len(scratch))), scratch...)
	}
	m.addCalls()
	for _, h := range m.helpers {
		out = m.appendHelper(out, h)
	}
	return out, nil
}

// effort is what the function asks of a compiler: at each joint of its ways each local may have another value, and
// what is alive has to be found from all the others.
func (p *payer) effort() int {
	joints := p.joints + p.calls
	n := joints * (p.locals + 8 + joints/16)
	if n > p.m.lim.Effort {
		p.over(p.start, int64(n), int64(p.m.lim.Effort), "units of effort to compile a function")
	}
	return n
}

// findLeaves finds the functions that who calls them pays for: short ones without loops and calls.
func (m *module) findLeaves() {
	m.leaves = make([]int, len(m.functions))
	var p payer
	for k := range m.bodies {
		if p.begin(m, k); !p.short() {
			continue
		}
		i := m.imported + k
		m.leaves[i] = max(p.leftover, 0) + 1
		if m.referenced != nil && m.referenced[i] {
			m.anyLeaf = max(m.anyLeaf, m.leaves[i])
		}
	}
}

// short tells whether a function has no loops, calls and bulk operations and costs little. It says nothing of
// whether the function is sound.
func (p *payer) short() bool {
	for p.fault == nil && len(p.frames) > 0 {
		in := p.next()
		if p.fault != nil || in.is(opLoop) {
			return false
		}
		p.spend(in, int(in.points))
		if in.prefix == 0 {
			p.control(in)
		} else {
			p.bulk(in)
		}
		if p.calls > 0 || p.unpaid >= pointsLeaf || p.leftover >= pointsLeaf || p.at-p.start > maxLeaf {
			return false
		}
	}
	return p.fault == nil
}

// maxLeaf is how long a leaf is, in bytes.
const maxLeaf = 1 << 10

// write appends the function's body with its steps.
func (p *payer) write(out []byte) []byte {
	at := p.m.bodies[p.function-p.m.imported]
	paid := p.m.leaves[p.function] == 0
	from := at.from
	for i := range p.steps {
		s := &p.steps[i]
		out = append(out, p.data[from:s.from]...)
		from = s.to
		switch {
		case !s.payment:
			out = append(out, s.with...)
		case paid:
			out = p.m.appendPayment(out, s)
		}
	}
	return append(out, p.data[from:at.to]...)
}

// appendPayment takes the step's points from the counter, as units and at least one.
func (m *module) appendPayment(out []byte, s *step) []byte {
	out = appendU32(append(out, opGlobalGet), uint32(m.globals))
	units := max((int64(s.points)+pointsUnit-1)/pointsUnit, 1)
	out = append(appendS64(append(out, opI64Const), units), opI64Sub)
	if s.trusts {
		return appendU32(append(out, opGlobalSet), uint32(m.globals))
	}
	return m.appendCheck(out)
}
