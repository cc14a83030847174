package listen

import "bytes"

// defaultUrgency is that of requests which do not tell (RFC 9218 4.1).
const defaultUrgency = 3

// parsePriority reads what it knows of a Priority field's value (RFC 9218 4): the last member of a name counts.
func parsePriority(value []byte) (urgency int8, incremental bool) {
	urgency = defaultUrgency
	for member := range bytes.SplitSeq(value, []byte{','}) {
		member, _, _ = bytes.Cut(bytes.TrimSpace(member), []byte{';'})
		switch {
		case len(member) == 3 && string(member[:2]) == "u=" && '0' <= member[2] && member[2] <= '7':
			urgency = int8(member[2] - '0')
		case string(member) == "i" || string(member) == "i=?1":
			incremental = true
		case string(member) == "i=?0":
			incremental = false
		}
	}
	return urgency, incremental
}
