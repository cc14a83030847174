package strategy

// Counter is the value of one of the strategy's counters.
func (s *Strategy) Counter(n uint32) int64 {
	v, _ := s.counters.Add(n, 0)
	return v
}
