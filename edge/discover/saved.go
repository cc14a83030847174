package discover

import (
	"encoding/json"
	"errors"
	"fmt"
)

// saved is a list of members as it is kept on disk.
type saved struct {
	Source  string   `json:"source"`
	Members []Member `json:"members"`
}

// Encode writes members for Decode; source is what they were found by.
func Encode(source string, members []Member) ([]byte, error) {
	return json.Marshal(saved{source, members})
}

// ErrOtherSource is when a list was found by another source.
var ErrOtherSource = errors.New("the list is of another source")

// Decode reads what Encode wrote. It refuses a list of another source, and what is no list.
func Decode(data []byte, source string) ([]Member, error) {
	var list saved
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	if list.Source != source {
		return nil, ErrOtherSource
	}
	members, err := bounded(list.Members)
	if err != nil {
		return nil, err
	}
	for i, m := range members {
		if err := m.valid(); err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
	}
	return members, nil
}
