package meter

// A step is an edit of a function's code: a payment, or other bytes in the place of some.
type step struct {
	span
	with []byte

	payment bool
	points  int  // to pay
	trusts  bool // that the next payment, which always follows, sees to it that there is enough
}

// A frame is a block that is open.
type frame struct {
	kind   int // opBlock, opLoop, opIf or opElse
	before int // of opIf: what was not paid when it began
	ahead  int // what branches to its end have not paid, at most; none if there are none
	head   int // of opLoop: its payment, none in code that is never reached
}

// none stands for code that is never reached, and for no payment.
const none = -1

// A payer goes through a function and says where it pays how much. unpaid is how many points were spent, at
// most, since the last payment, on any way that leads to the instruction at hand. A way ends with a payment:
// at the latest after pointsRun, at the head of a loop for the way in and for the longest turn, and at the
// entry of the function, in advance, for the longest way to its end.
type payer struct {
	body
	frames   []frame
	steps    []step
	unpaid   int
	leftover int  // at the function's ends, at most
	straight bool // no branch, call or payment since the function began

	straightLoop bool // and then came the head of a loop

	joints, calls, jumps int
}

// begin is for the k-th function that the module brings.
func (p *payer) begin(m *module, k int) {
	m.body(&p.body, k)
	p.frames = append(p.frames[:0], frame{kind: opBlock, ahead: none})
	p.steps = append(p.steps[:0], step{span: span{p.start, p.start}, payment: true})
	p.unpaid, p.leftover, p.straight, p.straightLoop = 0, none, true, false
	p.joints, p.calls = 0, 0
}

// pay goes through the function.
func (p *payer) pay() {
	for p.fault == nil && len(p.frames) > 0 {
		in := p.next()
		if p.fault != nil {
			return
		}
		p.spend(in, p.price(in))
		if in.prefix == 0 {
			p.control(in)
		} else {
			p.bulk(in)
		}
		if p.at >= p.end && len(p.frames) > 0 {
			p.fail(p.at, "function without an end")
		}
	}
	if p.fault == nil && p.at < p.end {
		p.fail(p.at, "instructions after the function's end")
	}
	p.settle()
}

// price is what an instruction costs; of a call, with what the called function does not pay by itself.
func (p *payer) price(in *instruction) int {
	points := int(in.points)
	switch {
	case in.is(opCall):
		points += p.m.leaves[in.arg]
	case in.is(opCallIndirect):
		points += p.m.anyLeaf
	}
	return points
}

func (p *payer) spend(in *instruction, points int) {
	if p.unpaid == none {
		return
	}
	if p.unpaid += points; p.unpaid > pointsRun {
		p.addPayment(in.at, p.unpaid)
		p.unpaid = 0
	}
}

func (p *payer) addPayment(at, points int) {
	p.straight = false
	p.steps = append(p.steps, step{span: span{at, at}, payment: true, points: points})
}

// control follows the ways that code can take.
func (p *payer) control(in *instruction) {
	switch in.code {
	case opUnreachable:
		p.unpaid, p.straight = none, false
	case opBlock, opIf:
		p.open(frame{kind: in.code, before: p.unpaid, ahead: none})
	case opLoop:
		p.loop()
	case opElse:
		p.otherwise(in)
	case opEnd:
		p.close()
	case opBr, opBrIf:
		p.branch(in.arg)
		if p.straight = false; in.code == opBr {
			p.unpaid = none
		}
	case opBrTable:
		p.branches(in)
	case opReturn:
		p.leftover, p.unpaid, p.straight = max(p.leftover, p.unpaid), none, false
	case opCall, opRefFunc:
		p.call(in)
	case opCallIndirect:
		p.calls++
		p.straight = false
	case opMemoryGrow:
		p.helper(in, helperPages)
	}
}

func (p *payer) open(f frame) {
	p.joints++
	if f.kind == opIf {
		p.straight = false
	}
	if len(p.frames) > p.m.lim.Depth {
		p.over(p.in.at, int64(len(p.frames)), int64(p.m.lim.Depth), "nested blocks")
		return
	}
	p.frames = append(p.frames, f)
}

func (p *payer) loop() {
	p.open(frame{kind: opLoop, ahead: none, head: none})
	if p.unpaid == none || p.fault != nil {
		return
	}
	p.frames[len(p.frames)-1].head = len(p.steps)
	p.straightLoop = p.straightLoop || p.straight
	p.addPayment(p.at, p.unpaid)
	p.unpaid = 0
}

func (p *payer) otherwise(in *instruction) {
	p.joints++
	f := &p.frames[len(p.frames)-1]
	if f.kind != opIf {
		p.fail(in.at, "else without an if")
		return
	}
	f.kind, f.ahead, p.unpaid = opElse, max(f.ahead, p.unpaid), f.before
}

func (p *payer) close() {
	f := p.frames[len(p.frames)-1]
	p.frames = p.frames[:len(p.frames)-1]
	p.unpaid = max(p.unpaid, f.ahead)
	if f.kind == opIf {
		p.unpaid = max(p.unpaid, f.before)
	}
	if len(p.frames) == 0 {
		p.leftover = max(p.leftover, p.unpaid)
	}
}

// branch goes to the end of the block of a label, or to the head of a loop.
func (p *payer) branch(label uint32) {
	p.joints++
	if int64(label) >= int64(len(p.frames)) {
		p.fail(p.in.at, "label %d of %d", label, len(p.frames))
		return
	}
	f := &p.frames[len(p.frames)-1-int(label)]
	if f.kind != opLoop {
		f.ahead = max(f.ahead, p.unpaid)
	} else if f.head != none && p.unpaid != none {
		head := &p.steps[f.head]
		head.points = max(head.points, p.unpaid)
	}
}

func (p *payer) branches(in *instruction) {
	if p.jumps += len(in.targets); p.jumps > p.m.lim.Jumps {
		p.over(in.at, int64(p.jumps), int64(p.m.lim.Jumps), "targets of all br_tables")
		return
	}
	for _, target := range in.targets {
		p.branch(target)
	}
	p.unpaid, p.straight = none, false
}

// call puts the function that pays in the place of the one that is called or referred to.
func (p *payer) call(in *instruction) {
	p.calls++
	p.straight = false
	if to := p.m.paying(in.arg); to != in.arg {
		p.steps = append(p.steps, step{span: in.argAt, with: appendU32(nil, to)})
	}
}

// bulk lets the amount of a bulk operation, which is on top of the stack, be paid.
func (p *payer) bulk(in *instruction) {
	if in.prefix != prefixBulk {
		return
	}
	switch in.code {
	case bulkMemoryInit, bulkMemoryCopy, bulkMemoryFill:
		p.helper(in, helperBytes)
	case bulkTableInit, bulkTableCopy, bulkTableGrow, bulkTableFill:
		p.helper(in, helperItems)
	}
}

func (p *payer) helper(in *instruction, kind int) {
	p.calls++
	p.straight = false
	call := appendU32([]byte{opCall}, p.m.helperOf(kind))
	p.steps = append(p.steps, step{span: span{in.at, in.at}, with: call})
}

// settle says what the entry pays: for the frame, and in advance for the longest way to the function's end.
func (p *payer) settle() {
	p.steps[0].points = max(p.leftover, 0) + pointsFrame + pointsLocal*p.locals
	p.steps[0].trusts = p.straightLoop
}
