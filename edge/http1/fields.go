package http1

// A Field is one header or trailer field. Name is as received (compare with EqualFold); Value is without the
// white space around it.
type Field struct {
	Name, Value []byte
}

// Fields are the fields of one message, in order.
type Fields []Field

// Get gives the value of the first field called name. Names compare without case.
func (f *Fields) Get(name string) ([]byte, bool) {
	for i := range *f {
		if EqualFold((*f)[i].Name, name) {
			return (*f)[i].Value, true
		}
	}
	return nil, false
}

// Next gives the value of the first field called name at place from or after it, and the place to go on from,
// which is 0 if there is no such field. It goes over all fields of a name, beginning with from 0.
func (f *Fields) Next(name string, from int) (value []byte, next int) {
	for i := from; i < len(*f); i++ {
		if EqualFold((*f)[i].Name, name) {
			return (*f)[i].Value, i + 1
		}
	}
	return nil, 0
}

// Add appends a field. The slices are kept, not copied.
func (f *Fields) Add(name, value []byte) { *f = append(*f, Field{name, value}) }

// Del removes every field called name and keeps the order of the others.
func (f *Fields) Del(name string) {
	kept := (*f)[:0]
	for _, x := range *f {
		if !EqualFold(x.Name, name) {
			kept = append(kept, x)
		}
	}
	*f = kept
}

// EqualFold tells whether a and b are the same token, ASCII letters without case.
func EqualFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(b); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
