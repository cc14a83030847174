package balance

// A trust is how far the word of probes and requests is taken for one table.
type trust uint8

const (
	everything trust = iota
	probesOnly       // nobody is left but the ejected: they are used
	nothing          // too few are well: panic
)

// trustIn weighs what is said of the rows. Who drains is no measure of health, but if only such are well
// they are used, and there is no panic.
func trustIn(rows []Backend, below float64) trust {
	var all, well, resting [Maintenance + 1]int // by condition; the resting are ejected, but not down
	for i := range rows {
		b := &rows[i]
		all[b.condition]++
		switch {
		case !b.down && !b.ejected:
			well[b.condition]++
		case !b.down:
			resting[b.condition]++
		}
	}
	group := Ready
	if all[Ready] == 0 {
		group = Drain
	}
	switch {
	case well[Ready] == 0 && well[Drain] > 0:
		return everything
	case float64(well[group]) < below*float64(all[group]):
		return nothing
	case well[group] == 0 && resting[group] > 0:
		return probesOnly
	}
	return everything
}

// stateBy is what b can be used for.
func (b *Backend) stateBy(t trust) State {
	switch {
	case b.condition == Maintenance:
		return StateMaintenance
	case b.down && t != nothing, b.ejected && t == everything:
		return StateDown
	case b.condition == Drain:
		return StateDraining
	}
	return StateReady
}
