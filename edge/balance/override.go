package balance

import "fmt"

// An Override is an operator's word that stands before the configuration's. The zero value is none.
type Override struct {
	Condition *Condition // nil = the configured one
	Weight    uint32     // 0 = the configured one
}

// SetOverride sets an operator's word about the backend of an id; the zero value takes it back. The word is
// kept for an id that the pool does not have, and stands as soon as it does.
func (p *Pool) SetOverride(id string, o Override) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.overrideLocked(id, o)
}

// SetCondition overrides the condition of a backend that the pool has; nil takes that back.
func (p *Pool) SetCondition(id string, c *Condition) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status[id] == nil {
		return fmt.Errorf("pool %s: no backend %q", p.name, id)
	}
	o := p.overrides[id]
	o.Condition = c
	p.overrideLocked(id, o)
	return nil
}

func (p *Pool) overrideLocked(id string, o Override) {
	if p.overrides[id].equal(o) {
		return
	}
	p.overrides[id] = o
	if o == (Override{}) {
		delete(p.overrides, id)
	}
	if p.status[id] != nil {
		p.publishLocked()
	}
}

// ParseCondition reads a condition by its name: ready, drain or maintenance.
func ParseCondition(name string) (Condition, bool) {
	switch name {
	case "ready":
		return Ready, true
	case "drain":
		return Drain, true
	case "maintenance":
		return Maintenance, true
	}
	return Ready, false
}

func (o Override) equal(other Override) bool {
	if o.Condition == nil || other.Condition == nil {
		return o == other
	}
	return *o.Condition == *other.Condition && o.Weight == other.Weight
}

// rowLocked is the row of a backend, with the operator's word before the configuration's, but for what
// depends on the others.
func (p *Pool) rowLocked(s Spec, st *status) Backend {
	o, condition := p.overrides[s.ID], s.Condition
	if o.Condition != nil {
		condition = *o.Condition
	}
	if o.Weight > 0 {
		s.Weight = o.Weight
	}
	return Backend{Spec: s, Pool: p, load: st.load, condition: condition, down: st.down, ejected: st.ejected}
}
